import type { Migration } from '../core/sdk/plugin.ts'

/** Who did what is told, and from where. */
export const doneBy: Migration = {
  name: '0035-done-by',
  mysql: ['alter table `event_delivery` add `done_by` mediumtext null'],
  sqlite: ['alter table `event_delivery` add column `done_by` text null'],
}
