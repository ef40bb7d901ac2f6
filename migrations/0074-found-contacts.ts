import type { Migration } from '../core/sdk/plugin.ts'

/** Contacts are found by their remark, and by their address as a whole (by how its sealed text begins, as in 0044). */
export const foundContacts: Migration = {
  name: '0074-found-contacts',
  mysql: [
    'alter table `contact` add column `address_key` varchar(35) generated always as (left(`address`, 35)) virtual',
    'alter table `contact` add index `contact_address_key` (`address_key`)',
    'alter table `contact` add index `contact_remark` (`remark`)',
  ],
  sqlite: [
    'alter table `contact` add column `address_key` text generated always as (substr(`address`, 1, 35)) virtual',
    'create index `contact_address_key` on `contact` (`address_key`)',
    'create index `contact_remark` on `contact` (`remark`)',
  ],
}
