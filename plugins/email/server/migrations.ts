import type { Migration } from '@huike/core/sdk/plugin.ts'

const mysql = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'

/** Of conversations that are gone for good: as `forget-conversation.ts` does since. */
const forgotten = [
  'delete from `email_participant` where not exists (select 1 from `conversation` c where c.`id` = `email_participant`.`conversation_id`)',
  "update `email_letter` set `state` = 'purged', `message_id` = '', `external_id` = '', `hub_message_id` = null, `from_address` = '', `subject` = '', `references` = '', `raw_file_id` = null, `subject_key` = null, `reply_to` = null, `delivered` = null, `refused` = null where `conversation_id` is not null and not exists (select 1 from `conversation` c where c.`id` = `email_letter`.`conversation_id`)",
]

/** Of letters that are in a conversation already: what waits to be sent answers one of them. */
const placed =
  'update `email_letter` set `seq` = (select m.`seq` from `message` m where m.`id` = `email_letter`.`hub_message_id`) where `hub_message_id` is not null'

export const emailMigrations: readonly Migration[] = [
  {
    name: '0001-letters',
    mysql: [
      `create table \`email_letter\` (\`id\` varchar(43) not null, \`inbox_id\` varchar(26) not null, \`message_key\` varchar(43) not null, \`message_id\` varchar(1000) not null, \`external_id\` varchar(190) not null, \`direction\` varchar(3) not null, \`conversation_id\` varchar(26) null, \`hub_message_id\` varchar(26) null, \`from_address\` varchar(190) not null, \`subject\` varchar(500) not null, \`references\` text not null, \`raw_file_id\` varchar(26) null, \`state\` varchar(10) not null, \`at\` datetime(3) not null, primary key (\`id\`)) ${mysql}`,
      'alter table `email_letter` add index `email_letter_message`(`inbox_id`, `message_key`)',
      'alter table `email_letter` add index `email_letter_conversation`(`conversation_id`, `at`)',
      `create table \`email_participant\` (\`conversation_id\` varchar(26) not null, \`address\` varchar(190) not null, primary key (\`conversation_id\`, \`address\`)) ${mysql}`,
    ],
    sqlite: [
      'create table `email_letter` (`id` text not null primary key, `inbox_id` text not null, `message_key` text not null, `message_id` text not null, `external_id` text not null, `direction` text not null, `conversation_id` text null, `hub_message_id` text null, `from_address` text not null, `subject` text not null, `references` text not null, `raw_file_id` text null, `state` text not null, `at` datetime not null)',
      'create index `email_letter_message` on `email_letter` (`inbox_id`, `message_key`)',
      'create index `email_letter_conversation` on `email_letter` (`conversation_id`, `at`)',
      'create table `email_participant` (`conversation_id` text not null, `address` text not null, primary key (`conversation_id`, `address`))',
    ],
  },
  {
    name: '0002-mailboxes',
    mysql: [
      `create table \`email_progress\` (\`inbox_id\` varchar(26) not null, \`mailbox\` varchar(400) not null, \`uid_validity\` varchar(20) not null, \`last_uid\` bigint not null, \`resync_until\` bigint not null, \`since\` datetime(3) not null, \`attempts\` int not null, \`updated_at\` datetime(3) not null, primary key (\`inbox_id\`)) ${mysql}`,
      `create table \`email_token\` (\`inbox_id\` varchar(26) not null, \`account\` varchar(190) not null, \`access\` text not null, \`refresh\` text not null, \`expires_at\` datetime(3) not null, \`updated_at\` datetime(3) not null, primary key (\`inbox_id\`)) ${mysql}`,
    ],
    sqlite: [
      'create table `email_progress` (`inbox_id` text not null primary key, `mailbox` text not null, `uid_validity` text not null, `last_uid` bigint not null, `resync_until` bigint not null, `since` datetime not null, `attempts` integer not null, `updated_at` datetime not null)',
      'create table `email_token` (`inbox_id` text not null primary key, `account` text not null, `access` text not null, `refresh` text not null, `expires_at` datetime not null, `updated_at` datetime not null)',
    ],
  },
  {
    name: '0003-subjects-and-recipients',
    mysql: [
      'alter table `email_letter` add column `subject_key` varchar(43) null, add column `reply_to` varchar(1000) null, add column `delivered` text null, add column `refused` text null',
      'alter table `email_letter` add index `email_letter_subject`(`inbox_id`, `subject_key`, `at`)',
      'alter table `email_letter` add index `email_letter_from`(`inbox_id`, `from_address`)',
    ],
    sqlite: [
      'alter table `email_letter` add column `subject_key` text null',
      'alter table `email_letter` add column `reply_to` text null',
      'alter table `email_letter` add column `delivered` text null',
      'alter table `email_letter` add column `refused` text null',
      'create index `email_letter_subject` on `email_letter` (`inbox_id`, `subject_key`, `at`)',
      'create index `email_letter_from` on `email_letter` (`inbox_id`, `from_address`)',
    ],
  },
  {
    name: '0004-letters-by-time',
    mysql: ['alter table `email_letter` add index `email_letter_at`(`inbox_id`, `direction`, `at`)'],
    sqlite: ['create index `email_letter_at` on `email_letter` (`inbox_id`, `direction`, `at`)'],
  },
  {
    name: '0005-rounds',
    mysql: ['alter table `email_letter` add column `round` int not null default 1'],
    sqlite: ['alter table `email_letter` add column `round` integer not null default 1'],
  },
  {
    name: '0006-forgotten-letters',
    mysql: forgotten,
    sqlite: forgotten,
  },
  {
    name: '0007-ids-of-relays',
    mysql: [
      'alter table `email_letter` add column `relay_key` varchar(43) null',
      'alter table `email_letter` add index `email_letter_relay`(`inbox_id`, `relay_key`)',
    ],
    sqlite: ['alter table `email_letter` add column `relay_key` text null', 'create index `email_letter_relay` on `email_letter` (`inbox_id`, `relay_key`)'],
  },
  {
    name: '0008-places',
    mysql: [
      'alter table `email_letter` add column `seq` int null, drop index `email_letter_conversation`, add index `email_letter_conversation`(`conversation_id`, `seq`)',
      placed,
    ],
    sqlite: [
      'alter table `email_letter` add column `seq` integer null',
      'drop index `email_letter_conversation`',
      'create index `email_letter_conversation` on `email_letter` (`conversation_id`, `seq`)',
      placed,
    ],
  },
  {
    name: '0009-heads',
    mysql: ['alter table `email_letter` add column `head_key` varchar(43) null'],
    sqlite: ['alter table `email_letter` add column `head_key` text null'],
  },
  {
    name: '0010-read-until',
    mysql: ['alter table `email_progress` add column `read_at` datetime(3) null'],
    sqlite: ['alter table `email_progress` add column `read_at` datetime null'],
  },
]
