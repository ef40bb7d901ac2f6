import type { Migration } from '../core/sdk/plugin.ts'

const table = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'

/** How long records are kept, and what was done about it. */
export const retention: Migration = {
  name: '0045-retention',
  mysql: [
    `create table \`retention_rule\` (\`id\` varchar(26) not null, \`target\` varchar(80) not null, \`inbox_id\` varchar(26) null, \`department_id\` varchar(26) null, \`category_id\` varchar(26) null, \`days\` int null, \`file_days\` int null, \`on_at\` datetime(3) null, \`updated_at\` datetime(3) not null, \`created_at\` datetime(3) not null, primary key (\`id\`), unique key \`retention_rule_target_unique\` (\`target\`)) ${table}`,
    `create table \`retention_run\` (\`id\` varchar(26) not null, \`kind\` varchar(10) not null, \`rule_id\` varchar(26) null, \`state\` varchar(10) not null, \`open_kind\` varchar(40) null, \`rules\` mediumtext not null, \`tallies\` mediumtext not null, \`sample\` mediumtext not null, \`looked\` int not null default 0, \`place_at\` datetime(3) null, \`place_id\` varchar(26) null, \`started_by_id\` varchar(26) null, \`started_at\` datetime(3) not null, \`ended_at\` datetime(3) null, \`attempts\` int not null default 0, \`error\` varchar(500) not null default '', \`due_at\` datetime(3) null, primary key (\`id\`), unique key \`retention_run_open_unique\` (\`open_kind\`), key \`retention_run_due\` (\`due_at\`), key \`retention_run_kind\` (\`kind\`, \`id\`)) ${table}`,
  ],
  sqlite: [
    'create table `retention_rule` (`id` text not null primary key, `target` text not null, `inbox_id` text null, `department_id` text null, `category_id` text null, `days` integer null, `file_days` integer null, `on_at` datetime null, `updated_at` datetime not null, `created_at` datetime not null)',
    'create unique index `retention_rule_target_unique` on `retention_rule` (`target`)',
    "create table `retention_run` (`id` text not null primary key, `kind` text not null, `rule_id` text null, `state` text not null, `open_kind` text null, `rules` text not null, `tallies` text not null, `sample` text not null, `looked` integer not null default 0, `place_at` datetime null, `place_id` text null, `started_by_id` text null, `started_at` datetime not null, `ended_at` datetime null, `attempts` integer not null default 0, `error` text not null default '', `due_at` datetime null)",
    'create unique index `retention_run_open_unique` on `retention_run` (`open_kind`)',
    'create index `retention_run_due` on `retention_run` (`due_at`)',
    'create index `retention_run_kind` on `retention_run` (`kind`, `id`)',
  ],
}
