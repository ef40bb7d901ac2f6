/** The only way records become JSON: a few queries for any number of them. */
import type { RecordContactField } from '../../../sdk/records.ts'
import { type AttachmentKind, attachmentBits, type RecordPerson, type RecordRow, type RecordStatus } from '../../../sdk/wire/record.ts'
import type { HubAbility } from '../../access/ability.ts'
import { maskField } from '../../access/mask-field.ts'
import { maskText } from '../../access/mask-text.ts'
import { contactFields } from '../../access/permissions.ts'
import type { Em } from '../../db/orm.ts'
import type { Actor } from '../../http/auth.ts'
import { Contact } from '../contact/contact.entity.ts'
import { type Conversation, ConversationTag, Star } from '../conversation/conversation.entity.ts'
import { presentBrief, presentPreview } from '../conversation/conversation.present.ts'
import { ConversationSummary } from './record.entity.ts'

const iso = (date: Date | null | undefined): string | null => date?.toISOString() ?? null

export const recordStatus = (c: Pick<Conversation, 'status' | 'archivedAt' | 'deletedAt'>): RecordStatus =>
  c.deletedAt ? 'deleted' : c.archivedAt ? 'archived' : c.status === 'closed' ? 'closed' : 'open'

export const attachmentKinds = (bits: number): AttachmentKind[] =>
  (Object.keys(attachmentBits) as AttachmentKind[]).filter((kind) => (bits & attachmentBits[kind]) !== 0)

const presentPerson = (ability: HubAbility, contact: Contact, brought: readonly RecordContactField[]): RecordPerson => ({
  ...(Object.fromEntries(contactFields.map((field) => [field, maskField(ability, field, contact[field])])) as Omit<RecordPerson, 'remark' | 'fields'>),
  remark: maskText(ability, contact.remark),
  fields: Object.fromEntries(brought.map(({ name, value }) => [name, value])),
})

/** Rows of the list, in the order given; with what is known of the customers where their `brought` fields are given; `hits` are the list's to fill. */
export async function presentRecords(
  em: Em,
  actor: Pick<Actor, 'ability' | 'agent'>,
  conversations: readonly Conversation[],
  brought?: ReadonlyMap<string, readonly RecordContactField[]>,
): Promise<RecordRow[]> {
  if (conversations.length === 0) return []
  const ids = conversations.map((c) => c.id)
  const quiet = { disableIdentityMap: true }
  const contacts = await em.find(
    Contact,
    { id: { $in: [...new Set(conversations.map((c) => c.contactId))] } },
    { fields: ['id', 'number', 'nickname', 'name', 'attributes', ...(brought ? ([...contactFields, 'remark'] as const) : [])], ...quiet },
  )
  const tags = await em.find(ConversationTag, { conversationId: { $in: ids } }, { orderBy: { createdAt: 'asc' }, ...quiet })
  const summaries = await em.find(ConversationSummary, { conversationId: { $in: ids } }, { fields: ['conversationId'], ...quiet })
  const stars = await em.find(Star, { agentId: actor.agent.id, conversationId: { $in: ids } }, quiet)
  const contactOf = new Map(contacts.map((contact) => [contact.id, contact as unknown as Contact]))
  const tagsOf = Map.groupBy(tags, (tag) => tag.conversationId)
  const summarised = new Set(summaries.map((row) => row.conversationId))
  const starred = new Set(stars.map((star) => star.conversationId))
  return conversations.flatMap((c) => {
    const contact = contactOf.get(c.contactId)
    if (!contact) return []
    return {
      id: c.id,
      inboxId: c.inboxId,
      channel: c.channel,
      contact: presentBrief(actor.ability, contact),
      ...(brought ? { person: presentPerson(actor.ability, contact, brought.get(contact.id) ?? []) } : {}),
      status: recordStatus(c),
      assigneeId: c.assigneeId ?? null,
      departmentId: c.departmentId ?? null,
      skillGroupId: c.skillGroupId ?? null,
      categoryId: c.categoryId ?? null,
      tagIds: (tagsOf.get(c.id) ?? []).map((tag) => tag.tagId),
      rating: c.rating ?? null,
      attachments: attachmentKinds(c.attachments),
      summarised: summarised.has(c.id),
      starred: starred.has(c.id),
      messages: c.messages,
      preview: presentPreview(actor.ability, c.preview),
      createdAt: c.createdAt.toISOString(),
      firstReplyAt: iso(c.firstReplyAt),
      lastMessageAt: c.lastMessageAt.toISOString(),
      closedAt: iso(c.closedAt),
      archivedAt: iso(c.archivedAt),
      deletedAt: iso(c.deletedAt),
      deletedById: c.deletedById ?? null,
      purgeAt: iso(c.purgeAt),
      hits: [],
    }
  })
}
