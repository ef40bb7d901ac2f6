/** What the plugin keeps of schedules, of destinations, and of bytes that no row speaks of yet. */
import { sealed, sealedProse } from '@huike/core/sdk/sealed.ts'
import { defineEntity, p } from '@mikro-orm/core'

const id = () => p.string().length(26)

/** `stopped`: by itself, since its owner may no longer do what it asks for. */
export type ScheduleState = 'active' | 'paused' | 'stopped'

const ScheduleSchema = defineEntity({
  name: 'ExportSchedule',
  tableName: 'export_schedule',
  properties: {
    id: id().primary(),
    agentId: id(),
    name: p.string().length(60),
    state: p.string().length(10).$type<ScheduleState>(),
    /** A `Rule` as JSON. */
    rule: p.text(),
    /** `filter`: what the filter says; `previous`: the whole day, week or month before. */
    span: p.string().length(10).$type<'filter' | 'previous'>(),
    /** An `Order` as JSON, sealed: its filter may name a person. */
    order: sealedProse('export_schedule.order'),
    /** Ids of colleagues, as JSON. */
    shareWith: p.text(),
    /** Empty: it is downloaded. */
    destinationId: p.string().length(26).default(''),
    /** What its files are locked with; empty: nothing. Never shown. */
    password: sealed('export_schedule.password', 100),
    /** Null while it rests. */
    nextAt: p.datetime(3).nullable(),
    /** Why it was stopped: a code, or the permission that is gone. */
    fault: p.string().length(60).default(''),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
  indexes: [
    { properties: ['agentId', 'id'], name: 'export_schedule_agent' },
    { properties: ['nextAt'], name: 'export_schedule_next' },
    { properties: ['destinationId'], name: 'export_schedule_destination' },
  ],
})
export class ExportSchedule extends ScheduleSchema.class {}
ScheduleSchema.setClass(ExportSchedule)

/** A turn of a schedule: there is one of each time. */
const RunSchema = defineEntity({
  name: 'ExportRun',
  tableName: 'export_run',
  properties: { scheduleId: id().primary(), dueAt: p.datetime(3).primary(), exportId: id(), at: p.datetime(3) },
  uniques: [{ properties: ['exportId'], name: 'export_run_export' }],
})
export class ExportRun extends RunSchema.class {}
RunSchema.setClass(ExportRun)

const DestinationSchema = defineEntity({
  name: 'ExportDestination',
  tableName: 'export_destination',
  properties: {
    id: id().primary(),
    name: p.string().length(60),
    kind: p.string().length(10).$type<'folder' | 'bucket'>(),
    /** A `Place` without its secret key, as JSON. */
    place: p.text(),
    /** Sealed; empty for a folder. */
    secretKey: p.text(),
    createdAt: p.datetime(3),
  },
  uniques: [{ properties: ['name'], name: 'export_destination_name' }],
})
export class ExportDestination extends DestinationSchema.class {}
DestinationSchema.setClass(ExportDestination)

/** `off`: there was nothing to bring, its export never became a file. */
export type DeliveryState = 'due' | 'sent' | 'failed' | 'off'

const DeliverySchema = defineEntity({
  name: 'ExportDelivery',
  tableName: 'export_delivery',
  properties: {
    exportId: id().primary(),
    destinationId: id(),
    state: p.string().length(10).$type<DeliveryState>(),
    attempts: p.integer().default(0),
    /** The next try, or when the turn that tries counts as dead; null when there is nothing to do. */
    dueAt: p.datetime(3).nullable(),
    holder: id().nullable(),
    fault: p.string().length(60).default(''),
    /** What it is called there. */
    name: p.string().length(250).default(''),
    sentAt: p.datetime(3).nullable(),
  },
  indexes: [{ properties: ['dueAt'], name: 'export_delivery_due' }],
})
export class ExportDelivery extends DeliverySchema.class {}
DeliverySchema.setClass(ExportDelivery)

/** Written down before the bytes are: a crash between the two leaves what a sweep can find. */
const BlobSchema = defineEntity({
  name: 'ExportBlob',
  tableName: 'export_blob',
  properties: { name: p.string().length(40).primary(), exportId: id(), holder: id(), createdAt: p.datetime(3) },
  indexes: [{ properties: ['createdAt'], name: 'export_blob_created' }],
})
export class ExportBlob extends BlobSchema.class {}
BlobSchema.setClass(ExportBlob)

export const scheduleEntities = [ScheduleSchema, RunSchema, DestinationSchema, DeliverySchema, BlobSchema]
