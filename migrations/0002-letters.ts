import type { Migration } from '../core/sdk/plugin.ts'

/** A message can be a letter: its headers. */
export const letters: Migration = {
  name: '0002-letters',
  mysql: ['alter table `message` add `meta` mediumtext null'],
  sqlite: ['alter table `message` add column `meta` text null'],
}
