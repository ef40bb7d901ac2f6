/** One person in many channels: what may belong together, merging, splitting, and taking it back. Both sides must be visible to who asks. */
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { Id, IdParams, Ok } from '../../../sdk/wire/common.ts'
import { ContactMove as WireMove, MergePreview as WirePreview, MergeSuggestion as WireSuggestion } from '../../../sdk/wire/contact.ts'
import type { HubAbility } from '../../access/ability.ts'
import type { ContactField as OwnField } from '../../access/mask.ts'
import { maskField } from '../../access/mask-field.ts'
import { maskText } from '../../access/mask-text.ts'
import { contactFields } from '../../access/permissions.ts'
import { whereAllowed, whereDeleted } from '../../access/scope.ts'
import type { Em } from '../../db/orm.ts'
import { type Actor, actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { presentBrief } from '../conversation/conversation.present.ts'
import { type Contact, ContactField, ContactMove, MergeSuggestion } from './contact.entity.ts'
import { findReadableContact, reachedIdentities, tellContactView } from './contact.routes.ts'
import { contradictionWords, evidencePresenter } from './evidence.present.ts'
import { mergeContacts, previewMerge, previewMove, refuseSuggestion, splitContact, undoMove } from './merge-contacts.ts'
import { shownFields } from './shown-fields.ts'
import { contradictions, soleNamesOf } from './sole-names.ts'
import { survivorOf } from './survivor.ts'

const page = 20

export function mergeRoutes(app: App, hub: Hub): void {
  const config = { access: { permission: 'contact.merge' } }

  const readable = (em: Em, actor: Actor, id: string): Promise<Contact | undefined> =>
    findReadableContact(em, actor, id).catch((error) => {
      if (error instanceof HubError && error.code === 'HUB_NOT_FOUND') return undefined
      throw error
    })

  const Suggestions = Type.Object({ items: Type.Array(WireSuggestion) })
  app.get('/api/contacts/:id/suggestions', { config, schema: { params: IdParams, response: { 200: Suggestions } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const contact = await findReadableContact(em, actor, request.params.id)
    // What was suggested of those that were merged into this one is suggested of it.
    const merged = await em.find(
      ContactMove,
      { intoId: contact.id, kind: 'merge', undoneAt: null },
      { fields: ['fromId'], limit: page, disableIdentityMap: true },
    )
    const ids = [contact.id, ...merged.map(({ fromId }) => fromId)]
    const rows = await em.find(
      MergeSuggestion,
      { state: 'open', $or: [{ contactId: { $in: ids } }, { otherId: { $in: ids } }] },
      { orderBy: { createdAt: 'desc' }, limit: page, disableIdentityMap: true },
    )
    const offered = []
    for (const row of rows) {
      const other = await readable(em, actor, ids.includes(row.contactId) ? row.otherId : row.contactId)
      if (other && other.id !== contact.id) offered.push({ row, other })
    }
    const present = await evidencePresenter(
      hub,
      actor.ability,
      ids,
      offered.flatMap(({ row }) => row.evidence),
    )
    const names = await soleNamesOf(em, [contact.id, ...offered.map(({ other }) => other.id)])
    // They are shown with what speaks for it.
    for (const { other } of offered) await tellContactView(hub, em, actor, other.id)
    return {
      items: offered.map(({ row, other }) => ({
        id: row.id,
        contact: presentBrief(actor.ability, other),
        evidence: row.evidence.map(present),
        contradictions: contradictions(names.get(contact.id), names.get(other.id)).map(contradictionWords),
        createdAt: row.createdAt.toISOString(),
      })),
    }
  })

  /** A suggestion of two contacts that this agent may both see. */
  async function findSuggestion(actor: Actor, id: string): Promise<MergeSuggestion> {
    const em = hub.em()
    const row = await em.findOne(MergeSuggestion, { id }, { disableIdentityMap: true })
    if (!row || !(await readable(em, actor, row.contactId)) || !(await readable(em, actor, row.otherId)))
      throw new HubError('HUB_NOT_FOUND', 'There is no such suggestion')
    return row
  }

  app.post('/api/suggestions/:id/accept', { config, schema: { params: IdParams, response: { 200: WireMove } } }, async (request) => {
    const actor = actorOf(request)
    const row = await findSuggestion(actor, request.params.id)
    if (row.state !== 'open') throw new HubError('HUB_CONFLICT', 'This has been decided already')
    const [into, from] = await Promise.all([row.contactId, row.otherId].map((id) => survivorOf(hub.em(), id)))
    return presentMove(await mergeContacts(hub, into as string, from as string, actor.agent.id, row.id))
  })

  app.post('/api/suggestions/:id/refuse', { config, schema: { params: IdParams, response: { 200: Ok } } }, async (request) => {
    const actor = actorOf(request)
    const row = await findSuggestion(actor, request.params.id)
    await refuseSuggestion(hub.em(), row.id, actor.agent.id)
    for (const contactId of [row.contactId, row.otherId]) hub.bus.publish('contact.changed', { contactId })
    return { ok: true as const }
  })

  const Other = Type.Object({ otherId: Id })
  app.get(
    '/api/contacts/:id/merge',
    { config, schema: { summary: 'Tell what merging two contacts would do', params: IdParams, querystring: Other, response: { 200: WirePreview } } },
    async (request) => {
      const actor = actorOf(request)
      const em = hub.em()
      const into = await findReadableContact(em, actor, request.params.id)
      const from = await findReadableContact(em, actor, request.query.otherId)
      if (into.id === from.id) throw new HubError('HUB_CONFLICT', 'They are one contact already')
      for (const { id } of [into, from]) await tellContactView(hub, em, actor, id)
      const { fields, ...preview } = await previewMerge(em, actor.ability, into, from)
      return { ...preview, fields: maskFields(actor.ability, fields), addedFields: await addedFields(hub, em, actor.ability, into.id, from.id) }
    },
  )

  app.post('/api/contacts/:id/merge', { config, schema: { params: IdParams, body: Other, response: { 200: WireMove } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const into = await findReadableContact(em, actor, request.params.id)
    const from = await findReadableContact(em, actor, request.body.otherId)
    return presentMove(await mergeContacts(hub, into.id, from.id, actor.agent.id))
  })

  const Identities = Type.Object({ identityIds: Type.Array(Id, { minItems: 1, maxItems: 50 }) })
  app.post(
    '/api/contacts/:id/split/preview',
    { config, schema: { summary: 'Tell what splitting a contact would do', params: IdParams, body: Identities, response: { 200: WirePreview } } },
    async (request) => {
      const em = hub.em()
      const actor = actorOf(request)
      const contact = await findReadableContact(em, actor, request.params.id)
      const moved = await previewMove(em, actor.ability, await reachedIdentities(em, actor, contact.id, request.body.identityIds))
      return { ...moved, fields: {}, addedFields: [], tagIds: [] }
    },
  )

  app.post('/api/contacts/:id/split', { config, schema: { params: IdParams, body: Identities, response: { 200: WireMove } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const contact = await findReadableContact(em, actor, request.params.id)
    const identityIds = [...new Set(request.body.identityIds)]
    if ((await reachedIdentities(em, actor, contact.id, identityIds)).length < identityIds.length)
      throw new HubError('HUB_NOT_FOUND', 'This contact has no such identity')
    return presentMove(await splitContact(hub, contact.id, identityIds, actor.agent.id))
  })

  const Moves = Type.Object({ items: Type.Array(WireMove) })
  app.get('/api/contacts/:id/moves', { config, schema: { params: IdParams, response: { 200: Moves } } }, async (request) => {
    const em = hub.em()
    const contact = await findReadableContact(em, actorOf(request), request.params.id)
    const find = (where: { intoId: string } | { fromId: string }) =>
      em.find(ContactMove, where, { orderBy: { createdAt: 'desc' }, limit: page, disableIdentityMap: true })
    const rows = [...(await find({ intoId: contact.id })), ...(await find({ fromId: contact.id }))]
    return {
      items: rows
        .sort((a, b) => b.id.localeCompare(a.id))
        .slice(0, page)
        .map(presentMove),
    }
  })

  app.post('/api/contact-moves/:id/undo', { config, schema: { params: IdParams, response: { 200: WireMove } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const record = await em.findOne(ContactMove, { id: request.params.id }, { disableIdentityMap: true })
    if (!record || !(await readable(em, actor, record.intoId)) || !(await seesBothSides(em, actor.ability, record)))
      throw new HubError('HUB_NOT_FOUND', 'There is no such merge')
    return presentMove(await undoMove(hub, record.id, actor.agent.id))
  })
}

/** May they see each side of what was moved, as they must to merge: some conversation of it, where it has any? */
async function seesBothSides(em: Em, ability: HubAbility, { kind, intoId, fromId, identityIds }: ContactMove): Promise<boolean> {
  // Of whom all lies in the recycle bin is seen by who may look into it.
  const allowed = [whereAllowed(ability, 'read', 'conversation'), whereDeleted(ability)].filter((where) => where !== null)
  // Who was merged is who they became: what was theirs are the identities that came from them.
  const sides =
    kind === 'split'
      ? [{ contactId: intoId }, { contactId: fromId }]
      : [{ $in: identityIds }, { $nin: identityIds }].map((identityId) => ({ contactId: intoId, identityId }))
  for (const side of sides) {
    const sees = allowed.length > 0 && (await em.findOne(Conversation, { $and: [side, { $or: allowed }] }, { fields: ['id'], disableIdentityMap: true }))
    if (!sees && (await em.count(Conversation, side)) > 0) return false
  }
  return true
}

/** What `giveFields` would give, as this reader may see it. */
async function addedFields(hub: Hub, em: Em, ability: HubAbility, intoId: string, fromId: string) {
  const kept = await em.find(ContactField, { contactId: intoId }, { fields: ['field'], limit: 200, disableIdentityMap: true })
  const has = new Set(kept.map(({ field }) => field))
  const theirs = (await shownFields(hub, em, ability, [fromId])).get(fromId) ?? []
  return theirs.filter(({ name }) => !has.has(name))
}

const personal = new Set<string>(contactFields)
const maskFields = (ability: HubAbility, fields: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(fields).map(([field, value]) => [field, personal.has(field) ? maskField(ability, field as OwnField, value) : maskText(ability, value)]),
  )

const presentMove = ({ id, kind, fromId, intoId, identityIds, byAgentId, createdAt, undoneAt }: ContactMove) => ({
  id,
  kind,
  fromId,
  intoId,
  identityIds,
  byAgentId: byAgentId ?? null,
  createdAt: createdAt.toISOString(),
  undoneAt: undoneAt?.toISOString() ?? null,
})
