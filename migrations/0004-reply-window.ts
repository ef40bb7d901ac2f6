import type { Migration } from '../core/sdk/plugin.ts'

/** What may be sent where a platform lets us write only as an answer. */
export const replyWindow: Migration = {
  name: '0004-reply-window',
  mysql: [
    'alter table `message` add `grant_name` varchar(60) null',
    'alter table `conversation` add `grants` mediumtext null',
    'alter table `identity` add `grants` mediumtext null',
  ],
  sqlite: [
    'alter table `message` add column `grant_name` text null',
    'alter table `conversation` add column `grants` text null',
    'alter table `identity` add column `grants` text null',
  ],
}
