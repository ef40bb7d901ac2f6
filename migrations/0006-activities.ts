import type { Migration } from '../core/sdk/plugin.ts'

/** What customers do that is no message. */
export const activities: Migration = {
  name: '0006-activities',
  mysql: [
    'create table `activity` (`id` varchar(26) not null, `inbox_id` varchar(26) not null, `external_id` varchar(190) not null, `contact_id` varchar(26) not null, `identity_id` varchar(26) not null, `name` varchar(60) not null, `label` mediumtext not null, `params` mediumtext not null, `at` datetime(3) not null, `created_at` datetime(3) not null, primary key (`id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
    'alter table `activity` add index `activity_contact` (`contact_id`, `at`, `id`)',
    'alter table `activity` add index `activity_identity` (`identity_id`)',
    'alter table `activity` add unique `activity_external_unique` (`inbox_id`, `external_id`)',
  ],
  sqlite: [
    'create table `activity` (`id` text not null primary key, `inbox_id` text not null, `external_id` text not null, `contact_id` text not null, `identity_id` text not null, `name` text not null, `label` text not null, `params` text not null, `at` datetime not null, `created_at` datetime not null)',
    'create index `activity_contact` on `activity` (`contact_id`, `at`, `id`)',
    'create index `activity_identity` on `activity` (`identity_id`)',
    'create unique index `activity_external_unique` on `activity` (`inbox_id`, `external_id`)',
  ],
}
