import type { Migration } from '../core/sdk/plugin.ts'

/** MySQL's `text` ends at 64 KB, and a letter's words do not. SQLite's has no end. */
export const longText: Migration = {
  name: '0016-long-text',
  mysql: ['alter table `message` modify column `text` mediumtext not null'],
  sqlite: [],
}
