import type { Migration } from '@huike/core/sdk/plugin.ts'

/** Which personal data a file shows unmasked; null, of a file from before: perhaps all. */
export const shownFields: Migration = {
  name: '0004-shown-fields',
  mysql: ['alter table `export_file` add `shows` varchar(100) null'],
  sqlite: ['alter table `export_file` add column `shows` text null'],
}
