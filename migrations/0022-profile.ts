import type { Migration } from '../core/sdk/plugin.ts'

/** What a channel last said of a person, so that it can be told from what an agent wrote. */
export const profile: Migration = {
  name: '0022-profile',
  mysql: ['alter table `identity` add `profile` mediumtext null'],
  sqlite: ['alter table `identity` add column `profile` text null'],
}
