import type { Migration } from '../core/sdk/plugin.ts'

/** A session may see the hub as a role would. */
export const rolePreview: Migration = {
  name: '0011-role-preview',
  mysql: ['alter table `session` add column `preview_role_id` varchar(26) null, add column `preview_until` datetime(3) null'],
  sqlite: ['alter table `session` add column `preview_role_id` text null', 'alter table `session` add column `preview_until` datetime null'],
}
