import type { Migration } from '../core/sdk/plugin.ts'

/** The hub's own processes, each with its signs of life. */
export const processes: Migration = {
  name: '0066-processes',
  mysql: [
    'create table `hub_process` (`id` varchar(26) not null, `role` varchar(10) not null, `host` varchar(100) not null, `pid` int not null, `version` varchar(40) not null, `memory_mb` int not null, `agents` int not null, `visitors` int not null, `started_at` datetime(3) not null, `seen_at` datetime(3) not null, primary key (`id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
  ],
  sqlite: [
    'create table `hub_process` (`id` text not null primary key, `role` text not null, `host` text not null, `pid` integer not null, `version` text not null, `memory_mb` integer not null, `agents` integer not null, `visitors` integer not null, `started_at` datetime not null, `seen_at` datetime not null)',
  ],
}
