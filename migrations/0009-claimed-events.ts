import type { Migration } from '../core/sdk/plugin.ts'

/** Who has taken an event to tell: two processes that claim within one millisecond can be told apart. */
export const claimedEvents: Migration = {
  name: '0009-claimed-events',
  mysql: ['alter table `event_delivery` add `holder` varchar(26) null'],
  sqlite: ['alter table `event_delivery` add `holder` text null'],
}
