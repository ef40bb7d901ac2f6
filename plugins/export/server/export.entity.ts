/** What the plugin keeps: exports with their parts and downloads, and templates. JSON stands in text columns, read and written here. */
import { defineEntity, p } from '@mikro-orm/core'
import { monotonicFactory } from 'ulid'
import { scheduleEntities } from './schedule.entity.ts'

const ulid = monotonicFactory()
/** Sorts by the time of making, as all ids of the hub. */
export const newId = (): string => ulid().toLowerCase()
const id = () => p.string().length(26)

export type ExportState = 'running' | 'done' | 'failed' | 'cancelled' | 'expired'

const ExportSchema = defineEntity({
  name: 'ExportFile',
  tableName: 'export_file',
  properties: {
    id: id().primary(),
    agentId: id(),
    state: p.string().length(10).$type<ExportState>(),
    /** An `Order` as JSON. */
    order: p.text(),
    /** Sealed; empty = the file is not locked. */
    password: p.text(),
    /** Of the finished file; empty until then. */
    name: p.string().length(200).default(''),
    total: p.integer().default(0),
    done: p.integer().default(0),
    rows: p.integer().default(0),
    bytes: p.double().default(0),
    /** Blobs: the ids that were found, in their order; the finished file. Empty until they are there. */
    idsBlob: p.string().length(40).default(''),
    blob: p.string().length(40).default(''),
    /** Names for the file's name (`Named`), as JSON. */
    named: p.text(),
    /** The personal fields that stand in it unmasked, with spaces between; null: of before this was kept. */
    shows: p.string().length(100).nullable(),
    attempts: p.integer().default(0),
    /** Why it failed: a code. */
    fault: p.string().length(60).default(''),
    /** The turn that writes it, or tells how it ended, and until when it counts as alive; null when there is nothing to do. */
    holder: id().nullable(),
    leaseUntil: p.datetime(3).nullable(),
    createdAt: p.datetime(3),
    finishedAt: p.datetime(3).nullable(),
    /** When its bytes go. */
    expiresAt: p.datetime(3).nullable(),
  },
  indexes: [
    { properties: ['agentId', 'id'], name: 'export_file_agent' },
    { properties: ['leaseUntil'], name: 'export_file_lease' },
    { properties: ['expiresAt'], name: 'export_file_expires' },
  ],
})
export class ExportFile extends ExportSchema.class {}
ExportSchema.setClass(ExportFile)

/** A piece of an export that is written and safe: after a crash the next one begins behind it. */
const PartSchema = defineEntity({
  name: 'ExportPart',
  tableName: 'export_part',
  properties: {
    exportId: id().primary(),
    n: p.integer().primary(),
    blob: p.string().length(40),
    records: p.integer(),
    rows: p.integer(),
    /** Ids of its records that are not in it, as JSON; null: all are. */
    unwritten: p.text().nullable(),
  },
})
export class ExportPart extends PartSchema.class {}
PartSchema.setClass(ExportPart)

/** Who may download an export that is not theirs. */
const ShareSchema = defineEntity({
  name: 'ExportShare',
  tableName: 'export_share',
  properties: { agentId: id().primary(), exportId: id().primary() },
  indexes: [{ properties: ['exportId'], name: 'export_share_export' }],
})
export class ExportShare extends ShareSchema.class {}
ShareSchema.setClass(ExportShare)

const DownloadSchema = defineEntity({
  name: 'ExportDownload',
  tableName: 'export_download',
  properties: { id: id().primary(), exportId: id(), agentId: id(), ip: p.string().length(45), at: p.datetime(3) },
  indexes: [{ properties: ['exportId', 'id'], name: 'export_download_export' }],
})
export class ExportDownload extends DownloadSchema.class {}
DownloadSchema.setClass(ExportDownload)

const TemplateSchema = defineEntity({
  name: 'ExportTemplate',
  tableName: 'export_template',
  properties: { id: id().primary(), agentId: id(), name: p.string().length(60), choices: p.text(), createdAt: p.datetime(3) },
  uniques: [{ properties: ['agentId', 'name'], name: 'export_template_name' }],
})
export class ExportTemplate extends TemplateSchema.class {}
TemplateSchema.setClass(ExportTemplate)

export const entities = [ExportSchema, PartSchema, ShareSchema, DownloadSchema, TemplateSchema, ...scheduleEntities]
