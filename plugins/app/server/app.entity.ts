/** What the plugin keeps: ids it has seen, uploads that wait for their message, the other side's names of conversations, its last deliveries. */
import { defineEntity, p } from '@mikro-orm/core'

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

/** News that the other side has not taken: sealed, for sending it again. */
const UndeliveredSchema = defineEntity({
  name: 'AppUndelivered',
  tableName: 'app_undelivered',
  properties: {
    inboxId: p.string().length(26).primary(),
    webhookId: p.string().length(150).primary(),
    type: p.string().length(60),
    body: p.text(),
    createdAt: p.datetime(3),
  },
  indexes: [
    { properties: ['inboxId', 'createdAt'], name: 'app_undelivered_inbox' },
    { properties: ['createdAt'], name: 'app_undelivered_created' },
  ],
})
export class Undelivered extends UndeliveredSchema.class {}
UndeliveredSchema.setClass(Undelivered)

export const entities = [TakenSchema, UploadSchema, ThreadSchema, EndpointSchema, DeliverySchema, UndeliveredSchema]
