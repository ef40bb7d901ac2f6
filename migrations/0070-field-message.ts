import type { Migration } from '../core/sdk/plugin.ts'

/** Where the value of a contact's field was found, for whoever is asked whether two are the same person. */
export const fieldMessage: Migration = {
  name: '0070-field-message',
  mysql: ['alter table `contact_field` add `message_id` varchar(26) null', 'alter table `contact_field` add index `contact_field_message` (`message_id`)'],
  sqlite: ['alter table `contact_field` add column `message_id` text null', 'create index `contact_field_message` on `contact_field` (`message_id`)'],
}
