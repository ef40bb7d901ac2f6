import type { Migration } from '../core/sdk/plugin.ts'

const columns =
  '(`id` varchar(26) not null, `inbox_id` varchar(26) not null, `external_id` varchar(190) not null, `identity_id` varchar(26) not null, `from_id` varchar(26) null, `conversation_ids` mediumtext not null, `recheck_at` datetime(3) null, `created_at` datetime(3) not null'

/** Names that somebody had on a channel before it was known who they are. */
export const formerName: Migration = {
  name: '0083-former-name',
  mysql: [
    `create table \`former_name\` ${columns}, primary key (\`id\`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    'alter table `former_name` add unique `former_name_unique` (`inbox_id`, `external_id`)',
    'alter table `former_name` add index `former_name_from` (`from_id`)',
    'alter table `former_name` add index `former_name_recheck` (`recheck_at`)',
  ],
  sqlite: [
    `create table \`former_name\` ${columns.replaceAll(/varchar\(\d+\)|mediumtext/g, 'text').replaceAll('datetime(3)', 'datetime')}, primary key (\`id\`))`,
    'create unique index `former_name_unique` on `former_name` (`inbox_id`, `external_id`)',
    'create index `former_name_from` on `former_name` (`from_id`)',
    'create index `former_name_recheck` on `former_name` (`recheck_at`)',
  ],
}
