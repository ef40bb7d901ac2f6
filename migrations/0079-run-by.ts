import type { Migration } from '../core/sdk/plugin.ts'

/** By whose hand, and from where, a retention run was begun. */
export const runBy: Migration = {
  name: '0079-run-by',
  mysql: ['alter table `retention_run` add `done_by` mediumtext null'],
  sqlite: ['alter table `retention_run` add column `done_by` text null'],
}
