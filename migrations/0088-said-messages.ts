import type { Migration } from '../core/sdk/plugin.ts'

/** Of ten million messages it takes a few minutes. */
const fill =
  "update `conversation` set `messages` = (select count(*) from `message` where `message`.`conversation_id` = `conversation`.`id` and `message`.`direction` <> 'system')"

/** How many messages people said: lists, exports and retention tell it of many, and the last number counts the hub's own lines too. */
export const saidMessages: Migration = {
  name: '0088-said-messages',
  mysql: ['alter table `conversation` add `messages` int not null default 0', fill],
  sqlite: ['alter table `conversation` add column `messages` integer not null default 0', fill],
}
