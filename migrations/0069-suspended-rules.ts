import type { Migration } from '../core/sdk/plugin.ts'

/** Which retention rules a change of the departments has switched off. */
export const suspendedRules: Migration = {
  name: '0069-suspended-rules',
  mysql: ['alter table `retention_rule` add `suspended_at` datetime(3) null'],
  sqlite: ['alter table `retention_rule` add column `suspended_at` datetime null'],
}
