/** The month before the demonstration: what was asked and how it was served, for the overview and the records. */
import type { Em } from '../db/orm.ts'
import { newId } from '../db/types.ts'
import type { Agent } from '../domain/agent/agent.entity.ts'
import { Category } from '../domain/category/category.entity.ts'
import { closeConversation } from '../domain/conversation/close-conversation.ts'
import { Assignment, Conversation } from '../domain/conversation/conversation.entity.ts'
import type { Inbox } from '../domain/inbox/inbox.entity.ts'
import { Message } from '../domain/message/message.entity.ts'
import { rebuildReports } from '../domain/report/keep-reports.ts'
import type { Hub } from '../hub.ts'
import { matters, regulars } from './stories.ts'

const days = 60
const minute = 60_000

/** The same world every time: numbers between 0 and 1 that only look like chance. */
function chance(): () => number {
  let state = 20_261
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

/** Customers come in by the door they all use; what they wrote in the past two months is put behind it. */
export async function fillHistory(hub: Hub, inbox: Inbox, agents: readonly Agent[]): Promise<void> {
  const em = hub.em()
  const next = chance()
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T
  const categories = await makeCategories(em)
  const accepted = await hub.intake.accept(
    inbox.id,
    regulars.map((name) => ({
      kind: 'message' as const,
      externalId: newId(),
      from: { externalId: `demo_${newId()}`, name },
      parts: [{ type: 'text' as const, text: matters[0]?.ask ?? '' }],
    })),
  )
  const met: Conversation[] = []
  for (const { conversationId } of accepted) {
    if (!conversationId) continue
    await closeConversation(hub, conversationId, 'customer', null)
    met.push(await em.findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true }))
  }
  if (met.length === 0) return

  const conversations: Conversation[] = []
  const messages: Message[] = []
  const midnight = new Date().setHours(0, 0, 0, 0)
  for (let day = days; day >= 1; day--) {
    const weekend = [0, 6].includes(new Date(midnight - day * 86_400_000).getDay())
    // A shop that grows a little, and rests a little at the weekend.
    const count = Math.round((weekend ? 5 : 9) + next() * 5 + (days - day) / 15)
    for (let i = 0; i < count; i++) {
      const at = midnight - day * 86_400_000 + (9 + next() ** 1.3 * 12) * 60 * minute
      const [conversation, said] = oneTalk(pick(met), pick(agents), categories, at, next)
      conversations.push(conversation)
      messages.push(...said)
    }
  }
  for (let at = 0; at < conversations.length; at += 100) await em.insertMany(Conversation, conversations.slice(at, at + 100))
  for (let at = 0; at < messages.length; at += 200) await em.insertMany(Message, messages.slice(at, at + 200))
  // What they came in by was only to make them known.
  const doors = met.map(({ id }) => id)
  await em.nativeDelete(Message, { conversationId: { $in: doors } })
  await em.nativeDelete(Assignment, { conversationId: { $in: doors } })
  await em.nativeDelete(Conversation, { id: { $in: doors } })
  // Times were changed behind the reports' back.
  await rebuildReports(em)
}

function oneTalk(
  { inboxId, channel, contactId, identityId }: Conversation,
  agent: Agent,
  categories: readonly Category[],
  start: number,
  next: () => number,
): [Conversation, Message[]] {
  const matter = matters[Math.floor(next() ** 1.6 * matters.length)] as (typeof matters)[number]
  const wait = (10 + next() ** 3 * 600) * 1_000
  const turns = 1 + Math.floor(next() * 3)
  const id = newId()
  const createdAt = new Date(start)
  const said: Message[] = []
  let at = start
  for (let turn = 0; turn < turns; turn++)
    for (const direction of ['in', 'out'] as const) {
      const text = turn > 0 ? (direction === 'in' ? '好的，还想再问一下。' : '您请说，我在的。') : direction === 'in' ? matter.ask : matter.answer
      if (said.length > 0) at += said.length === 1 ? wait : (20 + next() * 120) * 1_000
      said.push({
        id: newId(),
        conversationId: id,
        inboxId,
        seq: said.length + 1,
        rev: 1,
        direction,
        authorId: direction === 'out' ? agent.id : null,
        parts: [{ type: 'text', text }],
        text,
        status: direction === 'in' ? 'received' : 'sent',
        dedupeKey: `demo:${newId()}`,
        done: 0,
        round: 1,
        sentAt: new Date(at),
        createdAt: new Date(at),
      } as Message)
    }
  const closedAt = new Date(at + (60 + next() * 1_500) * 1_000)
  const last = said.at(-1) as Message
  const mood = next()
  const conversation = {
    id,
    inboxId,
    channel,
    contactId,
    identityId,
    openIdentityId: null,
    status: 'closed',
    assigneeId: agent.id,
    departmentId: agent.departmentId ?? null,
    lastSeq: said.length,
    messages: said.length,
    rev: 1,
    agentReadSeq: said.length,
    preview: last.text,
    previewDirection: 'out',
    lastMessageAt: last.createdAt,
    lastCustomerAt: said.at(-2)?.createdAt ?? createdAt,
    rating: mood < 0.42 ? 1 : mood < 0.48 ? 2 : mood < 0.51 ? 3 : null,
    categoryId: next() < 0.92 ? (categories.find(({ name }) => name === matter.category)?.id ?? null) : null,
    firstReplyAt: said[1]?.createdAt ?? null,
    closeReason: 'agent',
    closedById: agent.id,
    closedAt,
    createdAt,
    changedAt: closedAt,
  } as Conversation
  return [conversation, said]
}

async function makeCategories(em: Em): Promise<Category[]> {
  const known = await em.find(Category, {}, { disableIdentityMap: true })
  const missing = [...new Set(matters.map(({ category }) => category))].filter((name) => !known.some((one) => one.name === name))
  const rows = missing.map((name, position) => ({ id: newId(), parentId: '', name, position, retiredAt: null, createdAt: new Date() }) as Category)
  await em.insertMany(Category, rows)
  return [...known, ...rows]
}
