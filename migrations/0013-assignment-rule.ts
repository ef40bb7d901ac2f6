import type { Migration } from '../core/sdk/plugin.ts'

/** Rules of who gets new conversations: per inbox, skill group or department, and the hub's. */
export const assignmentRule: Migration = {
  name: '0013-assignment-rule',
  mysql: [
    "create table `assignment_rule` (`id` varchar(26) not null, `scope` varchar(12) not null, `target_id` varchar(26) not null default '', `strategy` varchar(12) not null, `max_open` int null, `when_full` varchar(12) not null, `updated_at` datetime(3) not null, primary key (`id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB",
    'alter table `assignment_rule` add unique `assignment_rule_unique` (`scope`, `target_id`)',
  ],
  sqlite: [
    "create table `assignment_rule` (`id` text not null primary key, `scope` text not null, `target_id` text not null default '', `strategy` text not null, `max_open` integer null, `when_full` text not null, `updated_at` datetime not null)",
    'create unique index `assignment_rule_unique` on `assignment_rule` (`scope`, `target_id`)',
  ],
}
