import { defineEntity, p } from '@mikro-orm/core'
import type { InboxHealth as Health, LocalText } from '../../../sdk/channel.ts'
import { idColumn, instant, json, nullableJson } from '../../db/types.ts'

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

/** How an inbox is, as its adapter last said, and when it last lived. */
const InboxHealthSchema = defineEntity({
  name: 'InboxHealth',
  tableName: 'inbox_health',
  properties: {
    inboxId: idColumn().primary(),
    /** null = the adapter has said nothing. */
    state: p.string().length(20).$type<Health['state']>().nullable(),
    error: nullableJson<LocalText>(),
    remedy: nullableJson<LocalText>(),
    code: p.string().length(60).nullable(),
    validUntil: instant().nullable(),
    /** When the state last turned. */
    changedAt: instant().nullable(),
    /** Found by sends that failed (by the hub itself, or `onlySending`): the next one that goes through takes it back. */
    byHub: p.boolean().default(false),
    /** Sends that failed one after another. */
    sendFaults: p.integer().default(0),
    /** What was wrong last, also when it is well again. */
    lastError: nullableJson<LocalText>(),
    lastErrorAt: instant().nullable(),
    /** Written every few seconds at most. */
    lastEventAt: instant().nullable(),
    lastSendAt: instant().nullable(),
    /** Pushes that did not verify, and since when, after the last one that did; when the last such came. */
    refusedPushes: p.integer().default(0),
    refusedSince: instant().nullable(),
    refusedAt: instant().nullable(),
  },
})
export class InboxHealth extends InboxHealthSchema.class {}
InboxHealthSchema.setClass(InboxHealth)

export const inboxEntities = [InboxSchema, InboxHealthSchema]
