import type { Migration } from '../core/sdk/plugin.ts'

/**
 * What the quick jump looks a contact up by: nickname, remark, name, telephone number and address in small letters.
 * The database computes them, so that no way of writing a contact can forget them; no entity knows them.
 */
const keys = [
  ['nickname', 60],
  ['remark', 500],
  ['name', 60],
  ['phone', 40],
  ['email', 190],
] as const

export const contactKeys: Migration = {
  name: '0017-contact-keys',
  mysql: keys.flatMap(([column, length]) => [
    `alter table \`contact\` add column \`${column}_key\` varchar(${length}) generated always as (lower(\`${column}\`)) virtual`,
    `alter table \`contact\` add index \`contact_${column}_key\` (\`${column}_key\`)`,
  ]),
  sqlite: keys.flatMap(([column]) => [
    `alter table \`contact\` add column \`${column}_key\` text generated always as (lower(\`${column}\`)) virtual`,
    `create index \`contact_${column}_key\` on \`contact\` (\`${column}_key\`)`,
  ]),
}
