import type { Migration } from '../core/sdk/plugin.ts'

/** By the setting of an inbox in which somebody claims the name; empty is the common one. */
const settings = { userId: 'userSubject', unionid: 'openPlatform' }
const filled = (within: (setting: string) => string): string[] =>
  Object.entries(settings).map(
    ([kind, setting]) =>
      `update \`contact_claim\` set \`subject\` = coalesce((select nullif(${within(`json_extract(\`inbox\`.\`settings\`, '$.${setting}')`)}, '') from \`identity_claim\` join \`identity\` on \`identity\`.\`id\` = \`identity_claim\`.\`identity_id\` join \`inbox\` on \`inbox\`.\`id\` = \`identity\`.\`inbox_id\` where \`identity_claim\`.\`kind\` = \`contact_claim\`.\`kind\` and \`identity_claim\`.\`value\` = \`contact_claim\`.\`value\` and \`identity_claim\`.\`verified\` = 1 limit 1), 'default') where \`kind\` = '${kind}'`,
  )

/** Of a name of which one person has one within a subject: that subject. */
export const nameSubject: Migration = {
  name: '0084-name-subject',
  mysql: [
    "alter table `contact_claim` add `subject` varchar(60) not null default ''",
    ...filled((setting) => `left(substring_index(trim(json_unquote(${setting})), ':', 1), 60)`),
  ],
  sqlite: [
    "alter table `contact_claim` add column `subject` text not null default ''",
    ...filled((setting) => `substr(trim(${setting}), 1, instr(trim(${setting}) || ':', ':') - 1)`),
  ],
}
