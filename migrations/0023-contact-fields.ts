import type { Migration } from '../core/sdk/plugin.ts'

/** Who had a hand in a contact's fields, and the fields that plugins bring. */
export const contactFields: Migration = {
  name: '0023-contact-fields',
  mysql: [
    "create table `contact_field` (`contact_id` varchar(26) not null, `field` varchar(60) not null, `value` varchar(300) not null default '', `source` varchar(40) not null, `by_agent_id` varchar(26) null, `updated_at` datetime(3) not null, primary key (`contact_id`, `field`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB",
  ],
  sqlite: [
    "create table `contact_field` (`contact_id` text not null, `field` text not null, `value` text not null default '', `source` text not null, `by_agent_id` text null, `updated_at` datetime not null, primary key (`contact_id`, `field`))",
  ],
}
