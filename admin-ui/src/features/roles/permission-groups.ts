/** Permissions in the order people look for them: the daily work, the running of the hub, each plugin. */
import type { LocalText } from '../../../../core/sdk/channel.ts'
import type { Permission } from '../../../../core/sdk/wire/role.ts'

export interface PermissionGroup {
  /** `service`, `manage`, or a plugin's id. */
  key: string
  /** The plugin's own name; nothing for the hub's. */
  plugin: LocalText | null
  items: Permission[]
}

const service = new Set(['conversation', 'contact', 'visitor'])

export function permissionGroups(permissions: readonly Permission[]): PermissionGroup[] {
  const groups = new Map<string, PermissionGroup>()
  for (const permission of permissions) {
    const key = permission.plugin ?? (service.has(permission.name.split('.')[0] ?? '') ? 'service' : 'manage')
    const group = groups.get(key) ?? { key, plugin: permission.pluginLabel, items: [] }
    group.items.push(permission)
    groups.set(key, group)
  }
  return [...groups.values()]
}
