import type { Migration } from '@huike/core/sdk/plugin.ts'

/** What was ordered and is not in a part: by its turn it could not be read any more. */
export const unwrittenRecords: Migration = {
  name: '0005-unwritten-records',
  mysql: ['alter table `export_part` add `unwritten` text null'],
  sqlite: ['alter table `export_part` add column `unwritten` text null'],
}
