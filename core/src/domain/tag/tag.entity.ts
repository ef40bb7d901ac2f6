import { defineEntity, p } from '@mikro-orm/core'
import { idColumn, instant } from '../../db/types.ts'

const TagSchema = defineEntity({
  name: 'Tag',
  tableName: 'tag',
  properties: {
    id: idColumn().primary(),
    name: p.string().length(30),
    /** A system tag is set up by an admin; the workbench may put it on, never change it. */
    system: p.boolean().default(false),
    createdAt: instant(),
  },
  uniques: [{ properties: ['name'], name: 'tag_name_unique' }],
})
export class Tag extends TagSchema.class {}
TagSchema.setClass(Tag)

const ContactTagSchema = defineEntity({
  name: 'ContactTag',
  tableName: 'contact_tag',
  properties: { contactId: idColumn().primary(), tagId: idColumn().primary(), byAgentId: idColumn().nullable(), createdAt: instant() },
  indexes: [{ properties: ['tagId'], name: 'contact_tag_tag' }],
})
export class ContactTag extends ContactTagSchema.class {}
ContactTagSchema.setClass(ContactTag)

export const tagEntities = [TagSchema, ContactTagSchema]
