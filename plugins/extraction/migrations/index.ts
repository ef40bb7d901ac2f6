/** The plugin's tables. A released migration never changes. */
import type { Migration } from '@huike/core/sdk/plugin.ts'

const end = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'

export const migrations: readonly Migration[] = [
  {
    name: '0001-extraction',
    mysql: [
      `create table \`extraction_fact\` (\`id\` varchar(32) not null, \`identity_id\` varchar(26) not null, \`contact_id\` varchar(26) not null, \`kind\` varchar(10) not null, \`normal\` varchar(190) not null, \`value\` varchar(300) not null, \`whose\` varchar(10) not null default '', \`rule\` varchar(40) not null, \`confidence\` int not null, \`state\` varchar(10) not null, \`settled\` tinyint(1) not null default false, \`tagged\` varchar(30) not null default '', \`before\` varchar(300) not null default '', \`decided_by_id\` varchar(26) null, \`decided_at\` datetime(3) null, \`created_at\` datetime(3) not null, primary key (\`id\`), index \`extraction_fact_contact\` (\`contact_id\`, \`created_at\`), index \`extraction_fact_identity\` (\`identity_id\`)) ${end}`,
      `create table \`extraction_mark\` (\`message_id\` varchar(26) not null, \`fact_id\` varchar(32) not null, \`part\` int unsigned not null, \`start_at\` int unsigned not null, \`end_at\` int not null, \`conversation_id\` varchar(26) not null, \`seq\` int not null, primary key (\`message_id\`, \`fact_id\`, \`part\`, \`start_at\`), index \`extraction_mark_conversation\` (\`conversation_id\`, \`fact_id\`), index \`extraction_mark_fact\` (\`fact_id\`)) ${end}`,
      `create table \`extraction_rule\` (\`id\` varchar(40) not null, \`enabled\` tinyint(1) not null default true, \`own\` tinyint(1) not null default false, \`kind\` varchar(10) not null default '', \`definition\` text not null, \`created_at\` datetime(3) not null, primary key (\`id\`)) ${end}`,
    ],
    sqlite: [
      "create table `extraction_fact` (`id` text not null primary key, `identity_id` text not null, `contact_id` text not null, `kind` text not null, `normal` text not null, `value` text not null, `whose` text not null default '', `rule` text not null, `confidence` integer not null, `state` text not null, `settled` integer not null default false, `tagged` text not null default '', `before` text not null default '', `decided_by_id` text null, `decided_at` datetime null, `created_at` datetime not null)",
      'create index `extraction_fact_contact` on `extraction_fact` (`contact_id`, `created_at`)',
      'create index `extraction_fact_identity` on `extraction_fact` (`identity_id`)',
      'create table `extraction_mark` (`message_id` text not null, `fact_id` text not null, `part` integer not null, `start_at` integer not null, `end_at` integer not null, `conversation_id` text not null, `seq` integer not null, primary key (`message_id`, `fact_id`, `part`, `start_at`))',
      'create index `extraction_mark_conversation` on `extraction_mark` (`conversation_id`, `fact_id`)',
      'create index `extraction_mark_fact` on `extraction_mark` (`fact_id`)',
      "create table `extraction_rule` (`id` text not null primary key, `enabled` integer not null default true, `own` integer not null default false, `kind` text not null default '', `definition` text not null, `created_at` datetime not null)",
    ],
  },
  {
    // What was found is sealed from now on, hence wider; what is there is sealed and gets its keyed id in the background.
    name: '0002-sealed',
    mysql: [
      "alter table `extraction_fact` modify `normal` varchar(1100) not null default '', modify `value` varchar(1687) not null default '', modify `before` varchar(1687) not null default '', add `keyed` tinyint(1) not null default false, add index `extraction_fact_keyed` (`keyed`)",
    ],
    sqlite: [
      'alter table `extraction_fact` rename to `extraction_fact_old`',
      'drop index `extraction_fact_contact`',
      'drop index `extraction_fact_identity`',
      "create table `extraction_fact` (`id` text not null primary key, `keyed` integer not null default false, `identity_id` text not null, `contact_id` text not null, `kind` text not null, `normal` text not null default '', `value` text not null default '', `whose` text not null default '', `rule` text not null, `confidence` integer not null, `state` text not null, `settled` integer not null default false, `tagged` text not null default '', `before` text not null default '', `decided_by_id` text null, `decided_at` datetime null, `created_at` datetime not null)",
      'insert into `extraction_fact` (`id`, `identity_id`, `contact_id`, `kind`, `normal`, `value`, `whose`, `rule`, `confidence`, `state`, `settled`, `tagged`, `before`, `decided_by_id`, `decided_at`, `created_at`) select `id`, `identity_id`, `contact_id`, `kind`, `normal`, `value`, `whose`, `rule`, `confidence`, `state`, `settled`, `tagged`, `before`, `decided_by_id`, `decided_at`, `created_at` from `extraction_fact_old`',
      'drop table `extraction_fact_old`',
      'create index `extraction_fact_contact` on `extraction_fact` (`contact_id`, `created_at`)',
      'create index `extraction_fact_identity` on `extraction_fact` (`identity_id`)',
      'create index `extraction_fact_keyed` on `extraction_fact` (`keyed`)',
    ],
  },
]
