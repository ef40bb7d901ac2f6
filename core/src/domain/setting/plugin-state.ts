/** Which plugins are on, and their settings, in the database: every process follows it. */
import type { Hub } from '../../hub.ts'
import type { StateStore } from '../../kernel/kernel.ts'
import { commitWithEvents } from '../conversation/change.ts'
import { PluginState } from './setting.entity.ts'

export function pluginStateStore(hub: Hub): StateStore {
  return {
    async load() {
      const rows = await hub.em().find(PluginState, {}, { disableIdentityMap: true })
      return new Map(rows.map(({ id, enabled, settings }) => [id, { enabled, settings }]))
    },
    async save(id, state, told = []) {
      const fields = Object.keys(state) as (keyof typeof state)[]
      await commitWithEvents(hub, async (em) => {
        await em.upsert(
          PluginState,
          { id, enabled: true, settings: {}, ...state, updatedAt: new Date() },
          { onConflictFields: ['id'], onConflictMergeFields: [...fields, 'updatedAt'] },
        )
        return told
      })
    },
  }
}
