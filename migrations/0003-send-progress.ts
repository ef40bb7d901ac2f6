import type { Migration } from '../core/sdk/plugin.ts'

/** A message may be several platform messages: their names, how many are through, and what an agent reads of a failure. */
export const sendProgress: Migration = {
  name: '0003-send-progress',
  mysql: [
    'alter table `message` add `failure_text` mediumtext null',
    'alter table `message` add `done` int not null default 0',
    'create table `message_name` (`inbox_id` varchar(26) not null, `external_id` varchar(190) not null, `message_id` varchar(26) not null, `failed_at` datetime(3) null, primary key (`inbox_id`, `external_id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
    'alter table `message_name` add index `message_name_message` (`message_id`)',
  ],
  sqlite: [
    'alter table `message` add column `failure_text` text null',
    'alter table `message` add column `done` integer not null default 0',
    'create table `message_name` (`inbox_id` text not null, `external_id` text not null, `message_id` text not null, `failed_at` datetime null, primary key (`inbox_id`, `external_id`))',
    'create index `message_name_message` on `message_name` (`message_id`)',
  ],
}
