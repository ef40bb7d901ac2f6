import type { Migration } from '../core/sdk/plugin.ts'

/** Which message carries a file: its reader is asked by that one, not by all of the conversation. Files of before are looked for. */
export const fileMessage: Migration = {
  name: '0080-file-message',
  mysql: ['alter table `file` add `message_id` varchar(26) null'],
  sqlite: ['alter table `file` add column `message_id` text null'],
}
