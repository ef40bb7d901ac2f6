/** Plugins for the admin: state, settings, switch, errors; and the UI modules of the running ones. */
import { existsSync } from 'node:fs'
import { dirname, resolve, sep } from 'node:path'
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { Ok } from '../../../sdk/wire/common.ts'
import { PluginInfo } from '../../../sdk/wire/inbox.ts'
import { actorOf } from '../../http/auth.ts'
import { sendBuilt } from '../../http/send-built.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { tellLast } from '../../pipeline/deliver-events.ts'
import { tellEvents } from '../conversation/change.ts'
import { settingsChanged } from './tell-settings.ts'

const PluginParams = Type.Object({ id: Type.String({ pattern: '^[a-z][a-z0-9]{1,30}$' }) })

export function pluginRoutes(app: App, hub: Hub): void {
  const manage = { access: { permission: 'plugin.manage' } }

  app.get('/api/plugins', { config: manage, schema: { response: { 200: Type.Object({ items: Type.Array(PluginInfo) }) } } }, async () => ({
    items: hub.kernel.status().map(({ id, manifest, enabled, state, error, retryAt, fault }) => ({
      id,
      version: manifest?.version ?? '',
      label: manifest?.label ?? { zh: id, en: id },
      description: manifest?.description ?? null,
      enabled,
      state,
      error: error ? { code: error.code, message: error.message } : null,
      retryAt: retryAt?.toISOString() ?? null,
      fault: fault ? { ...fault, at: fault.at.toISOString() } : null,
      settingsSchema: (manifest?.settings as unknown) ?? null,
      settings: manifest ? hub.kernel.settingsFor(id) : {},
      channel: manifest?.channel !== undefined,
      adminUi: manifest?.ui?.admin ? `/api/plugins/${id}/ui/admin.js` : null,
    })),
  }))

  app.post(
    '/api/plugins/:id/switch',
    { config: manage, schema: { params: PluginParams, body: Type.Object({ enabled: Type.Boolean() }), response: { 200: Ok } } },
    async (request) => {
      const { id } = request.params
      const { enabled } = request.body
      const told = { name: 'plugin.switched' as const, data: { pluginId: id, enabled, byAgentId: actorOf(request).agent.id } }
      // The last thing a plugin hears is that it is being switched off; the first, that it is on again.
      if (!enabled && hub.kernel.isRunning(id)) {
        await tellEvents(hub, [told])
        await tellLast(hub, id)
        await hub.kernel.switch(id, false)
      } else {
        await hub.kernel.switch(id, enabled)
        await tellEvents(hub, [told])
      }
      hub.bus.publish('plugin.switched', { id, enabled })
      return { ok: true as const }
    },
  )

  app.put(
    '/api/plugins/:id/settings',
    { config: manage, schema: { params: PluginParams, body: Type.Record(Type.String(), Type.Unknown()), response: { 200: Ok } } },
    async (request) => {
      const { id } = request.params
      await hub.kernel.configure(id, request.body, [settingsChanged(request, { scope: `plugin:${id}`, fields: Object.keys(request.body) })])
      hub.bus.publish('plugin.configured', { id })
      return { ok: true as const }
    },
  )

  // A UI module runs in the browser of whoever may sign in; it is no secret, its data is.
  const UiParams = Type.Object({ id: PluginParams.properties.id, '*': Type.String({ pattern: '^[\\w./-]{1,100}$' }) })
  app.get(
    '/api/plugins/:id/ui/*',
    { config: { access: 'agent' }, schema: { summary: 'Read a UI module of a plugin', params: UiParams } },
    async (request, reply) => {
      const plugin = hub.kernel.get(request.params.id)
      const name = request.params['*']
      const { admin, workbench } = plugin?.manifest.ui ?? {}
      const entry = name === 'admin.js' ? admin : name === 'workbench.js' ? workbench : undefined
      const declared = workbench ?? admin
      if (!plugin || !declared) throw new HubError('HUB_NOT_FOUND', 'There is nothing here')
      // What a module imports stands beside it; the rest of the plugin's folder is the server's.
      const folder = resolve(plugin.dir, dirname(declared))
      const file = entry ? resolve(plugin.dir, entry) : resolve(folder, name)
      const within = file.startsWith((entry ? plugin.dir : folder) + sep)
      if (!within || !existsSync(file) || !/\.(?:m?js|css)$/.test(file)) throw new HubError('HUB_NOT_FOUND', 'There is nothing here')
      return sendBuilt(request, reply, file, { type: file.endsWith('.css') ? 'text/css' : 'text/javascript', cache: 'no-cache' })
    },
  )
}
