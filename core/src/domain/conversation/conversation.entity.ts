import { defineEntity, p } from '@mikro-orm/core'
import type { DraftContent } from '../../../sdk/wire/conversation.ts'
import { idColumn, instant, json, nullableJson } from '../../db/types.ts'
import type { Grant } from '../contact/contact.entity.ts'

export type ConversationStatus = 'queued' | 'open' | 'closed'
/** The `closeReason` of what was closed from the start: a machine's letter or an echo came, and nobody was to be woken. */
export const quietReason = 'quiet'

const facets = [
  'status',
  'inboxId',
  'channel',
  'assigneeId',
  'departmentId',
  'skillGroupId',
  'categoryId',
  'rating',
  'attachments',
  'archivedAt',
  'deletedAt',
  'contactId',
] as const

const ConversationSchema = defineEntity({
  name: 'Conversation',
  tableName: 'conversation',
  properties: {
    id: idColumn().primary(),
    inboxId: idColumn(),
    channel: p.string().length(40),
    contactId: idColumn(),
    identityId: idColumn(),
    /** The identity while it is open, null once closed: unique, so the database holds "one open conversation per identity". */
    openIdentityId: idColumn().nullable(),
    status: p.string().length(10).$type<ConversationStatus>(),
    assigneeId: idColumn().nullable(),
    departmentId: idColumn().nullable(),
    skillGroupId: idColumn().nullable(),
    /** Number of the last message. */
    lastSeq: p.integer().default(0),
    /** How many of them people said: the customer's, ours and notes, without the hub's own lines. */
    messages: p.integer().default(0),
    /** Counts every change of the conversation or a message of it: who holds an older number fetches the gap. */
    rev: p.integer().default(0),
    /** Number of the last message the assignee has seen, some agent's workbench has got, the customer has got, the customer has seen. */
    agentReadSeq: p.integer().default(0),
    agentDeliveredSeq: p.integer().default(0),
    customerDeliveredSeq: p.integer().default(0),
    customerReadSeq: p.integer().default(0),
    /** Customer messages the assignee has not seen. */
    unread: p.integer().default(0),
    preview: p.string().length(200).default(''),
    previewDirection: p.string().length(10).default(''),
    lastMessageAt: instant(),
    lastCustomerAt: instant().nullable(),
    /** The customer's first message that nobody has answered yet. */
    waitingSince: instant().nullable(),
    /** The identity's reply grants as they are now: a copy, so that every list and push carries them. */
    grants: nullableJson<Grant[]>(),
    /** 1 good … 3 bad, by the customer. */
    rating: p.integer().nullable(),
    ratingComment: p.string().length(500).nullable(),
    /** The kind of matter. */
    categoryId: idColumn().nullable(),
    /** Which kinds of attachment it holds, a bit each (`attachmentBits`). */
    attachments: p.integer().default(0),
    /** When a person first answered. */
    firstReplyAt: instant().nullable(),
    closeReason: p.string().length(20).nullable(),
    closedById: idColumn().nullable(),
    closedAt: instant().nullable(),
    /** Put away: out of the everyday lists, found by its status. Only what is closed can be. */
    archivedAt: instant().nullable(),
    /** In the recycle bin: nobody reads it but who may restore. */
    deletedAt: instant().nullable(),
    deletedById: idColumn().nullable(),
    /** When it goes for good. */
    purgeAt: instant().nullable(),
    createdAt: instant(),
    /** Time of the last change of any kind; what a client that was away asks by. */
    changedAt: instant(),
  },
  uniques: [{ properties: ['openIdentityId'], name: 'conversation_open_unique' }],
  indexes: [
    { properties: ['assigneeId', 'status', 'lastMessageAt', 'id'], name: 'conversation_assignee' },
    { properties: ['departmentId', 'status', 'lastMessageAt', 'id'], name: 'conversation_department' },
    { properties: ['status', 'lastMessageAt', 'id'], name: 'conversation_status' },
    { properties: ['contactId', 'lastMessageAt', 'id'], name: 'conversation_contact' },
    { properties: ['contactId', 'createdAt', 'id'], name: 'conversation_contact_begun' },
    { properties: ['identityId', 'createdAt'], name: 'conversation_identity' },
    { properties: ['changedAt', 'id'], name: 'conversation_changed' },
    { properties: ['purgeAt'], name: 'conversation_purge' },
    // The lists of records (`record/find`): along a time, with all that conditions ask for beside it; or from what is rare.
    { properties: ['lastMessageAt', 'id', ...facets], name: 'conversation_record' },
    { properties: ['createdAt', 'id', ...facets], name: 'conversation_record_created' },
    { properties: ['inboxId', 'id'], name: 'conversation_inbox' },
    { properties: ['skillGroupId', 'id'], name: 'conversation_skill_group' },
    { properties: ['categoryId', 'id'], name: 'conversation_category' },
    { properties: ['rating', 'id'], name: 'conversation_rating' },
    { properties: ['archivedAt', 'id'], name: 'conversation_archived' },
    { properties: ['deletedAt', 'id'], name: 'conversation_deleted' },
    { properties: ['closedAt', 'id'], name: 'conversation_closed' },
  ],
})
export class Conversation extends ConversationSchema.class {}
ConversationSchema.setClass(Conversation)

const StarSchema = defineEntity({
  name: 'Star',
  tableName: 'conversation_star',
  properties: { agentId: idColumn().primary(), conversationId: idColumn().primary(), createdAt: instant() },
  indexes: [{ properties: ['conversationId'], name: 'conversation_star_conversation' }],
})
export class Star extends StarSchema.class {}
StarSchema.setClass(Star)

const DraftSchema = defineEntity({
  name: 'Draft',
  tableName: 'draft',
  properties: {
    agentId: idColumn().primary(),
    conversationId: idColumn().primary(),
    content: json<DraftContent>(),
    updatedAt: instant(),
  },
})
export class Draft extends DraftSchema.class {}
DraftSchema.setClass(Draft)

const AssignmentSchema = defineEntity({
  name: 'Assignment',
  tableName: 'assignment',
  properties: {
    id: idColumn().primary(),
    conversationId: idColumn(),
    fromAgentId: idColumn().nullable(),
    toAgentId: idColumn().nullable(),
    byAgentId: idColumn().nullable(),
    /** routed, forced, taken, begun, transferred, away, closed, unassigned */
    reason: p.string().length(20),
    createdAt: instant(),
  },
  indexes: [{ properties: ['conversationId', 'createdAt'], name: 'assignment_conversation' }],
})
export class Assignment extends AssignmentSchema.class {}
AssignmentSchema.setClass(Assignment)

/** Who served a conversation besides the one who has it: had it before, or wrote to its customer. Most have nobody here. */
const ConversationAgentSchema = defineEntity({
  name: 'ConversationAgent',
  tableName: 'conversation_agent',
  properties: { conversationId: idColumn().primary(), agentId: idColumn().primary() },
  indexes: [{ properties: ['agentId', 'conversationId'], name: 'conversation_agent_agent' }],
})
export class ConversationAgent extends ConversationAgentSchema.class {}
ConversationAgentSchema.setClass(ConversationAgent)

const ConversationTagSchema = defineEntity({
  name: 'ConversationTag',
  tableName: 'conversation_tag',
  properties: { conversationId: idColumn().primary(), tagId: idColumn().primary(), byAgentId: idColumn().nullable(), createdAt: instant() },
  indexes: [{ properties: ['tagId', 'conversationId'], name: 'conversation_tag_tag' }],
})
export class ConversationTag extends ConversationTagSchema.class {}
ConversationTagSchema.setClass(ConversationTag)

export const conversationEntities = [ConversationSchema, StarSchema, DraftSchema, AssignmentSchema, ConversationAgentSchema, ConversationTagSchema]
