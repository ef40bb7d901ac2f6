import type { Migration } from '../core/sdk/plugin.ts'

const table = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'
const waits = (name: string) => Array.from({ length: 13 }, (_, i) => `${name}_${i}`)
const measures = [
  ...['opened', 'ended', 'received', 'sent', 'replied', 'reply_seconds', 'resolved', 'resolve_seconds', 'good', 'medium', 'bad'],
  ...waits('reply'),
  ...waits('resolve'),
]
/** Seconds of one half hour may add up to more than an int holds. */
const columns = (int: string, long: string) => measures.map((name) => `\`${name}\` ${name.endsWith('_seconds') ? long : int} not null default 0`).join(', ')

/** The sums of the reports, and what each conversation last added to them. */
export const reports: Migration = {
  name: '0048-reports',
  mysql: [
    `create table \`report_slice\` (\`id\` int unsigned not null auto_increment, \`name\` varchar(160) not null, \`inbox_id\` varchar(26) not null, \`channel\` varchar(40) not null, \`department_id\` varchar(26) null, \`assignee_id\` varchar(26) null, \`category_id\` varchar(26) null, primary key (\`id\`), unique key \`report_slice_name_unique\` (\`name\`)) ${table}`,
    `create table \`report_slot\` (\`slot\` int not null, \`slice\` int unsigned not null, ${columns('int', 'bigint')}, primary key (\`slot\`, \`slice\`), key \`report_slot_slice\` (\`slice\`, \`slot\`)) ${table}`,
    `create table \`report_fact\` (\`conversation_id\` varchar(26) not null, \`rev\` int not null, \`slice\` int unsigned not null, \`cells\` mediumtext not null, primary key (\`conversation_id\`)) ${table}`,
    `create table \`report_mark\` (\`name\` varchar(20) not null, \`value\` varchar(40) not null, primary key (\`name\`)) ${table}`,
  ],
  sqlite: [
    'create table `report_slice` (`id` integer not null primary key autoincrement, `name` text not null, `inbox_id` text not null, `channel` text not null, `department_id` text null, `assignee_id` text null, `category_id` text null)',
    'create unique index `report_slice_name_unique` on `report_slice` (`name`)',
    `create table \`report_slot\` (\`slot\` integer not null, \`slice\` integer not null, ${columns('integer', 'integer')}, primary key (\`slot\`, \`slice\`)) without rowid`,
    'create index `report_slot_slice` on `report_slot` (`slice`, `slot`)',
    'create table `report_fact` (`conversation_id` text not null primary key, `rev` integer not null, `slice` integer not null, `cells` text not null) without rowid',
    'create table `report_mark` (`name` text not null primary key, `value` text not null)',
  ],
}
