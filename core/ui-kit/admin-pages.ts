/** The admin's pages and who may open them: one of the permissions is enough. Both apps lead there. */
import type { IconName } from './Icon.vue'

export const adminPages = [
  { name: 'overview', icon: 'chart', permissions: ['report.read'] },
  { name: 'inboxes', icon: 'chat', permissions: ['inbox.manage'] },
  { name: 'agents', icon: 'users', permissions: ['agent.manage'] },
  { name: 'departments', icon: 'sitemap', permissions: ['department.manage'] },
  { name: 'assignment', icon: 'route', permissions: ['assignment.manage'] },
  { name: 'roles', icon: 'shield', permissions: ['role.manage', 'role.preview'] },
  { name: 'records', icon: 'book', permissions: ['record.batch', 'record.restore'] },
  { name: 'recycle-bin', icon: 'trash', permissions: ['record.restore'] },
  { name: 'retention', icon: 'archive', permissions: ['retention.manage'] },
  { name: 'categories', icon: 'sitemap', permissions: ['category.manage'] },
  { name: 'tags', icon: 'tag', permissions: ['tag.manage'] },
  { name: 'plugins', icon: 'plug', permissions: ['plugin.manage'] },
  { name: 'tokens', icon: 'key', permissions: ['token.manage'] },
  { name: 'system', icon: 'gauge', permissions: ['system.read'] },
] as const satisfies readonly { name: string; icon: IconName; permissions: readonly string[] }[]
export type AdminPage = (typeof adminPages)[number]['name']

export const adminPagesFor = (can: (permission: string) => boolean) => adminPages.filter(({ permissions }) => permissions.some((permission) => can(permission)))
