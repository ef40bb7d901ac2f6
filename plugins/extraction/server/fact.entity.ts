/** What was found, where it stands in the messages, and which rules there are besides the built-in ones. */
import { sealed } from '@huike/core/sdk/sealed.ts'
import { defineEntity, p } from '@mikro-orm/core'
import type { Kind } from './extract/tables.ts'

/**
 * `filled`: into the contact, by itself. `suggested`: waits for a person. `noted`: nothing to fill in. `accepted` and
 * `refused`: a person's word, which stays.
 */
export type FactState = 'filled' | 'suggested' | 'noted' | 'accepted' | 'refused'

export const longestNormal = 190
export const longestValue = 300

const FactSchema = defineEntity({
  name: 'ExtractionFact',
  tableName: 'extraction_fact',
  properties: {
    /** Made of identity, kind and normal form, with the plugin's key: the same fact twice is one row, whoever writes first. */
    id: p.string().length(32).primary(),
    /** Rows of before had an id without a key, from which a number could be guessed; they get a new one, see `keyFacts`. */
    keyed: p.boolean().default(false),
    identityId: p.string().length(26),
    /** Who the identity belongs to today; follows merges. */
    contactId: p.string().length(26),
    kind: p.string().length(10).$type<Kind>(),
    normal: sealed('extraction_fact.normal', longestNormal),
    value: sealed('extraction_fact.value', longestValue),
    whose: p.string().length(10).default(''),
    rule: p.string().length(40),
    /** Percent. */
    confidence: p.integer(),
    state: p.string().length(10).$type<FactState>(),
    /** Contact and tag have been seen to: until then every delivery tries again. */
    settled: p.boolean().default(false),
    /** The tag it put on. */
    tagged: p.string().length(30).default(''),
    /** What stood in the field when a person decided, for taking it back. */
    before: sealed('extraction_fact.before', longestValue),
    decidedById: p.string().length(26).nullable(),
    decidedAt: p.datetime(3).nullable(),
    createdAt: p.datetime(3),
  },
  indexes: [
    { properties: ['contactId', 'createdAt'], name: 'extraction_fact_contact' },
    { properties: ['identityId'], name: 'extraction_fact_identity' },
    { properties: ['keyed'], name: 'extraction_fact_keyed' },
  ],
})
export class Fact extends FactSchema.class {}
FactSchema.setClass(Fact)

const MarkSchema = defineEntity({
  name: 'ExtractionMark',
  tableName: 'extraction_mark',
  properties: {
    messageId: p.string().length(26).primary(),
    factId: p.string().length(32).primary(),
    /** Which part of the message, and where in its text (a card's fields, a line of `label: value` for each), in UTF-16 units. */
    part: p.integer().primary(),
    startAt: p.integer().primary(),
    endAt: p.integer(),
    conversationId: p.string().length(26),
    seq: p.integer(),
  },
  indexes: [
    { properties: ['conversationId', 'factId'], name: 'extraction_mark_conversation' },
    { properties: ['factId'], name: 'extraction_mark_fact' },
  ],
})
export class Mark extends MarkSchema.class {}
MarkSchema.setClass(Mark)

const RuleSchema = defineEntity({
  name: 'ExtractionRule',
  tableName: 'extraction_rule',
  properties: {
    /** A built-in rule's name (then the row only says whether it is on), or one of our own. */
    id: p.string().length(40).primary(),
    enabled: p.boolean().default(true),
    own: p.boolean().default(false),
    kind: p.string().length(10).default(''),
    /** JSON of an own rule. */
    definition: p.text(),
    createdAt: p.datetime(3),
  },
})
export class RuleRow extends RuleSchema.class {}
RuleSchema.setClass(RuleRow)

export const entities = [FactSchema, MarkSchema, RuleSchema]
