import type { Migration } from '../core/sdk/plugin.ts'

const table =
  'create table `conversation_agent` (`conversation_id` varchar(26) not null, `agent_id` varchar(26) not null, primary key (`conversation_id`, `agent_id`))'
/** Whoever has it now stands in the conversation itself. Each source is read once; of ten million messages that takes a few minutes. */
const fill = (insert: string) =>
  [
    ['assignment', 'from_agent_id', ''],
    ['assignment', 'to_agent_id', ''],
    ['message', 'author_id', " and s.`direction` = 'out'"],
  ].map(
    ([source, column, more]) =>
      `${insert} into \`conversation_agent\` (\`conversation_id\`, \`agent_id\`) select distinct s.\`conversation_id\`, s.\`${column}\` from \`${source}\` s join \`conversation\` c on c.\`id\` = s.\`conversation_id\` where s.\`${column}\` is not null${more} and (c.\`assignee_id\` is null or c.\`assignee_id\` <> s.\`${column}\`)`,
  )

/** Who served a conversation besides the one who has it now: records are found by everybody who did. */
export const conversationAgent: Migration = {
  name: '0075-conversation-agent',
  mysql: [
    `${table} default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    'alter table `conversation_agent` add index `conversation_agent_agent` (`agent_id`, `conversation_id`)',
    ...fill('insert ignore'),
  ],
  sqlite: [
    table.replaceAll('varchar(26)', 'text'),
    'create index `conversation_agent_agent` on `conversation_agent` (`agent_id`, `conversation_id`)',
    ...fill('insert or ignore'),
  ],
}
