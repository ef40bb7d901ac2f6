import { defineEntity, p } from '@mikro-orm/core'
import type { DoneBy } from '../../../sdk/events.ts'
import type { BatchInput, BatchState, RecordFilter } from '../../../sdk/wire/record.ts'
import { idColumn, instant, json, nullableJson } from '../../db/types.ts'
import { sealedJson } from '../../sealing/sealed-columns.ts'

/** The service summary of a conversation: the answers to the form that an admin designed, by field id. */
const ConversationSummarySchema = defineEntity({
  name: 'ConversationSummary',
  tableName: 'conversation_summary',
  properties: {
    conversationId: idColumn().primary(),
    answers: json<Record<string, unknown>>(),
    updatedById: idColumn().nullable(),
    updatedAt: instant(),
  },
})
export class ConversationSummary extends ConversationSummarySchema.class {}
ConversationSummarySchema.setClass(ConversationSummary)

/** A filter that a person keeps under a name. */
const RecordViewSchema = defineEntity({
  name: 'RecordView',
  tableName: 'record_view',
  properties: {
    id: idColumn().primary(),
    agentId: idColumn(),
    name: p.string().length(60),
    /** It may name a person. */
    filter: sealedJson<RecordFilter>('record_view.filter'),
    createdAt: instant(),
  },
  uniques: [{ properties: ['agentId', 'name'], name: 'record_view_name_unique' }],
})
export class RecordView extends RecordViewSchema.class {}
RecordViewSchema.setClass(RecordView)

/** What a person chose for themselves, by name: `record.columns`. */
const AgentPreferenceSchema = defineEntity({
  name: 'AgentPreference',
  tableName: 'agent_preference',
  properties: {
    agentId: idColumn().primary(),
    name: p.string().length(60).primary(),
    value: json<unknown>(),
    updatedAt: instant(),
  },
})
export class AgentPreference extends AgentPreferenceSchema.class {}
AgentPreferenceSchema.setClass(AgentPreference)

/** Something that is done to many records, in the background. */
const RecordBatchSchema = defineEntity({
  name: 'RecordBatch',
  tableName: 'record_batch',
  properties: {
    id: idColumn().primary(),
    agentId: idColumn(),
    input: json<BatchInput>(),
    doneBy: nullableJson<DoneBy>(),
    state: p.string().length(10).$type<BatchState['state']>(),
    done: p.integer().default(0),
    skipped: p.integer().default(0),
    attempts: p.integer().default(0),
    /** When a worker may take it; null when it has ended. */
    dueAt: instant().nullable(),
    createdAt: instant(),
  },
  indexes: [{ properties: ['dueAt'], name: 'record_batch_due' }],
})
export class RecordBatch extends RecordBatchSchema.class {}
RecordBatchSchema.setClass(RecordBatch)

export const recordEntities = [RecordBatchSchema, ConversationSummarySchema, RecordViewSchema, AgentPreferenceSchema]
