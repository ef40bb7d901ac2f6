import type { Migration } from '../core/sdk/plugin.ts'

/** Of ten million messages it takes a few minutes; what lies in the recycle bin counts when it is restored. */
const fill = (insert: string, slot: string) =>
  `${insert} into \`report_talk\` (\`at\`, \`conversation_id\`) select distinct ${slot}, m.\`conversation_id\` from \`message\` m join \`conversation\` c on c.\`id\` = m.\`conversation_id\` where m.\`direction\` in ('in', 'out') and c.\`deleted_at\` is null`

/** What was closed from the start counted as opened and as resolved in no time: the reports' round counts it anew. */
const again = "update `report_fact` set `rev` = -1 where `conversation_id` in (select `id` from `conversation` where `close_reason` = 'quiet')"

/** In which half hours there were messages of a conversation: what is behind a bar of messages is found by it. */
export const reportTalk: Migration = {
  name: '0087-report-talk',
  mysql: [
    'create table `report_talk` (`at` int not null, `conversation_id` varchar(26) not null, primary key (`at`, `conversation_id`), key `report_talk_conversation` (`conversation_id`, `at`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
    fill('insert ignore', "(timestampdiff(second, '1970-01-01', m.`created_at`) div 1800)"),
    again,
  ],
  sqlite: [
    'create table `report_talk` (`at` integer not null, `conversation_id` text not null, primary key (`at`, `conversation_id`)) without rowid',
    'create index `report_talk_conversation` on `report_talk` (`conversation_id`, `at`)',
    fill('insert or ignore', '(m.`created_at` / 1800000)'),
    again,
  ],
}
