import { defineEntity, p } from '@mikro-orm/core'
import type { InboundEvent, LetterMeta, LocalText } from '../../../sdk/channel.ts'
import type { DoneBy } from '../../../sdk/events.ts'
import type { MessagePart } from '../../../sdk/message-parts.ts'
import { idColumn, instant, json, nullableJson, prose } from '../../db/types.ts'
import { sealedJson } from '../../sealing/sealed-columns.ts'
import type { Reply } from '../contact/contact.entity.ts'

export type Direction = 'in' | 'out' | 'note' | 'system'
export type MessageStatus = 'received' | 'queued' | 'sending' | 'sent' | 'failed' | 'uncertain'

const MessageSchema = defineEntity({
  name: 'Message',
  tableName: 'message',
  properties: {
    id: idColumn().primary(),
    conversationId: idColumn(),
    inboxId: idColumn(),
    /** 1, 2, 3 … within the conversation, without a gap. */
    seq: p.integer(),
    /** The conversation's `rev` when this message last changed. */
    rev: p.integer(),
    direction: p.string().length(10).$type<Direction>(),
    /** The agent who really wrote it; null for customers and the system. */
    authorId: idColumn().nullable(),
    /** The identity of the customer who wrote it, where that is not the one whose conversation it is: somebody in copy. */
    writerId: idColumn().nullable(),
    parts: json<MessagePart[]>(),
    text: prose(),
    /** What it is found by beside its words, a line each: a letter's subject, `besidesOf` its parts. Null where there is nothing, or it is older than the column. */
    besides: prose().nullable(),
    status: p.string().length(10).$type<MessageStatus>(),
    /** `in:<platform id>`, `echo:<platform id>` or `out:<client id>`: unique in the inbox, so a repeat is the same message. */
    dedupeKey: p.string().length(200),
    /** The platform's name of a message we sent. */
    externalId: p.string().length(190).nullable(),
    replyToId: idColumn().nullable(),
    /** Why it failed, as the platform said it. */
    failure: p.string().length(200).nullable(),
    /** The same for an agent: what happened and what can be done. */
    failureText: nullableJson<LocalText>(),
    /** A letter's headers: whose addresses they are is nobody's to read in the database. */
    meta: sealedJson<LetterMeta>('message.meta').nullable(),
    /** Platform messages of it that are through: a retry goes on where it stopped. */
    done: p.integer().default(0),
    /** Which sending of it this is: each time that a person sends it again is the next. */
    round: p.integer().default(1),
    recalledAt: instant().nullable(),
    /** When the customer wrote it, by the platform's clock. */
    sentAt: instant(),
    createdAt: instant(),
  },
  uniques: [
    { properties: ['conversationId', 'seq'], name: 'message_seq_unique' },
    { properties: ['inboxId', 'dedupeKey'], name: 'message_dedupe_unique' },
  ],
  indexes: [
    { properties: ['conversationId', 'rev'], name: 'message_rev' },
    { properties: ['inboxId', 'externalId'], name: 'message_external' },
  ],
})
export class Message extends MessageSchema.class {}
MessageSchema.setClass(Message)

/** The platform's names of a message we sent, several when it took several platform messages. */
const MessageNameSchema = defineEntity({
  name: 'MessageName',
  tableName: 'message_name',
  properties: {
    inboxId: idColumn().primary(),
    externalId: p.string().length(190).primary(),
    messageId: idColumn(),
    /** Since when the customer does not have it: a failure was reported of it (the same report again is no news), or it was taken back. */
    failedAt: instant().nullable(),
  },
  indexes: [{ properties: ['messageId'], name: 'message_name_message' }],
})
export class MessageName extends MessageNameSchema.class {}
MessageNameSchema.setClass(MessageName)

/** Which messages are telephone calls, so that a contact's are found among all they said. */
const CallMessageSchema = defineEntity({
  name: 'CallMessage',
  tableName: 'message_call',
  properties: {
    messageId: idColumn().primary(),
    conversationId: idColumn(),
    /** When it rang, as the message's `sentAt`. */
    at: instant(),
  },
  indexes: [{ properties: ['conversationId', 'at', 'messageId'], name: 'message_call_conversation' }],
})
export class CallMessage extends CallMessageSchema.class {}
CallMessageSchema.setClass(CallMessage)

/** Messages with files that the platform still keeps; the row goes when they are here or given up. */
const RemoteFetchSchema = defineEntity({
  name: 'RemoteFetch',
  tableName: 'remote_fetch',
  properties: {
    messageId: idColumn().primary(),
    conversationId: idColumn(),
    inboxId: idColumn(),
    attempts: p.integer().default(0),
    dueAt: instant(),
    createdAt: instant(),
  },
  indexes: [{ properties: ['dueAt'], name: 'remote_fetch_due' }],
})
export class RemoteFetch extends RemoteFetchSchema.class {}
RemoteFetchSchema.setClass(RemoteFetch)

/** Events that were written down but could not be processed yet. Normally empty. */
const InboundEventSchema = defineEntity({
  name: 'ParkedEvent',
  tableName: 'inbound_event',
  properties: {
    id: idColumn().primary(),
    inboxId: idColumn(),
    externalId: p.string().length(190),
    /** The sender: later events of the same sender wait behind this one. */
    senderId: p.string().length(190),
    event: sealedJson<InboundEvent>('inbound_event.event'),
    attempts: p.integer().default(0),
    error: p.string().length(500).default(''),
    /** null = given up; an operator decides. */
    dueAt: instant().nullable(),
    createdAt: instant(),
  },
  uniques: [{ properties: ['inboxId', 'externalId'], name: 'inbound_event_external_unique' }],
  indexes: [
    { properties: ['dueAt'], name: 'inbound_event_due' },
    { properties: ['inboxId', 'senderId'], name: 'inbound_event_sender' },
  ],
})
export class ParkedEvent extends InboundEventSchema.class {}
InboundEventSchema.setClass(ParkedEvent)

/** Messages on their way to a platform; the row goes when the fate is known. */
const OutboundSchema = defineEntity({
  name: 'Outbound',
  tableName: 'outbound',
  properties: {
    messageId: idColumn().primary(),
    conversationId: idColumn(),
    seq: p.integer(),
    state: p.string().length(10).$type<'queued' | 'sending'>(),
    /** Turns in which the adapter was called, or was about to be. */
    attempts: p.integer().default(0),
    /** The replies set aside for it, one for each of the platform's messages; what the platform never took goes back. Once only the names of their grants. */
    grants: nullableJson<(Reply | string)[]>(),
    /** When it may be tried; while sending: when the try counts as lost. */
    dueAt: instant(),
    /** Since when it is being tried. */
    createdAt: instant(),
  },
  indexes: [
    { properties: ['dueAt'], name: 'outbound_due' },
    { properties: ['conversationId', 'seq'], name: 'outbound_conversation' },
  ],
})
export class Outbound extends OutboundSchema.class {}
OutboundSchema.setClass(Outbound)

/** What happened and whom it is still owed to: one row for each listener. */
const DeliverySchema = defineEntity({
  name: 'Delivery',
  tableName: 'event_delivery',
  properties: {
    id: idColumn().primary(),
    eventId: idColumn(),
    /** Plugin id. */
    listener: p.string().length(40),
    name: p.string().length(60),
    data: json<unknown>(),
    doneBy: nullableJson<DoneBy>(),
    attempts: p.integer().default(0),
    error: p.string().length(500).default(''),
    /** The turn that has taken it, while it is not due. */
    holder: idColumn().nullable(),
    dueAt: instant().nullable(),
    createdAt: instant(),
  },
  indexes: [
    { properties: ['dueAt', 'listener'], name: 'event_delivery_due' },
    { properties: ['listener', 'createdAt'], name: 'event_delivery_listener' },
  ],
})
export class Delivery extends DeliverySchema.class {}
DeliverySchema.setClass(Delivery)

/** Jobs of plugins: asked for or periodic. */
const JobSchema = defineEntity({
  name: 'Job',
  tableName: 'job',
  properties: {
    id: idColumn().primary(),
    plugin: p.string().length(40),
    name: p.string().length(60),
    /** A waiting job with the same key is the same job. */
    dedupeKey: p.string().length(150),
    data: json<unknown>(),
    attempts: p.integer().default(0),
    error: p.string().length(500).default(''),
    dueAt: instant().nullable(),
    createdAt: instant(),
  },
  uniques: [{ properties: ['plugin', 'dedupeKey'], name: 'job_dedupe_unique' }],
  indexes: [{ properties: ['dueAt'], name: 'job_due' }],
})
export class Job extends JobSchema.class {}
JobSchema.setClass(Job)

export const messageEntities = [
  MessageSchema,
  MessageNameSchema,
  CallMessageSchema,
  RemoteFetchSchema,
  InboundEventSchema,
  OutboundSchema,
  DeliverySchema,
  JobSchema,
]
