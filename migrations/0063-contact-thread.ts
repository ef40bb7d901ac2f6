import type { Migration } from '../core/sdk/plugin.ts'

/** A contact's conversations in the order in which they began: what the merged thread walks. */
export const contactThread: Migration = {
  name: '0063-contact-thread',
  mysql: ['alter table `conversation` add index `conversation_contact_begun` (`contact_id`, `created_at`, `id`)'],
  sqlite: ['create index `conversation_contact_begun` on `conversation` (`contact_id`, `created_at`, `id`)'],
}
