import type { Migration } from '../core/sdk/plugin.ts'

/** How an inbox is. */
export const inboxHealth: Migration = {
  name: '0007-inbox-health',
  mysql: [
    'create table `inbox_health` (`inbox_id` varchar(26) not null, `state` varchar(20) null, `error` mediumtext null, `remedy` mediumtext null, `code` varchar(60) null, `valid_until` datetime(3) null, `changed_at` datetime(3) null, `last_event_at` datetime(3) null, `last_send_at` datetime(3) null, primary key (`inbox_id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
  ],
  sqlite: [
    'create table `inbox_health` (`inbox_id` text not null primary key, `state` text null, `error` text null, `remedy` text null, `code` text null, `valid_until` datetime null, `changed_at` datetime null, `last_event_at` datetime null, `last_send_at` datetime null)',
  ],
}
