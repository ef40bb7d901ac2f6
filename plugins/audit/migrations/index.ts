/** The plugin's tables. A released migration never changes. */
import type { Migration } from '@huike/core/sdk/plugin.ts'

const end = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'

export const migrations: readonly Migration[] = [
  {
    name: '0001-audit',
    mysql: [
      `create table \`audit_entry\` (\`seq\` bigint not null, \`event_id\` varchar(60) not null, \`event\` varchar(60) not null, \`at\` datetime(3) not null, \`agent_id\` varchar(26) null, \`token_id\` varchar(26) null, \`ip\` varchar(60) not null, \`subject_kind\` varchar(20) not null, \`subject_id\` varchar(80) not null, \`count\` int null, \`reason\` varchar(200) not null, \`details\` text not null, \`previous\` varchar(43) not null, \`hash\` varchar(43) not null, primary key (\`seq\`), unique \`audit_entry_event\` (\`event_id\`), index \`audit_entry_at\` (\`at\`, \`seq\`), index \`audit_entry_agent\` (\`agent_id\`, \`at\`, \`seq\`), index \`audit_entry_deed\` (\`event\`, \`at\`, \`seq\`), index \`audit_entry_subject\` (\`subject_kind\`, \`subject_id\`, \`at\`, \`seq\`), index \`audit_entry_ip\` (\`ip\`, \`at\`, \`seq\`)) ${end}`,
      `create table \`audit_record_link\` (\`conversation_id\` varchar(26) not null, \`seq\` bigint not null, primary key (\`conversation_id\`, \`seq\`), index \`audit_record_link_seq\` (\`seq\`)) ${end}`,
      `create table \`audit_mark\` (\`name\` varchar(10) not null, \`seq\` bigint not null, \`hash\` varchar(43) not null, \`mac\` varchar(43) not null, \`at\` datetime(3) not null, primary key (\`name\`)) ${end}`,
      `create table \`audit_burst\` (\`rule\` varchar(20) not null, \`agent_id\` varchar(26) not null, \`last_at\` datetime(3) not null, primary key (\`rule\`, \`agent_id\`)) ${end}`,
    ],
    sqlite: [
      'create table `audit_entry` (`seq` bigint not null primary key, `event_id` text not null, `event` text not null, `at` datetime not null, `agent_id` text null, `token_id` text null, `ip` text not null, `subject_kind` text not null, `subject_id` text not null, `count` integer null, `reason` text not null, `details` text not null, `previous` text not null, `hash` text not null)',
      'create unique index `audit_entry_event` on `audit_entry` (`event_id`)',
      'create index `audit_entry_at` on `audit_entry` (`at`, `seq`)',
      'create index `audit_entry_agent` on `audit_entry` (`agent_id`, `at`, `seq`)',
      'create index `audit_entry_deed` on `audit_entry` (`event`, `at`, `seq`)',
      'create index `audit_entry_subject` on `audit_entry` (`subject_kind`, `subject_id`, `at`, `seq`)',
      'create index `audit_entry_ip` on `audit_entry` (`ip`, `at`, `seq`)',
      'create table `audit_record_link` (`conversation_id` text not null, `seq` bigint not null, primary key (`conversation_id`, `seq`))',
      'create index `audit_record_link_seq` on `audit_record_link` (`seq`)',
      'create table `audit_mark` (`name` text not null primary key, `seq` bigint not null, `hash` text not null, `mac` text not null, `at` datetime not null)',
      'create table `audit_burst` (`rule` text not null, `agent_id` text not null, `last_at` datetime not null, primary key (`rule`, `agent_id`))',
    ],
  },
]
