import type { Migration } from '../core/sdk/plugin.ts'

/** A message that a person sends again begins a new round: adapters tell it from a retry by that. An inbox remembers pushes that did not verify. */
export const roundsAndRefusedPushes: Migration = {
  name: '0077-rounds-and-refused-pushes',
  mysql: [
    'alter table `message` add `round` int not null default 1',
    'alter table `inbox_health` add `refused_pushes` int not null default 0, add `refused_since` datetime(3) null, add `refused_at` datetime(3) null',
  ],
  sqlite: [
    'alter table `message` add column `round` integer not null default 1',
    'alter table `inbox_health` add column `refused_pushes` integer not null default 0',
    'alter table `inbox_health` add column `refused_since` datetime null',
    'alter table `inbox_health` add column `refused_at` datetime null',
  ],
}
