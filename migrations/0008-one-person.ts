import type { Migration } from '../core/sdk/plugin.ts'

/** One person in many channels: claims, suggestions, and what a merge moved. */
export const onePerson: Migration = {
  name: '0008-one-person',
  mysql: [
    'alter table `contact` add `merged_into_id` varchar(26) null',
    'create table `identity_claim` (`identity_id` varchar(26) not null, `kind` varchar(20) not null, `value` varchar(190) not null, `verified` tinyint(1) not null, `created_at` datetime(3) not null, primary key (`identity_id`, `kind`, `value`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
    'alter table `identity_claim` add index `identity_claim_value` (`kind`, `value`)',
    'create table `contact_claim` (`kind` varchar(20) not null, `value` varchar(190) not null, `contact_id` varchar(26) not null, `created_at` datetime(3) not null, primary key (`kind`, `value`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
    'alter table `contact_claim` add index `contact_claim_contact` (`contact_id`)',
    'create table `merge_suggestion` (`id` varchar(26) not null, `contact_id` varchar(26) not null, `other_id` varchar(26) not null, `evidence` mediumtext not null, `state` varchar(10) not null, `decided_by_id` varchar(26) null, `decided_at` datetime(3) null, `due_at` datetime(3) null, `created_at` datetime(3) not null, primary key (`id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
    'alter table `merge_suggestion` add index `merge_suggestion_other` (`other_id`)',
    'alter table `merge_suggestion` add index `merge_suggestion_due` (`due_at`)',
    'alter table `merge_suggestion` add unique `merge_suggestion_unique` (`contact_id`, `other_id`)',
    'create table `contact_move` (`id` varchar(26) not null, `kind` varchar(10) not null, `from_id` varchar(26) not null, `into_id` varchar(26) not null, `identity_ids` mediumtext not null, `given` mediumtext not null, `by_agent_id` varchar(26) null, `undone_by_id` varchar(26) null, `undone_at` datetime(3) null, `recheck_at` datetime(3) null, `created_at` datetime(3) not null, primary key (`id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
    'alter table `contact_move` add index `contact_move_into` (`into_id`, `created_at`)',
    'alter table `contact_move` add index `contact_move_from` (`from_id`, `created_at`)',
    'alter table `contact_move` add index `contact_move_recheck` (`recheck_at`)',
  ],
  sqlite: [
    'alter table `contact` add column `merged_into_id` text null',
    'create table `identity_claim` (`identity_id` text not null, `kind` text not null, `value` text not null, `verified` integer not null, `created_at` datetime not null, primary key (`identity_id`, `kind`, `value`))',
    'create index `identity_claim_value` on `identity_claim` (`kind`, `value`)',
    'create table `contact_claim` (`kind` text not null, `value` text not null, `contact_id` text not null, `created_at` datetime not null, primary key (`kind`, `value`))',
    'create index `contact_claim_contact` on `contact_claim` (`contact_id`)',
    'create table `merge_suggestion` (`id` text not null primary key, `contact_id` text not null, `other_id` text not null, `evidence` text not null, `state` text not null, `decided_by_id` text null, `decided_at` datetime null, `due_at` datetime null, `created_at` datetime not null)',
    'create index `merge_suggestion_other` on `merge_suggestion` (`other_id`)',
    'create index `merge_suggestion_due` on `merge_suggestion` (`due_at`)',
    'create unique index `merge_suggestion_unique` on `merge_suggestion` (`contact_id`, `other_id`)',
    'create table `contact_move` (`id` text not null primary key, `kind` text not null, `from_id` text not null, `into_id` text not null, `identity_ids` text not null, `given` text not null, `by_agent_id` text null, `undone_by_id` text null, `undone_at` datetime null, `recheck_at` datetime null, `created_at` datetime not null)',
    'create index `contact_move_into` on `contact_move` (`into_id`, `created_at`)',
    'create index `contact_move_from` on `contact_move` (`from_id`, `created_at`)',
    'create index `contact_move_recheck` on `contact_move` (`recheck_at`)',
  ],
}
