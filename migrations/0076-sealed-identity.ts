import type { Migration } from '../core/sdk/plugin.ts'

/** The name of a person on a channel whose names are personal: sealed beside its hash, which then stands in `external_id`. */
export const sealedIdentity: Migration = {
  name: '0076-sealed-identity',
  mysql: ["alter table `identity` add `sealed_id` varchar(1100) not null default ''"],
  sqlite: ["alter table `identity` add column `sealed_id` text not null default ''"],
}
