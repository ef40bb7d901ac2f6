import { defineEntity, p } from '@mikro-orm/core'
import type { LocalText } from '../../../sdk/channel.ts'
import { idColumn, instant, json, nullableJson } from '../../db/types.ts'

/** Something people ought to know: one row for all who hold a permission, or one for each agent. */
const NoticeSchema = defineEntity({
  name: 'Notice',
  tableName: 'notice',
  properties: {
    id: idColumn().primary(),
    /** `permission:inbox.manage` or `agent:<id>`: whom it is for is asked when it is read. */
    audience: p.string().length(120),
    /** `inbox.broken`; a plugin's begins with its id. */
    kind: p.string().length(100),
    /** While it is open, the same thing is not raised again. */
    openKey: p.string().length(330).nullable(),
    level: p.string().length(10).$type<'info' | 'problem'>(),
    title: json<LocalText>(),
    body: nullableJson<LocalText>(),
    link: p.string().length(300).nullable(),
    createdAt: instant(),
    endedAt: instant().nullable(),
  },
  uniques: [{ properties: ['openKey'], name: 'notice_open_unique' }],
  indexes: [
    { properties: ['audience', 'id'], name: 'notice_audience' },
    { properties: ['createdAt'], name: 'notice_created' },
  ],
})
export class Notice extends NoticeSchema.class {}
NoticeSchema.setClass(Notice)

/** An agent has read a notice. */
const NoticeReadSchema = defineEntity({
  name: 'NoticeRead',
  tableName: 'notice_read',
  properties: {
    agentId: idColumn().primary(),
    noticeId: idColumn().primary(),
  },
  indexes: [{ properties: ['noticeId'], name: 'notice_read_notice' }],
})
export class NoticeRead extends NoticeReadSchema.class {}
NoticeReadSchema.setClass(NoticeRead)

export const noticeEntities = [NoticeSchema, NoticeReadSchema]
