import type { Migration } from '../core/sdk/plugin.ts'

/** Where customers come from and what they did, in the words that their channel has for it. */
export const labelledFacts: Migration = {
  name: '0071-labelled-facts',
  mysql: ['alter table `identity` add `facts` mediumtext null', 'alter table `activity` add `details` mediumtext null'],
  sqlite: ['alter table `identity` add column `facts` text null', 'alter table `activity` add column `details` text null'],
}
