/** A new conversation, begun by the customer's first words or by ours. */
import { newId } from '../../db/types.ts'
import type { Identity } from '../contact/contact.entity.ts'
import { externalIdOf } from '../contact/external-id.ts'
import type { Inbox } from '../inbox/inbox.entity.ts'
import { ConversationChange } from './change.ts'
import type { Conversation } from './conversation.entity.ts'
import { conversationFacts } from './facts.ts'

/** Not written yet; the database holds that an identity has one open at most. */
export function openConversation(inbox: Inbox, identity: Identity, by: 'customer' | 'agent'): ConversationChange {
  const now = new Date()
  const conversation = {
    id: newId(),
    inboxId: inbox.id,
    channel: inbox.channel,
    contactId: identity.contactId,
    identityId: identity.id,
    openIdentityId: identity.id,
    status: 'queued',
    assigneeId: null,
    departmentId: inbox.departmentId ?? null,
    skillGroupId: inbox.skillGroupId ?? null,
    lastSeq: 0,
    messages: 0,
    rev: 0,
    agentReadSeq: 0,
    agentDeliveredSeq: 0,
    customerDeliveredSeq: 0,
    customerReadSeq: 0,
    unread: 0,
    preview: '',
    previewDirection: '',
    lastMessageAt: now,
    lastCustomerAt: by === 'customer' ? now : null,
    waitingSince: null,
    grants: identity.grants ?? null,
    rating: null,
    ratingComment: null,
    categoryId: null,
    attachments: 0,
    firstReplyAt: null,
    closeReason: null,
    closedById: null,
    closedAt: null,
    archivedAt: null,
    deletedAt: null,
    deletedById: null,
    purgeAt: null,
    createdAt: now,
    changedAt: now,
  } as Conversation
  const change = new ConversationChange(conversation, null, now)
  change.customer = externalIdOf(identity)
  change.event('conversation.opened', () => ({ conversation: conversationFacts(conversation) }))
  return change
}
