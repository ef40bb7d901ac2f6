import type { Migration } from '../core/sdk/plugin.ts'

/** Work on many records at once, and the index by which the recycle bin is emptied. */
export const recordBatch: Migration = {
  name: '0036-record-batch',
  mysql: [
    'create table `record_batch` (`id` varchar(26) not null, `agent_id` varchar(26) not null, `input` mediumtext not null, `done_by` mediumtext null, `state` varchar(10) not null, `done` int not null default 0, `skipped` int not null default 0, `due_at` datetime(3) null, `created_at` datetime(3) not null, primary key (`id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
    'alter table `record_batch` add index `record_batch_due` (`due_at`)',
    'alter table `conversation` add index `conversation_purge` (`purge_at`)',
  ],
  sqlite: [
    'create table `record_batch` (`id` text not null primary key, `agent_id` text not null, `input` text not null, `done_by` text null, `state` text not null, `done` integer not null default 0, `skipped` integer not null default 0, `due_at` datetime null, `created_at` datetime not null)',
    'create index `record_batch_due` on `record_batch` (`due_at`)',
    'create index `conversation_purge` on `conversation` (`purge_at`)',
  ],
}
