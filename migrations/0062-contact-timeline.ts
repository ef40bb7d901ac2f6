import type { Migration } from '../core/sdk/plugin.ts'

/** A contact's conversations by what was said last, and their telephone calls: what the timeline walks. */
export const contactTimeline: Migration = {
  name: '0062-contact-timeline',
  mysql: [
    'alter table `conversation` add index `conversation_contact_latest` (`contact_id`, `last_message_at`, `id`)',
    'alter table `conversation` drop index `conversation_contact`',
    'alter table `conversation` rename index `conversation_contact_latest` to `conversation_contact`',
    'create table `message_call` (`message_id` varchar(26) not null, `conversation_id` varchar(26) not null, `at` datetime(3) not null, primary key (`message_id`), key `message_call_conversation` (`conversation_id`, `at`, `message_id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
    'insert into `message_call` select `id`, `conversation_id`, `sent_at` from `message` where `text` = \'\' and `parts` like \'%"type":"call"%\'',
  ],
  sqlite: [
    'drop index `conversation_contact`',
    'create index `conversation_contact` on `conversation` (`contact_id`, `last_message_at`, `id`)',
    'create table `message_call` (`message_id` text not null primary key, `conversation_id` text not null, `at` datetime not null)',
    'create index `message_call_conversation` on `message_call` (`conversation_id`, `at`, `message_id`)',
    'insert into `message_call` select `id`, `conversation_id`, `sent_at` from `message` where `text` = \'\' and `parts` like \'%"type":"call"%\'',
  ],
}
