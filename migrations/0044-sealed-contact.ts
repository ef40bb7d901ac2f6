import type { Migration } from '../core/sdk/plugin.ts'

/**
 * Name, telephone number and address are stored sealed: wider, and found as a whole by how the sealed text begins
 * (its keyed hash) instead of by how the words begin. The database computes that beginning, so no way of writing forgets it.
 */
const columns = [
  ['name', 60],
  ['phone', 40],
  ['email', 190],
] as const
/** As `sealedLength` has it. */
const width = (characters: number): number => Math.ceil(((28 + characters * 4) * 4) / 3) + 49

export const sealedContact: Migration = {
  name: '0044-sealed-contact',
  mysql: columns.flatMap(([column, length]) => [
    `alter table \`contact\` drop index \`contact_${column}_key\`, drop index \`contact_${column}\`, drop column \`${column}_key\``,
    `alter table \`contact\` modify \`${column}\` varchar(${width(length)}) not null default ''`,
    `alter table \`contact\` add column \`${column}_key\` varchar(35) generated always as (left(\`${column}\`, 35)) virtual`,
    `alter table \`contact\` add index \`contact_${column}_key\` (\`${column}_key\`)`,
  ]),
  sqlite: columns.flatMap(([column]) => [
    `drop index \`contact_${column}_key\``,
    `drop index \`contact_${column}\``,
    `alter table \`contact\` drop column \`${column}_key\``,
    `alter table \`contact\` add column \`${column}_key\` text generated always as (substr(\`${column}\`, 1, 35)) virtual`,
    `create index \`contact_${column}_key\` on \`contact\` (\`${column}_key\`)`,
  ]),
}
