import type { Migration } from '../core/sdk/plugin.ts'

const table = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'

/** What a conversation is about, what came of it, whether it is archived or in the recycle bin; what a person keeps for the records' pages. */
export const records: Migration = {
  name: '0030-records',
  mysql: [
    'alter table `conversation` add `category_id` varchar(26) null, add `attachments` int not null default 0, add `first_reply_at` datetime(3) null, add `archived_at` datetime(3) null, add `deleted_at` datetime(3) null, add `deleted_by_id` varchar(26) null, add `purge_at` datetime(3) null',
    "create table `category` (`id` varchar(26) not null, `parent_id` varchar(26) not null default '', `name` varchar(60) not null, `position` int not null default 0, `retired_at` datetime(3) null, `created_at` datetime(3) not null, primary key (`id`)) " +
      table,
    'alter table `category` add unique `category_name_unique` (`parent_id`, `name`)',
    'create table `conversation_tag` (`conversation_id` varchar(26) not null, `tag_id` varchar(26) not null, `by_agent_id` varchar(26) null, `created_at` datetime(3) not null, primary key (`conversation_id`, `tag_id`)) ' +
      table,
    'alter table `conversation_tag` add index `conversation_tag_tag` (`tag_id`, `conversation_id`)',
    'create table `conversation_summary` (`conversation_id` varchar(26) not null, `answers` mediumtext not null, `updated_by_id` varchar(26) null, `updated_at` datetime(3) not null, primary key (`conversation_id`)) ' +
      table,
    'create table `record_view` (`id` varchar(26) not null, `agent_id` varchar(26) not null, `name` varchar(60) not null, `filter` mediumtext not null, `created_at` datetime(3) not null, primary key (`id`)) ' +
      table,
    'alter table `record_view` add unique `record_view_name_unique` (`agent_id`, `name`)',
    'create table `agent_preference` (`agent_id` varchar(26) not null, `name` varchar(60) not null, `value` mediumtext not null, `updated_at` datetime(3) not null, primary key (`agent_id`, `name`)) ' +
      table,
  ],
  sqlite: [
    'alter table `conversation` add column `category_id` text null',
    'alter table `conversation` add column `attachments` integer not null default 0',
    'alter table `conversation` add column `first_reply_at` datetime null',
    'alter table `conversation` add column `archived_at` datetime null',
    'alter table `conversation` add column `deleted_at` datetime null',
    'alter table `conversation` add column `deleted_by_id` text null',
    'alter table `conversation` add column `purge_at` datetime null',
    "create table `category` (`id` text not null primary key, `parent_id` text not null default '', `name` text not null, `position` integer not null default 0, `retired_at` datetime null, `created_at` datetime not null)",
    'create unique index `category_name_unique` on `category` (`parent_id`, `name`)',
    'create table `conversation_tag` (`conversation_id` text not null, `tag_id` text not null, `by_agent_id` text null, `created_at` datetime not null, primary key (`conversation_id`, `tag_id`))',
    'create index `conversation_tag_tag` on `conversation_tag` (`tag_id`, `conversation_id`)',
    'create table `conversation_summary` (`conversation_id` text not null primary key, `answers` text not null, `updated_by_id` text null, `updated_at` datetime not null)',
    'create table `record_view` (`id` text not null primary key, `agent_id` text not null, `name` text not null, `filter` text not null, `created_at` datetime not null)',
    'create unique index `record_view_name_unique` on `record_view` (`agent_id`, `name`)',
    'create table `agent_preference` (`agent_id` text not null, `name` text not null, `value` text not null, `updated_at` datetime not null, primary key (`agent_id`, `name`))',
  ],
}
