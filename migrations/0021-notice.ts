import type { Migration } from '../core/sdk/plugin.ts'

/** What people ought to know, and who has read it. */
export const notice: Migration = {
  name: '0021-notice',
  mysql: [
    'create table `notice` (`id` varchar(26) not null, `audience` varchar(120) not null, `kind` varchar(100) not null, `open_key` varchar(330) null, `level` varchar(10) not null, `title` mediumtext not null, `body` mediumtext null, `link` varchar(300) null, `created_at` datetime(3) not null, `ended_at` datetime(3) null, primary key (`id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
    'alter table `notice` add index `notice_audience` (`audience`, `id`)',
    'alter table `notice` add index `notice_created` (`created_at`)',
    'alter table `notice` add unique `notice_open_unique` (`open_key`)',
    'create table `notice_read` (`agent_id` varchar(26) not null, `notice_id` varchar(26) not null, primary key (`agent_id`, `notice_id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
    'alter table `notice_read` add index `notice_read_notice` (`notice_id`)',
  ],
  sqlite: [
    'create table `notice` (`id` text not null primary key, `audience` text not null, `kind` text not null, `open_key` text null, `level` text not null, `title` text not null, `body` text null, `link` text null, `created_at` datetime not null, `ended_at` datetime null)',
    'create index `notice_audience` on `notice` (`audience`, `id`)',
    'create index `notice_created` on `notice` (`created_at`)',
    'create unique index `notice_open_unique` on `notice` (`open_key`)',
    'create table `notice_read` (`agent_id` text not null, `notice_id` text not null, primary key (`agent_id`, `notice_id`))',
    'create index `notice_read_notice` on `notice_read` (`notice_id`)',
  ],
}
