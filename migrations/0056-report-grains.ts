import type { Migration } from '../core/sdk/plugin.ts'

const table = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'
const waits = (name: string) => Array.from({ length: 13 }, (_, i) => `${name}_${i}`)
const measures = [
  ...['opened', 'ended', 'received', 'sent', 'replied', 'reply_seconds', 'resolved', 'resolve_seconds', 'good', 'medium', 'bad'],
  ...waits('reply'),
  ...waits('resolve'),
]
/** Seconds add up to more than an int holds. */
const columns = (int: string, long: string) => measures.map((name) => `\`${name}\` ${name.endsWith('_seconds') ? long : int} not null default 0`).join(', ')

/**
 * Sums at several grains, and those by half hour anew with the rows of one slice side by side; they are counted again from
 * the conversations.
 */
export const reportGrains: Migration = {
  name: '0056-report-grains',
  mysql: [
    `create table \`report_sum\` (\`grain\` tinyint unsigned not null, \`at\` int not null, \`slice\` int unsigned not null, ${columns('int', 'bigint')}, primary key (\`grain\`, \`at\`, \`slice\`)) ${table}`,
    'drop table `report_slot`',
    `create table \`report_slot\` (\`slice\` int unsigned not null, \`at\` int not null, ${columns('int', 'bigint')}, primary key (\`slice\`, \`at\`), key \`report_slot_at\` (\`at\`, \`slice\`)) ${table}`,
    'delete from `report_fact`',
    'delete from `report_mark`',
  ],
  sqlite: [
    `create table \`report_sum\` (\`grain\` integer not null, \`at\` integer not null, \`slice\` integer not null, ${columns('integer', 'integer')}, primary key (\`grain\`, \`at\`, \`slice\`)) without rowid`,
    'drop table `report_slot`',
    `create table \`report_slot\` (\`slice\` integer not null, \`at\` integer not null, ${columns('integer', 'integer')}, primary key (\`slice\`, \`at\`)) without rowid`,
    'create index `report_slot_at` on `report_slot` (`at`, `slice`)',
    'delete from `report_fact`',
    'delete from `report_mark`',
  ],
}
