import type { Migration } from '../core/sdk/plugin.ts'

/** A message is found by its subject, its links' addresses and its places' coordinates, too: those that come from now on. */
export const messageBesides: Migration = {
  name: '0086-message-besides',
  mysql: ['alter table `message` add `besides` mediumtext null'],
  sqlite: ['alter table `message` add column `besides` text null'],
}
