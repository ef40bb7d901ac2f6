import type { Migration } from '../core/sdk/plugin.ts'

const table = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'

/** The index of words: blocks of messages, and which of them hold which pair of characters. */
export const searchIndex: Migration = {
  name: '0033-search-index',
  mysql: [
    `create table \`search_block\` (\`id\` int not null, \`state\` varchar(10) not null, \`after_id\` varchar(26) not null, \`last_id\` varchar(26) not null, \`size\` int not null, \`messages\` int not null, \`text_length\` int not null, \`due_at\` datetime(3) null, \`created_at\` datetime(3) not null, primary key (\`id\`)) ${table}`,
    'alter table `search_block` add index `search_block_due` (`state`, `due_at`)',
    `create table \`search_posting\` (\`block\` int not null, \`gram\` bigint not null, \`hits\` mediumblob not null, primary key (\`block\`, \`gram\`)) ${table}`,
  ],
  sqlite: [
    'create table `search_block` (`id` integer not null primary key, `state` text not null, `after_id` text not null, `last_id` text not null, `size` integer not null, `messages` integer not null, `text_length` integer not null, `due_at` datetime null, `created_at` datetime not null)',
    'create index `search_block_due` on `search_block` (`state`, `due_at`)',
    'create table `search_posting` (`block` integer not null, `gram` integer not null, `hits` blob not null, primary key (`block`, `gram`)) without rowid',
  ],
}
