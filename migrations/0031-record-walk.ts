import type { Migration } from '../core/sdk/plugin.ts'

const facets =
  '`status`, `inbox_id`, `channel`, `assignee_id`, `department_id`, `skill_group_id`, `category_id`, `rating`, `attachments`, `archived_at`, `deleted_at`, `contact_id`'
const walks = {
  conversation_record: `\`last_message_at\`, \`id\`, ${facets}`,
  conversation_record_created: `\`created_at\`, \`id\`, ${facets}`,
}
/** What a list of records may begin with where it leads to few. */
const leads = {
  conversation_inbox: '`inbox_id`, `id`',
  conversation_skill_group: '`skill_group_id`, `id`',
  conversation_category: '`category_id`, `id`',
  conversation_rating: '`rating`, `id`',
  conversation_archived: '`archived_at`, `id`',
  conversation_deleted: '`deleted_at`, `id`',
}
const indexes = Object.entries({ ...walks, ...leads })

/** The lists of records: along one time or the other, with all that conditions ask for beside it; or from a condition that is rare. */
export const recordWalk: Migration = {
  name: '0031-record-walk',
  mysql: [`alter table \`conversation\` ${indexes.map(([name, columns]) => `add index \`${name}\` (${columns})`).join(', ')}`],
  sqlite: indexes.map(([name, columns]) => `create index \`${name}\` on \`conversation\` (${columns})`),
}
