import { defineEntity, p } from '@mikro-orm/core'
import { idColumn, instant, json } from '../../db/types.ts'

const InboxSchema = defineEntity({
  name: 'Inbox',
  tableName: 'inbox',
  properties: {
    id: idColumn().primary(),
    /** Plugin id of the channel. */
    channel: p.string().length(40),
    name: p.string().length(60),
    settings: json<Record<string, unknown>>(),
    /** Where its conversations go first. */
    departmentId: idColumn().nullable(),
    skillGroupId: idColumn().nullable(),
    enabled: p.boolean().default(true),
    createdAt: instant(),
  },
  indexes: [{ properties: ['channel'], name: 'inbox_channel' }],
})
export class Inbox extends InboxSchema.class {}
InboxSchema.setClass(Inbox)

export const inboxEntities = [InboxSchema]
