/** The plugin's tables. A released migration never changes. */
import type { Migration } from '@huike/core/sdk/plugin.ts'
import { schedules } from './0002-schedules.ts'
import { schedulePassword } from './0003-schedule-password.ts'
import { shownFields } from './0004-shown-fields.ts'
import { unwrittenRecords } from './0005-unwritten-records.ts'
import { sealedOrders } from './0006-sealed-orders.ts'

const end = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'

export const migrations: readonly Migration[] = [
  {
    name: '0001-exports',
    mysql: [
      `create table \`export_file\` (\`id\` varchar(26) not null, \`agent_id\` varchar(26) not null, \`state\` varchar(10) not null, \`order\` text not null, \`password\` text not null, \`name\` varchar(200) not null default '', \`total\` int not null default 0, \`done\` int not null default 0, \`rows\` int not null default 0, \`bytes\` double not null default 0, \`ids_blob\` varchar(40) not null default '', \`blob\` varchar(40) not null default '', \`named\` text not null, \`attempts\` int not null default 0, \`fault\` varchar(60) not null default '', \`holder\` varchar(26) null, \`lease_until\` datetime(3) null, \`created_at\` datetime(3) not null, \`finished_at\` datetime(3) null, \`expires_at\` datetime(3) null, primary key (\`id\`), index \`export_file_agent\` (\`agent_id\`, \`id\`), index \`export_file_lease\` (\`lease_until\`), index \`export_file_expires\` (\`expires_at\`)) ${end}`,
      `create table \`export_part\` (\`export_id\` varchar(26) not null, \`n\` int unsigned not null, \`blob\` varchar(40) not null, \`records\` int not null, \`rows\` int not null, primary key (\`export_id\`, \`n\`)) ${end}`,
      `create table \`export_share\` (\`agent_id\` varchar(26) not null, \`export_id\` varchar(26) not null, primary key (\`agent_id\`, \`export_id\`), index \`export_share_export\` (\`export_id\`)) ${end}`,
      `create table \`export_download\` (\`id\` varchar(26) not null, \`export_id\` varchar(26) not null, \`agent_id\` varchar(26) not null, \`ip\` varchar(45) not null, \`at\` datetime(3) not null, primary key (\`id\`), index \`export_download_export\` (\`export_id\`, \`id\`)) ${end}`,
      `create table \`export_template\` (\`id\` varchar(26) not null, \`agent_id\` varchar(26) not null, \`name\` varchar(60) not null, \`choices\` text not null, \`created_at\` datetime(3) not null, primary key (\`id\`), unique \`export_template_name\` (\`agent_id\`, \`name\`)) ${end}`,
    ],
    sqlite: [
      "create table `export_file` (`id` text not null primary key, `agent_id` text not null, `state` text not null, `order` text not null, `password` text not null, `name` text not null default '', `total` integer not null default 0, `done` integer not null default 0, `rows` integer not null default 0, `bytes` double not null default 0, `ids_blob` text not null default '', `blob` text not null default '', `named` text not null, `attempts` integer not null default 0, `fault` text not null default '', `holder` text null, `lease_until` datetime null, `created_at` datetime not null, `finished_at` datetime null, `expires_at` datetime null)",
      'create index `export_file_agent` on `export_file` (`agent_id`, `id`)',
      'create index `export_file_lease` on `export_file` (`lease_until`)',
      'create index `export_file_expires` on `export_file` (`expires_at`)',
      'create table `export_part` (`export_id` text not null, `n` integer not null, `blob` text not null, `records` integer not null, `rows` integer not null, primary key (`export_id`, `n`))',
      'create table `export_share` (`agent_id` text not null, `export_id` text not null, primary key (`agent_id`, `export_id`))',
      'create index `export_share_export` on `export_share` (`export_id`)',
      'create table `export_download` (`id` text not null primary key, `export_id` text not null, `agent_id` text not null, `ip` text not null, `at` datetime not null)',
      'create index `export_download_export` on `export_download` (`export_id`, `id`)',
      'create table `export_template` (`id` text not null primary key, `agent_id` text not null, `name` text not null, `choices` text not null, `created_at` datetime not null)',
      'create unique index `export_template_name` on `export_template` (`agent_id`, `name`)',
    ],
  },
  schedules,
  schedulePassword,
  shownFields,
  unwrittenRecords,
  sealedOrders,
]
