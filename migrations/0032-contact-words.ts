import type { Migration } from '../core/sdk/plugin.ts'

const columns = ['nickname', 'name', 'phone', 'email']

/** Contacts by the beginning of a name, by a whole number or address. */
export const contactWords: Migration = {
  name: '0032-contact-words',
  mysql: [`alter table \`contact\` ${columns.map((column) => `add index \`contact_${column}\` (\`${column}\`)`).join(', ')}`],
  sqlite: columns.map((column) => `create index \`contact_${column}\` on \`contact\` (\`${column}\`)`),
}
