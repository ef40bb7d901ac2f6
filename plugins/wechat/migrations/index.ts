import type { Migration } from '@huike/core/sdk/plugin.ts'

const mysqlEnd = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'

/** One intent each, never changed once released. */
export const migrations: readonly Migration[] = [
  {
    name: '0001-token',
    mysql: [
      `create table \`wechat_token\` (\`id\` varchar(64) not null, \`sealed\` text not null, \`expires_at\` datetime(3) not null, \`forced_at\` datetime(3) null, \`forced_count\` int not null, primary key (\`id\`)) ${mysqlEnd}`,
    ],
    sqlite: [
      'create table `wechat_token` (`id` text not null primary key, `sealed` text not null, `expires_at` datetime not null, `forced_at` datetime null, `forced_count` integer not null)',
    ],
  },
  {
    name: '0002-person',
    mysql: [
      `create table \`wechat_person\` (\`inbox_id\` varchar(26) not null, \`openid\` varchar(128) not null, \`asked_at\` datetime(3) not null, primary key (\`inbox_id\`, \`openid\`)) ${mysqlEnd}`,
    ],
    sqlite: [
      'create table `wechat_person` (`inbox_id` text not null, `openid` text not null, `asked_at` datetime not null, primary key (`inbox_id`, `openid`))',
    ],
  },
  {
    // Where a profile was asked for, a push had come before.
    name: '0003-webhook',
    mysql: [
      `create table \`wechat_webhook\` (\`inbox_id\` varchar(26) not null, \`proven_at\` datetime(3) not null, primary key (\`inbox_id\`)) ${mysqlEnd}`,
      'insert into `wechat_webhook` (`inbox_id`, `proven_at`) select `inbox_id`, min(`asked_at`) from `wechat_person` group by `inbox_id`',
    ],
    sqlite: [
      'create table `wechat_webhook` (`inbox_id` text not null primary key, `proven_at` datetime not null)',
      'insert into `wechat_webhook` (`inbox_id`, `proven_at`) select `inbox_id`, min(`asked_at`) from `wechat_person` group by `inbox_id`',
    ],
  },
  {
    // What was proven before holds for the settings as they are, until a push says more.
    name: '0004-webhook-proof',
    mysql: ["alter table `wechat_webhook` add column `proof` varchar(43) not null default ''"],
    sqlite: ["alter table `wechat_webhook` add column `proof` text not null default ''"],
  },
]
