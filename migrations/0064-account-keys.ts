import type { Migration } from '../core/sdk/plugin.ts'

/**
 * WeChat and QQ accounts are found as a whole, like telephone numbers (0044). Their sealed texts have begun with the keyed
 * hash since they are sealed, so the database computes the columns for the rows there are; it reads them once for the index.
 */
const columns = ['wechat', 'qq'] as const

export const accountKeys: Migration = {
  name: '0064-account-keys',
  mysql: columns.flatMap((column) => [
    `alter table \`contact\` add column \`${column}_key\` varchar(35) generated always as (left(\`${column}\`, 35)) virtual`,
    `alter table \`contact\` add index \`contact_${column}_key\` (\`${column}_key\`)`,
  ]),
  sqlite: columns.flatMap((column) => [
    `alter table \`contact\` add column \`${column}_key\` text generated always as (substr(\`${column}\`, 1, 35)) virtual`,
    `create index \`contact_${column}_key\` on \`contact\` (\`${column}_key\`)`,
  ]),
}
