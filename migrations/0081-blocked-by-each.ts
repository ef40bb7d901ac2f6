import type { Migration } from '../core/sdk/plugin.ts'

/** An address stays shut as long as anybody is blocked who came from it. */
export const blockedByEach: Migration = {
  name: '0081-blocked-by-each',
  mysql: ['alter table `blocked_address` drop primary key, add primary key (`inbox_id`, `address`, `identity_id`)'],
  sqlite: [
    'create table `blocked_address_each` (`inbox_id` text not null, `address` text not null, `identity_id` text not null, `created_at` datetime not null, primary key (`inbox_id`, `address`, `identity_id`))',
    'insert into `blocked_address_each` select `inbox_id`, `address`, `identity_id`, `created_at` from `blocked_address`',
    'drop table `blocked_address`',
    'alter table `blocked_address_each` rename to `blocked_address`',
    'create index `blocked_address_identity` on `blocked_address` (`identity_id`)',
  ],
}
