/** The plugin's tables. A released migration never changes. */
import type { Migration } from '@huike/core/sdk/plugin.ts'

const end = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'

export const migrations: readonly Migration[] = [
  {
    name: '0001-app',
    mysql: [
      `create table \`app_taken\` (\`inbox_id\` varchar(26) not null, \`webhook_id\` varchar(150) not null, \`body_hash\` varchar(64) not null, \`answer\` text not null, \`created_at\` datetime(3) not null, primary key (\`inbox_id\`, \`webhook_id\`), index \`app_taken_created\` (\`created_at\`)) ${end}`,
      `create table \`app_upload\` (\`id\` varchar(32) not null, \`inbox_id\` varchar(26) not null, \`part\` text not null, \`sha256\` varchar(64) not null, \`created_at\` datetime(3) not null, primary key (\`id\`), index \`app_upload_created\` (\`created_at\`)) ${end}`,
      `create table \`app_thread\` (\`conversation_id\` varchar(26) not null, \`inbox_id\` varchar(26) not null, \`external_id\` varchar(190) not null, \`customer_id\` varchar(190) not null, primary key (\`conversation_id\`)) ${end}`,
      `create table \`app_endpoint\` (\`inbox_id\` varchar(26) not null, \`gone_url\` varchar(500) not null default '', \`failing\` tinyint(1) not null default false, \`secret_used_at\` datetime(3) null, \`old_secret_used_at\` datetime(3) null, primary key (\`inbox_id\`)) ${end}`,
      `create table \`app_delivery\` (\`id\` varchar(32) not null, \`inbox_id\` varchar(26) not null, \`webhook_id\` varchar(150) not null, \`type\` varchar(60) not null, \`attempt\` int not null, \`status\` int not null, \`ms\` int not null, \`response\` varchar(300) not null, \`created_at\` datetime(3) not null, primary key (\`id\`), index \`app_delivery_inbox\` (\`inbox_id\`, \`id\`)) ${end}`,
    ],
    sqlite: [
      'create table `app_taken` (`inbox_id` text not null, `webhook_id` text not null, `body_hash` text not null, `answer` text not null, `created_at` datetime not null, primary key (`inbox_id`, `webhook_id`))',
      'create index `app_taken_created` on `app_taken` (`created_at`)',
      'create table `app_upload` (`id` text not null primary key, `inbox_id` text not null, `part` text not null, `sha256` text not null, `created_at` datetime not null)',
      'create index `app_upload_created` on `app_upload` (`created_at`)',
      'create table `app_thread` (`conversation_id` text not null primary key, `inbox_id` text not null, `external_id` text not null, `customer_id` text not null)',
      "create table `app_endpoint` (`inbox_id` text not null primary key, `gone_url` text not null default '', `failing` integer not null default false, `secret_used_at` datetime null, `old_secret_used_at` datetime null)",
      'create table `app_delivery` (`id` text not null primary key, `inbox_id` text not null, `webhook_id` text not null, `type` text not null, `attempt` integer not null, `status` integer not null, `ms` integer not null, `response` text not null, `created_at` datetime not null)',
      'create index `app_delivery_inbox` on `app_delivery` (`inbox_id`, `id`)',
    ],
  },
  {
    name: '0002-undelivered',
    mysql: [
      `create table \`app_undelivered\` (\`inbox_id\` varchar(26) not null, \`webhook_id\` varchar(150) not null, \`type\` varchar(60) not null, \`body\` text not null, \`created_at\` datetime(3) not null, primary key (\`inbox_id\`, \`webhook_id\`), index \`app_undelivered_inbox\` (\`inbox_id\`, \`created_at\`), index \`app_undelivered_created\` (\`created_at\`)) ${end}`,
      'alter table `app_delivery` add index `app_delivery_webhook` (`inbox_id`, `webhook_id`)',
    ],
    sqlite: [
      'create table `app_undelivered` (`inbox_id` text not null, `webhook_id` text not null, `type` text not null, `body` text not null, `created_at` datetime not null, primary key (`inbox_id`, `webhook_id`))',
      'create index `app_undelivered_inbox` on `app_undelivered` (`inbox_id`, `created_at`)',
      'create index `app_undelivered_created` on `app_undelivered` (`created_at`)',
      'create index `app_delivery_webhook` on `app_delivery` (`inbox_id`, `webhook_id`)',
    ],
  },
  {
    name: '0003-endpoint-off',
    mysql: [
      "alter table `app_endpoint` add column `off_why` varchar(10) not null default '', add column `failing_url` varchar(500) not null default '', add column `failing_since` datetime(3) null, add column `failed_at` datetime(3) null, add column `sandbox_secret_used_at` datetime(3) null",
    ],
    sqlite: [
      "alter table `app_endpoint` add column `off_why` text not null default ''",
      "alter table `app_endpoint` add column `failing_url` text not null default ''",
      'alter table `app_endpoint` add column `failing_since` datetime null',
      'alter table `app_endpoint` add column `failed_at` datetime null',
      'alter table `app_endpoint` add column `sandbox_secret_used_at` datetime null',
    ],
  },
  {
    name: '0004-outbox',
    mysql: [
      `create table \`app_stream\` (\`conversation_id\` varchar(26) not null, \`last_seq\` int not null, primary key (\`conversation_id\`)) ${end}`,
      `create table \`app_outbox\` (\`inbox_id\` varchar(26) not null, \`webhook_id\` varchar(150) not null, \`conversation_id\` varchar(26) not null, \`seq\` int not null, \`type\` varchar(60) not null, \`body\` text not null, \`state\` varchar(10) not null, \`attempts\` int not null default 0, \`failure\` varchar(300) not null default '', \`due_at\` datetime(3) null, \`held_until\` datetime(3) null, \`created_at\` datetime(3) not null, primary key (\`inbox_id\`, \`webhook_id\`), index \`app_outbox_conversation\` (\`conversation_id\`, \`state\`, \`seq\`), index \`app_outbox_due\` (\`state\`, \`due_at\`), index \`app_outbox_inbox\` (\`inbox_id\`, \`state\`, \`created_at\`), index \`app_outbox_created\` (\`created_at\`)) ${end}`,
    ],
    sqlite: [
      'create table `app_stream` (`conversation_id` text not null primary key, `last_seq` integer not null)',
      "create table `app_outbox` (`inbox_id` text not null, `webhook_id` text not null, `conversation_id` text not null, `seq` integer not null, `type` text not null, `body` text not null, `state` text not null, `attempts` integer not null default 0, `failure` text not null default '', `due_at` datetime null, `held_until` datetime null, `created_at` datetime not null, primary key (`inbox_id`, `webhook_id`))",
      'create index `app_outbox_conversation` on `app_outbox` (`conversation_id`, `state`, `seq`)',
      'create index `app_outbox_due` on `app_outbox` (`state`, `due_at`)',
      'create index `app_outbox_inbox` on `app_outbox` (`inbox_id`, `state`, `created_at`)',
      'create index `app_outbox_created` on `app_outbox` (`created_at`)',
    ],
  },
  {
    name: '0005-undelivered-in-outbox',
    mysql: [
      "insert ignore into `app_outbox` (`inbox_id`, `webhook_id`, `conversation_id`, `seq`, `type`, `body`, `state`, `created_at`) select `inbox_id`, `webhook_id`, '', 0, `type`, `body`, 'given-up', `created_at` from `app_undelivered`",
    ],
    sqlite: [
      "insert or ignore into `app_outbox` (`inbox_id`, `webhook_id`, `conversation_id`, `seq`, `type`, `body`, `state`, `created_at`) select `inbox_id`, `webhook_id`, '', 0, `type`, `body`, 'given-up', `created_at` from `app_undelivered`",
    ],
  },
  { name: '0006-no-undelivered', mysql: ['drop table `app_undelivered`'], sqlite: ['drop table `app_undelivered`'] },
  {
    name: '0007-rounds',
    mysql: ['alter table `app_outbox` add column `round` int not null default 1'],
    sqlite: ['alter table `app_outbox` add column `round` integer not null default 1'],
  },
  {
    name: '0008-fetched-outbox',
    mysql: [
      `create table \`app_fetch\` (\`inbox_id\` varchar(26) not null, \`last_pos\` int not null default 0, \`handed_pos\` int not null default 0, \`fetched_at\` datetime(3) null, \`silent\` tinyint(1) not null default false, primary key (\`inbox_id\`)) ${end}`,
      `create table \`app_key\` (\`id\` varchar(26) not null, \`inbox_id\` varchar(26) not null, \`hash\` varchar(64) not null, \`hint\` varchar(4) not null, \`created_at\` datetime(3) not null, \`used_at\` datetime(3) null, primary key (\`id\`), index \`app_key_inbox\` (\`inbox_id\`)) ${end}`,
      'alter table `app_outbox` modify `body` mediumtext not null, add column `pos` int null, add index `app_outbox_pos` (`inbox_id`, `state`, `pos`)',
    ],
    sqlite: [
      'create table `app_fetch` (`inbox_id` text not null primary key, `last_pos` integer not null default 0, `handed_pos` integer not null default 0, `fetched_at` datetime null, `silent` integer not null default false)',
      'create table `app_key` (`id` text not null primary key, `inbox_id` text not null, `hash` text not null, `hint` text not null, `created_at` datetime not null, `used_at` datetime null)',
      'create index `app_key_inbox` on `app_key` (`inbox_id`)',
      'alter table `app_outbox` add column `pos` integer null',
      'create index `app_outbox_pos` on `app_outbox` (`inbox_id`, `state`, `pos`)',
    ],
  },
  {
    name: '0009-callers',
    mysql: [
      `create table \`app_caller\` (\`inbox_id\` varchar(26) not null, \`call_hash\` varchar(64) not null, \`sender\` text not null, \`named\` tinyint(1) not null, \`created_at\` datetime(3) not null, primary key (\`inbox_id\`, \`call_hash\`), index \`app_caller_created\` (\`created_at\`)) ${end}`,
    ],
    sqlite: [
      'create table `app_caller` (`inbox_id` text not null, `call_hash` text not null, `sender` text not null, `named` integer not null, `created_at` datetime not null, primary key (`inbox_id`, `call_hash`))',
      'create index `app_caller_created` on `app_caller` (`created_at`)',
    ],
  },
]
