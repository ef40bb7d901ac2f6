import type { Migration } from '../core/sdk/plugin.ts'

/** Where somebody wrote from, sealed: whoever is blocked without a visit has an address, too. */
export const identityAddress: Migration = {
  name: '0059-identity-address',
  mysql: ["alter table `identity` add `address` varchar(327) not null default ''"],
  sqlite: ["alter table `identity` add column `address` text not null default ''"],
}
