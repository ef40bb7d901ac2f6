/** The plugin's tables. A released migration never changes. */
import type { Migration } from '@huike/core/sdk/plugin.ts'

const end = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'

export const migrations: readonly Migration[] = [
  {
    name: '0001-accounts',
    mysql: [
      `create table \`douyin_account\` (\`inbox_id\` varchar(26) not null, \`client_key\` varchar(64) not null, \`open_id\` varchar(190) not null, \`nickname\` varchar(120) not null default '', \`scope\` varchar(500) not null default '', \`access_token\` text not null, \`access_until\` datetime(3) not null, \`refresh_token\` text not null, \`refresh_until\` datetime(3) not null, \`renewals\` int not null default 0, \`revoked_at\` datetime(3) null, \`fault\` int not null default 0, \`authorised_at\` datetime(3) not null, primary key (\`inbox_id\`), unique \`douyin_account_open_id\` (\`client_key\`, \`open_id\`)) ${end}`,
      `create table \`douyin_app_token\` (\`client_key\` varchar(64) not null, \`token\` text not null, \`until\` datetime(3) not null, primary key (\`client_key\`)) ${end}`,
      `create table \`douyin_webhook\` (\`inbox_id\` varchar(26) not null, \`proven_at\` datetime(3) not null, primary key (\`inbox_id\`)) ${end}`,
      `create table \`douyin_peer\` (\`inbox_id\` varchar(26) not null, \`open_id\` varchar(190) not null, \`conversation_short_id\` text not null, \`reply_message_id\` text not null, \`reply_at\` datetime(3) not null, \`enter_message_id\` text not null, \`enter_at\` datetime(3) not null, \`enter_used\` int not null default 0, primary key (\`inbox_id\`, \`open_id\`)) ${end}`,
    ],
    sqlite: [
      "create table `douyin_account` (`inbox_id` text not null primary key, `client_key` text not null, `open_id` text not null, `nickname` text not null default '', `scope` text not null default '', `access_token` text not null, `access_until` datetime not null, `refresh_token` text not null, `refresh_until` datetime not null, `renewals` integer not null default 0, `revoked_at` datetime null, `fault` integer not null default 0, `authorised_at` datetime not null)",
      'create unique index `douyin_account_open_id` on `douyin_account` (`client_key`, `open_id`)',
      'create table `douyin_app_token` (`client_key` text not null primary key, `token` text not null, `until` datetime not null)',
      'create table `douyin_webhook` (`inbox_id` text not null primary key, `proven_at` datetime not null)',
      'create table `douyin_peer` (`inbox_id` text not null, `open_id` text not null, `conversation_short_id` text not null, `reply_message_id` text not null, `reply_at` datetime not null, `enter_message_id` text not null, `enter_at` datetime not null, `enter_used` integer not null default 0, primary key (`inbox_id`, `open_id`))',
    ],
  },
  {
    name: '0002-authorisation-news',
    mysql: [
      `create table \`douyin_authorisation_news\` (\`inbox_id\` varchar(26) not null, \`push_id\` varchar(130) not null, \`change\` varchar(20) not null, \`at\` datetime(3) not null, primary key (\`inbox_id\`, \`push_id\`), index \`douyin_authorisation_news_at\` (\`inbox_id\`, \`at\`)) ${end}`,
    ],
    sqlite: [
      'create table `douyin_authorisation_news` (`inbox_id` text not null, `push_id` text not null, `change` text not null, `at` datetime not null, primary key (`inbox_id`, `push_id`))',
      'create index `douyin_authorisation_news_at` on `douyin_authorisation_news` (`inbox_id`, `at`)',
    ],
  },
  {
    // What was proven before holds for the settings as they are, until a push says more.
    name: '0003-webhook-proof',
    mysql: ["alter table `douyin_webhook` add column `proof` varchar(43) not null default ''"],
    sqlite: ["alter table `douyin_webhook` add column `proof` text not null default ''"],
  },
]
