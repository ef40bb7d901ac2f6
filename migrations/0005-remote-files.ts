import type { Migration } from '../core/sdk/plugin.ts'

/** Files that a platform keeps for us, on their way. */
export const remoteFiles: Migration = {
  name: '0005-remote-files',
  mysql: [
    'create table `remote_fetch` (`message_id` varchar(26) not null, `conversation_id` varchar(26) not null, `inbox_id` varchar(26) not null, `attempts` int not null default 0, `due_at` datetime(3) not null, `created_at` datetime(3) not null, primary key (`message_id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
    'alter table `remote_fetch` add index `remote_fetch_due` (`due_at`)',
  ],
  sqlite: [
    'create table `remote_fetch` (`message_id` text not null primary key, `conversation_id` text not null, `inbox_id` text not null, `attempts` integer not null default 0, `due_at` datetime not null, `created_at` datetime not null)',
    'create index `remote_fetch_due` on `remote_fetch` (`due_at`)',
  ],
}
