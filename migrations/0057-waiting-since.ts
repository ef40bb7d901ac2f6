import type { Migration } from '../core/sdk/plugin.ts'

/** Since when a customer waits: of those that go on, who wrote last is all that is known of before. */
export const waitingSince: Migration = {
  name: '0057-waiting-since',
  mysql: [
    'alter table `conversation` add `waiting_since` datetime(3) null',
    "update `conversation` set `waiting_since` = `last_customer_at` where `status` <> 'closed' and `preview_direction` = 'in'",
  ],
  sqlite: [
    'alter table `conversation` add column `waiting_since` datetime null',
    "update `conversation` set `waiting_since` = `last_customer_at` where `status` <> 'closed' and `preview_direction` = 'in'",
  ],
}
