import type { Migration } from '@huike/core/sdk/plugin.ts'

const end = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'

export const schedules: Migration = {
  name: '0002-schedules',
  mysql: [
    `create table \`export_schedule\` (\`id\` varchar(26) not null, \`agent_id\` varchar(26) not null, \`name\` varchar(60) not null, \`state\` varchar(10) not null, \`rule\` text not null, \`span\` varchar(10) not null, \`order\` text not null, \`share_with\` text not null, \`destination_id\` varchar(26) not null default '', \`next_at\` datetime(3) null, \`fault\` varchar(60) not null default '', \`created_at\` datetime(3) not null, \`updated_at\` datetime(3) not null, primary key (\`id\`), index \`export_schedule_agent\` (\`agent_id\`, \`id\`), index \`export_schedule_next\` (\`next_at\`), index \`export_schedule_destination\` (\`destination_id\`)) ${end}`,
    `create table \`export_run\` (\`schedule_id\` varchar(26) not null, \`due_at\` datetime(3) not null, \`export_id\` varchar(26) not null, \`at\` datetime(3) not null, primary key (\`schedule_id\`, \`due_at\`), unique \`export_run_export\` (\`export_id\`)) ${end}`,
    `create table \`export_destination\` (\`id\` varchar(26) not null, \`name\` varchar(60) not null, \`kind\` varchar(10) not null, \`place\` text not null, \`secret_key\` text not null, \`created_at\` datetime(3) not null, primary key (\`id\`), unique \`export_destination_name\` (\`name\`)) ${end}`,
    `create table \`export_delivery\` (\`export_id\` varchar(26) not null, \`destination_id\` varchar(26) not null, \`state\` varchar(10) not null, \`attempts\` int not null default 0, \`due_at\` datetime(3) null, \`holder\` varchar(26) null, \`fault\` varchar(60) not null default '', \`name\` varchar(250) not null default '', \`sent_at\` datetime(3) null, primary key (\`export_id\`), index \`export_delivery_due\` (\`due_at\`)) ${end}`,
    `create table \`export_blob\` (\`name\` varchar(40) not null, \`export_id\` varchar(26) not null, \`holder\` varchar(26) not null, \`created_at\` datetime(3) not null, primary key (\`name\`), index \`export_blob_created\` (\`created_at\`)) ${end}`,
  ],
  sqlite: [
    "create table `export_schedule` (`id` text not null primary key, `agent_id` text not null, `name` text not null, `state` text not null, `rule` text not null, `span` text not null, `order` text not null, `share_with` text not null, `destination_id` text not null default '', `next_at` datetime null, `fault` text not null default '', `created_at` datetime not null, `updated_at` datetime not null)",
    'create index `export_schedule_agent` on `export_schedule` (`agent_id`, `id`)',
    'create index `export_schedule_next` on `export_schedule` (`next_at`)',
    'create index `export_schedule_destination` on `export_schedule` (`destination_id`)',
    'create table `export_run` (`schedule_id` text not null, `due_at` datetime not null, `export_id` text not null, `at` datetime not null, primary key (`schedule_id`, `due_at`))',
    'create unique index `export_run_export` on `export_run` (`export_id`)',
    'create table `export_destination` (`id` text not null primary key, `name` text not null, `kind` text not null, `place` text not null, `secret_key` text not null, `created_at` datetime not null)',
    'create unique index `export_destination_name` on `export_destination` (`name`)',
    "create table `export_delivery` (`export_id` text not null primary key, `destination_id` text not null, `state` text not null, `attempts` integer not null default 0, `due_at` datetime null, `holder` text null, `fault` text not null default '', `name` text not null default '', `sent_at` datetime null)",
    'create index `export_delivery_due` on `export_delivery` (`due_at`)',
    'create table `export_blob` (`name` text not null primary key, `export_id` text not null, `holder` text not null, `created_at` datetime not null)',
    'create index `export_blob_created` on `export_blob` (`created_at`)',
  ],
}
