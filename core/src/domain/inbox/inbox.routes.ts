/** Inboxes: configured accounts on channels. Their settings are the adapter's schema. */
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { Id, IdParams, LocalText } from '../../../sdk/wire/common.ts'
import { InboxInput, InboxPatch, ProbeStep, InboxHealth as WireHealth, Inbox as WireInbox } from '../../../sdk/wire/inbox.ts'
import { pick } from '../../db/pick.ts'
import { retryOnConflict } from '../../db/retry.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { canOpen, mergeSecrets, openMost, parseSettings, redactSettings, sealSettings } from '../../kernel/settings.ts'
import { routeQueue } from '../conversation/assign-conversation.ts'
import { followInbox } from '../conversation/leave-place.ts'
import { checkPlace } from '../department/check-place.ts'
import { changeSettings, settingsChanged } from '../setting/tell-settings.ts'
import { adapterFor, adapterOf, ownCapabilities, unlock } from './channels.ts'
import { checkSettings } from './check-settings.ts'
import { createInbox } from './create-inbox.ts'
import { Inbox } from './inbox.entity.ts'
import { forgetHealth, listHealth } from './inbox-health.ts'
import { probeInbox, retryBroken, sendTest } from './probe-inbox.ts'
import { forgetRefusedPushes } from './refused-pushes.ts'

export function inboxRoutes(app: App, hub: Hub): void {
  const manage = { access: { permission: 'inbox.manage' } }
  const schemaOf = (channel: string) => {
    const plugin = hub.kernel.all().find(({ manifest }) => manifest.id === channel)
    return plugin && adapterFor(plugin.manifest, plugin.ctx)?.inboxSettings
  }
  const present = (row: Inbox): WireInbox => ({
    id: row.id,
    channel: row.channel,
    name: row.name,
    settings: redactSettings(schemaOf(row.channel), row.settings),
    departmentId: row.departmentId ?? null,
    skillGroupId: row.skillGroupId ?? null,
    enabled: row.enabled,
    needsSecrets: !canOpen(schemaOf(row.channel), row.settings, hub.vault),
  })
  const changed = (id: string) => {
    hub.intake.forgetInboxes()
    hub.bus.publish('inbox.changed', { id })
  }

  // Names and what they carry: every agent's list shows where a conversation comes from, the composer what goes there.
  const Brief = Type.Object({
    id: Id,
    name: Type.String(),
    channel: Type.String(),
    enabled: Type.Boolean(),
    /** Where it differs from its channel's. */
    capabilities: Type.Unknown(),
  })
  app.get(
    '/api/inboxes/brief',
    { config: { access: 'agent' }, schema: { summary: 'List inboxes by name', response: { 200: Type.Object({ items: Type.Array(Brief) }) } } },
    async () => {
      const rows = await hub.em().find(Inbox, {}, { orderBy: { createdAt: 'asc' }, limit: 500, disableIdentityMap: true })
      return {
        items: rows.map((row) => ({
          id: row.id,
          name: row.name,
          channel: row.channel,
          enabled: row.enabled,
          capabilities: adapterOf(hub, row.channel)?.capabilitiesOf ? ownCapabilities(hub, row) : null,
        })),
      }
    },
  )

  app.get('/api/inboxes', { config: manage, schema: { response: { 200: Type.Object({ items: Type.Array(WireInbox) }) } } }, async () => {
    const rows = await hub.em().find(Inbox, {}, { orderBy: { createdAt: 'asc' }, limit: 500, disableIdentityMap: true })
    return { items: rows.map(present) }
  })

  const ChannelInfo = Type.Object({
    id: Type.String(),
    label: Type.Object({ zh: Type.String(), en: Type.String() }),
    inboxSettings: Type.Unknown(),
    snippet: Type.Union([Type.String(), Type.Null()]),
    preview: Type.Union([Type.String(), Type.Null()]),
    demo: Type.Union([Type.String(), Type.Null()]),
    /** Has it a connection test? */
    probe: Type.Boolean(),
    capabilities: Type.Unknown(),
  })
  app.get('/api/channels', { config: manage, schema: { response: { 200: Type.Object({ items: Type.Array(ChannelInfo) }) } } }, async () => ({
    items: hub.kernel.running().flatMap(({ manifest }) => {
      const adapter = adapterOf(hub, manifest.id)
      return adapter
        ? [
            {
              id: manifest.id,
              label: adapter.label,
              inboxSettings: adapter.inboxSettings as unknown,
              snippet: adapter.install?.snippet ?? null,
              preview: adapter.install?.preview ?? null,
              demo: adapter.install?.demo ?? null,
              probe: adapter.probe !== undefined,
              capabilities: adapter.capabilities as unknown,
            },
          ]
        : []
    }),
  }))

  app.post('/api/inboxes', { config: manage, schema: { body: InboxInput, response: { 201: WireInbox } } }, async (request, reply) => {
    const row = await createInbox(hub, request.body, ({ id, name }) => settingsChanged(request, { scope: 'inbox', change: 'created', id, name }))
    return reply.status(201).send(present(row))
  })

  app.get('/api/inboxes/health', { config: manage, schema: { response: { 200: Type.Object({ items: Type.Array(WireHealth) }) } } }, async () => ({
    items: await listHealth(hub),
  }))

  // Before it is saved, and as it is saved: what is tried is what the form holds, with the kept secrets where it is empty.
  const Settings = Type.Record(Type.String(), Type.Unknown())
  const Steps = Type.Object({ steps: Type.Array(ProbeStep) })
  const NewProbe = Type.Object({ channel: Type.String({ maxLength: 40 }), settings: Settings })
  const trying = { ...manage, rateLimit: { max: 30, timeWindow: 60_000 } }
  app.post(
    '/api/inboxes/probe',
    { config: trying, schema: { summary: 'Test the settings of an inbox before it is stored', body: NewProbe, response: { 200: Steps } } },
    async (request) => ({
      steps: await probeInbox(hub, request.body.channel, undefined, request.body.settings),
    }),
  )
  const Probe = Type.Object({ settings: Type.Optional(Settings) })
  app.post('/api/inboxes/:id/probe', { config: trying, schema: { params: IdParams, body: Probe, response: { 200: Steps } } }, async (request) => {
    const row = await hub.em().findOne(Inbox, { id: request.params.id }, { disableIdentityMap: true })
    if (!row) throw new HubError('HUB_NOT_FOUND', 'There is no such inbox')
    return { steps: await probeInbox(hub, row.channel, row, request.body.settings) }
  })

  const Test = Type.Object({ to: Type.String({ minLength: 1, maxLength: 190 }), text: Type.String({ minLength: 1, maxLength: 1_000 }) })
  const Tested = Type.Object({
    ok: Type.Boolean(),
    externalId: Type.Union([Type.String(), Type.Null()]),
    failure: Type.Union([Type.String(), Type.Null()]),
    failureText: Type.Union([LocalText, Type.Null()]),
  })
  app.post('/api/inboxes/:id/test', { config: trying, schema: { params: IdParams, body: Test, response: { 200: Tested } } }, async (request) =>
    sendTest(hub, request.params.id, request.body.to, request.body.text),
  )

  app.patch('/api/inboxes/:id', { config: manage, schema: { params: IdParams, body: InboxPatch, response: { 200: WireInbox } } }, async (request) => {
    const em = hub.em()
    const row = await em.findOne(Inbox, { id: request.params.id }, { disableIdentityMap: true })
    if (!row) throw new HubError('HUB_NOT_FOUND', 'There is no such inbox')
    const { settings } = request.body
    const fields = pick(request.body, ['name', 'departmentId', 'skillGroupId', 'enabled'])
    const patch: Partial<Inbox> = { ...fields }
    if (settings) {
      const schema = schemaOf(row.channel)
      const merged = mergeSecrets(schema, settings, openMost(schema, row.settings, hub.vault))
      const values = parseSettings(schema, merged, 'body/settings')
      await checkSettings(hub, adapterOf(hub, row.channel), { id: row.id, name: fields.name ?? row.name, settings: values }, fields.enabled ?? row.enabled)
      patch.settings = sealSettings(schema, values, hub.vault)
    } else if (fields.enabled && !row.enabled && canOpen(schemaOf(row.channel), row.settings, hub.vault))
      await checkSettings(hub, adapterOf(hub, row.channel), unlock(hub, { ...row, ...fields }).forAdapter, true)
    const kept = Object.keys(settings ?? {}).map((field) => `settings.${field}`)
    const moves = fields.departmentId !== undefined || fields.skillGroupId !== undefined
    let tell = () => {}
    await retryOnConflict(() =>
      changeSettings(hub, request, async (tx) => {
        await checkPlace(tx, fields)
        await tx.nativeUpdate(Inbox, { id: row.id }, patch)
        if (moves) tell = (await followInbox(hub, tx, row.id)).after
        return { scope: 'inbox', change: 'changed', id: row.id, name: patch.name ?? row.name, fields: [...Object.keys(fields), ...kept] }
      }),
    )
    tell()
    if (row.enabled && patch.enabled === false) {
      await forgetHealth(hub, row.id)
      await forgetRefusedPushes(hub, row.id)
    }
    changed(row.id)
    if (moves) await routeQueue(hub)
    const saved = { ...row, ...patch } as Inbox
    if (settings) retryBroken(hub, saved)
    return present(saved)
  })
}
