import type { Migration } from '../core/sdk/plugin.ts'

/** Contacts by the value of a field. */
export const contactFieldValue: Migration = {
  name: '0037-contact-field-value',
  mysql: ['alter table `contact_field` add index `contact_field_value` (`field`, `value`)'],
  sqlite: ['create index `contact_field_value` on `contact_field` (`field`, `value`)'],
}
