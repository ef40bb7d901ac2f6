import type { Migration } from '../core/sdk/plugin.ts'

/** Who wrote a message in a conversation that is somebody else's (a colleague in copy). Of those of before it is not known. */
export const messageWriter: Migration = {
  name: '0089-message-writer',
  mysql: ['alter table `message` add `writer_id` varchar(26) null'],
  sqlite: ['alter table `message` add column `writer_id` text null'],
}
