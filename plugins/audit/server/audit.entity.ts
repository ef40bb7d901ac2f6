/** The log: entries in one chain, which records they are about, and the few marks that hold the chain's ends. */
import { defineEntity, p } from '@mikro-orm/core'

const at = () => p.datetime(3)

/** One deed. Nothing but pruning ever touches a row again. */
const EntrySchema = defineEntity({
  name: 'AuditEntry',
  tableName: 'audit_entry',
  properties: {
    /** 1, 2, 3 … without a gap. */
    seq: p.bigint('number').unsigned(false).autoincrement(false).primary(),
    /** The event's id: told again, it is the same entry. */
    eventId: p.string().length(60),
    event: p.string().length(60),
    at: at(),
    agentId: p.string().length(26).nullable(),
    tokenId: p.string().length(26).nullable(),
    ip: p.string().length(60),
    subjectKind: p.string().length(20),
    subjectId: p.string().length(80),
    count: p.integer().nullable(),
    reason: p.string().length(200),
    /** Canonical JSON, as it was hashed. */
    details: p.text(),
    previous: p.string().length(43),
    hash: p.string().length(43),
  },
  uniques: [{ properties: ['eventId'], name: 'audit_entry_event' }],
  indexes: [
    { properties: ['at', 'seq'], name: 'audit_entry_at' },
    { properties: ['agentId', 'at', 'seq'], name: 'audit_entry_agent' },
    { properties: ['event', 'at', 'seq'], name: 'audit_entry_deed' },
    { properties: ['subjectKind', 'subjectId', 'at', 'seq'], name: 'audit_entry_subject' },
    { properties: ['ip', 'at', 'seq'], name: 'audit_entry_ip' },
  ],
})
export class Entry extends EntrySchema.class {}
EntrySchema.setClass(Entry)

/** Which records an entry is about: an export names many. */
const RecordLinkSchema = defineEntity({
  name: 'AuditRecordLink',
  tableName: 'audit_record_link',
  properties: { conversationId: p.string().length(26).primary(), seq: p.bigint('number').unsigned(false).autoincrement(false).primary() },
  indexes: [{ properties: ['seq'], name: 'audit_record_link_seq' }],
})
export class RecordLink extends RecordLinkSchema.class {}
RecordLinkSchema.setClass(RecordLink)

/**
 * `head`: the newest entry. `anchor`: the newest that was pruned. `alive`: when the log last wrote. `off`: since when it is
 * switched off. `keep`: how long entries are kept, and what waits to shorten that. Each is signed under its own name.
 */
const MarkSchema = defineEntity({
  name: 'AuditMark',
  tableName: 'audit_mark',
  properties: {
    name: p.string().length(10).primary().$type<'head' | 'anchor' | 'alive' | 'off' | 'keep'>(),
    seq: p.bigint('number'),
    hash: p.string().length(43),
    mac: p.string().length(43),
    at: at(),
  },
})
export class Mark extends MarkSchema.class {}
MarkSchema.setClass(Mark)

/** A rule that has been broken by somebody, until they pause. */
const BurstSchema = defineEntity({
  name: 'AuditBurst',
  tableName: 'audit_burst',
  properties: {
    rule: p.string().length(20).primary(),
    agentId: p.string().length(26).primary(),
    lastAt: at(),
  },
})
export class Burst extends BurstSchema.class {}
BurstSchema.setClass(Burst)

export const entities = [EntrySchema, RecordLinkSchema, MarkSchema, BurstSchema]
