import type { Migration } from '../core/sdk/plugin.ts'

/** Retention walks conversations in the order in which they ended. */
export const conversationEnded: Migration = {
  name: '0046-conversation-ended',
  mysql: ['alter table `conversation` add index `conversation_closed` (`closed_at`, `id`)'],
  sqlite: ['create index `conversation_closed` on `conversation` (`closed_at`, `id`)'],
}
