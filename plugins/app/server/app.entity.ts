/** What the plugin keeps: ids it has seen, uploads that wait for their message, whose calls are, the other side's names of conversations, its last deliveries. */
import { defineEntity, type EntityProperty, type Platform, p, TextType } from '@mikro-orm/core'

/** A message of many parts is longer than the 64 KB of MySQL's own `text`. */
class LongText extends TextType {
  override getColumnType(_prop: EntityProperty, platform: Platform): string {
    return platform.constructor.name.startsWith('Sqlite') ? 'text' : 'mediumtext'
  }
}

/** A signed request that was taken: the same id again gets the same answer, with another body it is refused. */
const TakenSchema = defineEntity({
  name: 'AppTaken',
  tableName: 'app_taken',
  properties: {
    inboxId: p.string().length(26).primary(),
    webhookId: p.string().length(150).primary(),
    bodyHash: p.string().length(64),
    /** JSON; empty while it is being processed. */
    answer: p.text(),
    createdAt: p.datetime(3),
  },
  indexes: [{ properties: ['createdAt'], name: 'app_taken_created' }],
})
export class Taken extends TakenSchema.class {}
TakenSchema.setClass(Taken)

const UploadSchema = defineEntity({
  name: 'AppUpload',
  tableName: 'app_upload',
  properties: {
    id: p.string().length(32).primary(),
    inboxId: p.string().length(26),
    /** JSON of the part that carries it. */
    part: p.text(),
    sha256: p.string().length(64),
    createdAt: p.datetime(3),
  },
  indexes: [{ properties: ['createdAt'], name: 'app_upload_created' }],
})
export class Upload extends UploadSchema.class {}
UploadSchema.setClass(Upload)

/** Whose a call is, for the pieces of it that do not say so. */
const CallerSchema = defineEntity({
  name: 'AppCaller',
  tableName: 'app_caller',
  properties: {
    inboxId: p.string().length(26).primary(),
    /** Of its `externalCallId`. */
    callHash: p.string().length(64).primary(),
    /** Sealed: it may be a telephone number. */
    sender: p.text(),
    /** By the client, as its customer; else by the number. */
    named: p.boolean(),
    createdAt: p.datetime(3),
  },
  indexes: [{ properties: ['createdAt'], name: 'app_caller_created' }],
})
export class Caller extends CallerSchema.class {}
CallerSchema.setClass(Caller)

/** What the other side calls a conversation, and whom it is with. */
const ThreadSchema = defineEntity({
  name: 'AppThread',
  tableName: 'app_thread',
  properties: {
    conversationId: p.string().length(26).primary(),
    inboxId: p.string().length(26),
    externalId: p.string().length(190),
    customerId: p.string().length(190),
  },
})
export class Thread extends ThreadSchema.class {}
ThreadSchema.setClass(Thread)

/** How the other side's endpoint is, and when each secret was last used. */
const EndpointSchema = defineEntity({
  name: 'AppEndpoint',
  tableName: 'app_endpoint',
  properties: {
    inboxId: p.string().length(26).primary(),
    /** Nothing is sent to this address until an admin says so. */
    goneUrl: p.string().length(500).default(''),
    /** Why `goneUrl` is asked no more: it said 410, or nothing was taken there for days. */
    offWhy: p.string().length(10).$type<'' | '410' | 'failing'>().default(''),
    /** The last delivery failed. */
    failing: p.boolean().default(false),
    /** Since when every delivery to this address has failed, and when the last did. */
    failingUrl: p.string().length(500).default(''),
    failingSince: p.datetime(3).nullable(),
    failedAt: p.datetime(3).nullable(),
    secretUsedAt: p.datetime(3).nullable(),
    oldSecretUsedAt: p.datetime(3).nullable(),
    sandboxSecretUsedAt: p.datetime(3).nullable(),
  },
})
export class Endpoint extends EndpointSchema.class {}
EndpointSchema.setClass(Endpoint)

/** The last deliveries, for the integrator's eyes. */
const DeliverySchema = defineEntity({
  name: 'AppDelivery',
  tableName: 'app_delivery',
  properties: {
    /** Sorts by time. */
    id: p.string().length(32).primary(),
    inboxId: p.string().length(26),
    webhookId: p.string().length(150),
    type: p.string().length(60),
    attempt: p.integer(),
    /** HTTP; 0 = no answer. */
    status: p.integer(),
    ms: p.integer(),
    /** The beginning of what it said. */
    response: p.string().length(300),
    createdAt: p.datetime(3),
  },
  indexes: [
    { properties: ['inboxId', 'id'], name: 'app_delivery_inbox' },
    { properties: ['inboxId', 'webhookId'], name: 'app_delivery_webhook' },
  ],
})
export class Delivery extends DeliverySchema.class {}
DeliverySchema.setClass(Delivery)

/** How many things have been told of a conversation: the next one's number is one more. */
const StreamSchema = defineEntity({
  name: 'AppStream',
  tableName: 'app_stream',
  properties: {
    conversationId: p.string().length(26).primary(),
    lastSeq: p.integer(),
  },
})
export class Stream extends StreamSchema.class {}
StreamSchema.setClass(Stream)

/** What the other side is told of a conversation, in its order. What it took stays a while, so that a repeat is known as one. */
const OutboxSchema = defineEntity({
  name: 'AppOutbox',
  tableName: 'app_outbox',
  properties: {
    inboxId: p.string().length(26).primary(),
    webhookId: p.string().length(150).primary(),
    conversationId: p.string().length(26),
    /** 1, 2, 3 … within the conversation. */
    seq: p.integer(),
    type: p.string().length(60),
    /** Sealed. Empty once it was taken, and for a message that the hub has still to hand over, whose words are the hub's. */
    body: p.type(LongText).$type<string>(),
    state: p.string().length(10).$type<OutboxState>(),
    attempts: p.integer().default(0),
    /** Of a message: which sending of it was told by this name last. */
    round: p.integer().default(1),
    /** What the other side said when it was tried last, or why it is not tried any more. */
    failure: p.string().length(300).default(''),
    /**
     * Not before; the hub itself says when a message is tried. What is offered is given up then. Of news that were given up or
     * refused: how long they are listed; of a message that was given up: the hub has still to be told.
     */
    dueAt: p.datetime(3).nullable(),
    /** A process is telling it just now; once it is over, that process is gone. */
    heldUntil: p.datetime(3).nullable(),
    createdAt: p.datetime(3),
    /** Where clients fetch: 1, 2, 3 … within the inbox, as it was offered. */
    pos: p.integer().nullable(),
  },
  indexes: [
    { properties: ['conversationId', 'state', 'seq'], name: 'app_outbox_conversation' },
    { properties: ['state', 'dueAt'], name: 'app_outbox_due' },
    { properties: ['inboxId', 'state', 'createdAt'], name: 'app_outbox_inbox' },
    { properties: ['createdAt'], name: 'app_outbox_created' },
    { properties: ['inboxId', 'state', 'pos'], name: 'app_outbox_pos' },
  ],
})
/**
 * `offered`: lies there to be fetched; `withdrawn`: taken back before anybody had fetched it. `refused`: the other side will
 * never have it; `given-up`: it did not take it for days. These two can be told once more.
 */
export type OutboxState = 'waiting' | 'offered' | 'taken' | 'withdrawn' | 'refused' | 'given-up'
export class Outbox extends OutboxSchema.class {}
OutboxSchema.setClass(Outbox)

/** An inbox that is fetched from: how many things have been offered there, and how far they were handed out. */
const FetchSchema = defineEntity({
  name: 'AppFetch',
  tableName: 'app_fetch',
  properties: {
    inboxId: p.string().length(26).primary(),
    lastPos: p.integer().default(0),
    handedPos: p.integer().default(0),
    /** When somebody asked last, to the minute. */
    fetchedAt: p.datetime(3).nullable(),
    /** Nobody has asked for too long, and admins were told. */
    silent: p.boolean().default(false),
  },
})
export class Fetch extends FetchSchema.class {}
FetchSchema.setClass(Fetch)

/** Opens one inbox's outbox. The key itself is nowhere. */
const KeySchema = defineEntity({
  name: 'AppKey',
  tableName: 'app_key',
  properties: {
    id: p.string().length(26).primary(),
    inboxId: p.string().length(26),
    hash: p.string().length(64),
    /** Its last signs, by which people know it. */
    hint: p.string().length(4),
    createdAt: p.datetime(3),
    usedAt: p.datetime(3).nullable(),
  },
  indexes: [{ properties: ['inboxId'], name: 'app_key_inbox' }],
})
export class Key extends KeySchema.class {}
KeySchema.setClass(Key)

export const entities = [
  TakenSchema,
  UploadSchema,
  CallerSchema,
  ThreadSchema,
  EndpointSchema,
  DeliverySchema,
  StreamSchema,
  OutboxSchema,
  FetchSchema,
  KeySchema,
]
