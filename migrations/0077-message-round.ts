import type { Migration } from '../core/sdk/plugin.ts'

/** A message that a person sends again begins a new round: adapters tell it from a retry by that. */
export const messageRound: Migration = {
  name: '0077-message-round',
  mysql: ['alter table `message` add `round` int not null default 1'],
  sqlite: ['alter table `message` add column `round` integer not null default 1'],
}
