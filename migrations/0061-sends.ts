import type { Migration } from '../core/sdk/plugin.ts'

/** Replies are set aside for every piece of a message, on the row of its sending; an inbox remembers its last fault and how many sends failed in a row. */
export const sends: Migration = {
  name: '0061-sends',
  mysql: [
    'alter table `outbound` add `grants` mediumtext null',
    'update `outbound` join `message` on `message`.`id` = `outbound`.`message_id` set `outbound`.`grants` = json_array(`message`.`grant_name`) where `message`.`grant_name` is not null and `message`.`done` = 0',
    'alter table `message` drop column `grant_name`',
    'alter table `inbox_health` add `by_hub` tinyint(1) not null default false, add `send_faults` int not null default 0, add `last_error` mediumtext null, add `last_error_at` datetime(3) null',
    'update `inbox_health` set `last_error` = `error`, `last_error_at` = `changed_at` where `error` is not null',
  ],
  sqlite: [
    'alter table `outbound` add column `grants` text null',
    'update `outbound` set `grants` = (select json_array(`grant_name`) from `message` where `message`.`id` = `outbound`.`message_id` and `grant_name` is not null and `done` = 0)',
    'alter table `message` drop column `grant_name`',
    'alter table `inbox_health` add column `by_hub` integer not null default false',
    'alter table `inbox_health` add column `send_faults` integer not null default 0',
    'alter table `inbox_health` add column `last_error` text null',
    'alter table `inbox_health` add column `last_error_at` datetime null',
    'update `inbox_health` set `last_error` = `error`, `last_error_at` = `changed_at` where `error` is not null',
  ],
}
