/**
 * Everything that changes a conversation goes through one of these: it numbers messages, counts revisions, keeps
 * what was before, and collects what is to be told once the transaction has committed.
 */
import type { LetterMeta } from '../../../sdk/channel.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { HubEventName, HubEvents } from '../../../sdk/events.ts'
import { besidesOf, inLine, type MessagePart, textOf } from '../../../sdk/message-parts.ts'
import { whoDoes } from '../../access/doing.ts'
import type { Em } from '../../db/orm.ts'
import { retryOnConflict } from '../../db/retry.ts'
import { changedProperties, forUpdate, insertRows, list, readRows, sql, updateRows } from '../../db/statements.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { announce } from '../../realtime/announce.ts'
import type { Reply } from '../contact/contact.entity.ts'
import { CallMessage, Delivery, type Direction, Message, type MessageStatus, Outbound } from '../message/message.entity.ts'
import { attachmentsOf } from '../record/attachments.ts'
import { Assignment, Conversation, ConversationAgent } from './conversation.entity.ts'
import { firstWords } from './conversation.present.ts'
import { conversationFacts, messageFacts } from './facts.ts'
import { type Visibility, visibilityOf } from './visibility.ts'

export interface NewMessage {
  direction: Direction
  parts: MessagePart[]
  authorId?: string | null
  /** The identity of who wrote it, where it is not the conversation's. */
  writerId?: string | null
  status?: MessageStatus
  /** Unique in the inbox; a system line makes its own. */
  dedupeKey?: string
  replyToId?: string | null
  sentAt?: Date
  /** Goes to a platform that may refuse it: an outbound row is written with it, and holds the reply grants it uses. */
  outbound?: { grants: Reply[] | null } | undefined
  externalId?: string | null
  meta?: LetterMeta | null
  /** Adds to what is there: nobody is waiting for an answer because of it, and nobody had one. */
  quiet?: boolean
}

/**
 * Fewest messages of a page of changes: more than one revision can hold (a full inbound batch is one), else whoever
 * pages by revision would stand still before a big one.
 */
export const changesPage = 100

interface PendingEvent {
  name: HubEventName
  data: () => HubEvents[HubEventName]
}

export class ConversationChange {
  readonly conversation: Conversation
  /** Who could see it before: needed to tell those who no longer can. Null for one that is being opened. */
  readonly before: Visibility | null
  readonly at: Date
  readonly added: Message[] = []
  readonly changed: Message[] = []
  readonly outbound: { message: Message; grants: Reply[] | null }[] = []
  readonly assignments: Assignment[] = []
  readonly events: PendingEvent[] = []
  /** As it was read: only what differs is written. */
  readonly read: Conversation
  /** The customer's external id, where it is known already: saves a look-up after the commit. */
  customer: string | undefined

  /** Of a conversation that there is, as it was read under its lock. */
  static of(conversation: Conversation): ConversationChange {
    return new ConversationChange(conversation, visibilityOf(conversation))
  }

  constructor(conversation: Conversation, before: Visibility | null, at = new Date()) {
    this.conversation = conversation
    this.before = before
    this.at = at
    this.read = { ...conversation }
    conversation.rev += 1
    conversation.changedAt = at
  }

  append(input: NewMessage): Message {
    const { conversation, at } = this
    conversation.lastSeq += 1
    if (input.direction !== 'system') conversation.messages += 1
    const text = textOf(input.parts)
    const message = {
      id: newId(),
      conversationId: conversation.id,
      inboxId: conversation.inboxId,
      seq: conversation.lastSeq,
      rev: conversation.rev,
      direction: input.direction,
      authorId: input.authorId ?? null,
      writerId: input.writerId ?? null,
      parts: input.parts,
      text,
      besides: foundBeside(input),
      status: input.status ?? (input.direction === 'in' ? 'received' : 'sent'),
      dedupeKey: input.dedupeKey ?? `sys:${newId()}`,
      externalId: input.externalId ?? null,
      replyToId: input.replyToId ?? null,
      failure: null,
      failureText: null,
      meta: input.meta ?? null,
      done: 0,
      round: 1,
      recalledAt: null,
      sentAt: input.sentAt ?? at,
      createdAt: at,
    } as Message
    this.added.push(message)
    if (input.outbound) this.outbound.push({ message, ...input.outbound })
    if (input.direction === 'in' || input.direction === 'out') {
      conversation.attachments |= attachmentsOf(input.parts, text)
      conversation.preview = previewOf(input.parts, text)
      conversation.previewDirection = input.direction
      conversation.lastMessageAt = at
    }
    if (input.direction === 'in') {
      // A machine's letter wakes nobody.
      if (!input.meta?.automatic && !input.quiet) {
        conversation.lastCustomerAt = at
        conversation.waitingSince ??= at
        conversation.unread += 1
      }
      this.event('message.received', () => ({ message: messageFacts(message, conversation), conversation: conversationFacts(conversation) }))
    }
    if (input.direction === 'out') {
      if (!input.quiet) conversation.waitingSince = null
      // Who answers has read what was there.
      if (input.authorId !== null && input.authorId !== undefined) {
        this.readUpTo(conversation.lastSeq)
        conversation.firstReplyAt ??= at
      }
      this.event('message.sent', () => ({ message: messageFacts(message, conversation), conversation: conversationFacts(conversation) }))
    }
    return message
  }

  /** A line of the system's own. */
  line(name: string, params: Record<string, unknown> = {}): Message {
    return this.append({ direction: 'system', parts: [{ type: 'event', name, params }] })
  }

  /** A message of ours did not arrive: its `status` and `failure` say so already. */
  failed(message: Message): void {
    const { failure } = message
    this.event('message.failed', () => ({
      message: messageFacts(message, this.conversation),
      conversation: conversationFacts(this.conversation),
      failure: failure ?? '',
    }))
  }

  /** Before it is done: what an agent does in a conversation that a colleague holds is told by itself. `messageId`: of a reply. */
  assisted(deed: 'reply' | 'transfer' | 'close', byAgentId: string, messageId?: string): void {
    const { id: conversationId, assigneeId } = this.conversation
    if (!assigneeId || assigneeId === byAgentId) return
    this.event('conversation.assisted', () => ({ conversationId, deed, ...(messageId ? { messageId } : {}), assigneeId, byAgentId }))
  }

  /** A message of this conversation that changed. */
  touch(message: Message): void {
    message.rev = this.conversation.rev
    this.changed.push(message)
  }

  readUpTo(seq: number): void {
    if (seq < this.conversation.agentReadSeq) return
    this.conversation.agentReadSeq = seq
    if (seq >= this.conversation.lastSeq) this.conversation.unread = 0
  }

  event<N extends HubEventName>(name: N, data: () => HubEvents[N]): void {
    this.events.push({ name, data })
  }
}

/** What a new message is found by besides its words. */
function foundBeside({ parts, meta }: NewMessage): string | null {
  return [inLine(meta?.subject ?? ''), ...besidesOf(parts)].filter(Boolean).join('\n') || null
}

/** The words of the list's second line; empty for a picture, whose kind the UI words. */
function previewOf(parts: readonly MessagePart[], text: string): string {
  if (text !== '') return firstWords(text)
  return `[${parts[0]?.type ?? 'unsupported'}]`
}

/** Writes what the changes hold, in the caller's transaction, few statements for many changes. Returns what to do after the commit. */
export async function writeChanges(hub: Hub, em: Em, changes: readonly ConversationChange[]): Promise<() => void> {
  const opened = changes.filter((change) => change.before === null).map(({ conversation }) => conversation)
  await insertRows(em, Conversation, opened)
  await insertRows(
    em,
    Message,
    changes.flatMap((change) => change.added),
  )
  await insertRows(
    em,
    CallMessage,
    changes.flatMap((change) =>
      change.added
        .filter(({ parts }) => parts.some((part) => part.type === 'call'))
        .map(({ id, conversationId, sentAt }) => ({ messageId: id, conversationId, at: sentAt })),
    ),
  )
  await updateConversations(
    em,
    changes.filter((change) => change.before !== null),
  )
  await updateRows(
    em,
    Message,
    changes.flatMap((change) => change.changed),
    ['rev', 'direction', 'parts', 'text', 'status', 'externalId', 'failure', 'failureText', 'recalledAt'],
  )
  const outbound = changes.flatMap((change) =>
    change.outbound.map(({ message, grants }) => ({
      messageId: message.id,
      conversationId: message.conversationId,
      seq: message.seq,
      state: 'queued' as const,
      attempts: 0,
      grants,
      dueAt: change.at,
      createdAt: change.at,
    })),
  )
  await insertRows(em, Outbound, outbound)
  await insertRows(
    em,
    Assignment,
    changes.flatMap((change) => change.assignments),
  )
  const served = changes.flatMap(servedBesides)
  if (served.length > 0) await em.upsertMany(ConversationAgent, served, { onConflictAction: 'ignore' })
  const listeners = await writeEvents(
    hub,
    em,
    changes.flatMap((change) => change.events.map(({ name, data }) => ({ name, data: data() }))),
  )
  return () => {
    for (const { conversation, added } of changes) for (const { direction } of added) hub.metrics.messages.inc({ direction, channel: conversation.channel })
    announce(hub, changes)
    for (const conversationId of new Set(outbound.map((row) => row.conversationId))) hub.queue.hurry('outbound', conversationId)
    for (const listener of listeners) hub.queue.hurry('delivery', listener)
  }
}

/** Who had it until now, or wrote in it and does not have it. */
function servedBesides({ conversation, assignments, added }: ConversationChange): { conversationId: string; agentId: string }[] {
  const before = assignments.map(({ fromAgentId }) => fromAgentId)
  const wrote = added.filter(({ direction }) => direction === 'out').map(({ authorId }) => authorId)
  const besides = [...before, ...wrote].filter((id) => typeof id === 'string' && id !== conversation.assigneeId) as string[]
  return [...new Set(besides)].map((agentId) => ({ conversationId: conversation.id, agentId }))
}

/** An event that is to be told. */
export type EventToTell = { [N in HubEventName]: { name: N; data: HubEvents[N] } }[HubEventName]

/** Owes events to their listeners, in the caller's transaction; returns the listeners to hurry after the commit. */
export async function writeEvents(hub: Hub, em: Em, events: readonly { name: HubEventName; data: HubEvents[HubEventName] }[]): Promise<Set<string>> {
  const now = new Date()
  const by = whoDoes()
  const rows = events.flatMap(({ name, data }) => {
    const eventId = newId()
    return hub.kernel.listeners(name).map((listener) => ({
      id: newId(),
      eventId,
      listener,
      name,
      data,
      doneBy: by,
      attempts: 0,
      holder: null,
      error: '',
      dueAt: now,
      createdAt: now,
    }))
  })
  await insertRows(em, Delivery, rows)
  return new Set(rows.map((row) => row.listener))
}

/** Does `work` in a transaction and owes the events it returns in the same one: what was done and not told of cannot be. */
export async function commitWithEvents(hub: Hub, work: (em: Em) => Promise<Parameters<typeof writeEvents>[2]>): Promise<void> {
  const listeners = await hub.em().transactional(async (tx) => writeEvents(hub, tx as Em, await work(tx as Em)))
  for (const listener of listeners) hub.queue.hurry('delivery', listener)
}

/** Tells of what changes no row (a view, a download, a failed sign-in), in a transaction of its own. */
export async function tellEvents(hub: Hub, events: Parameters<typeof writeEvents>[2]): Promise<void> {
  await commitWithEvents(hub, async () => events)
}

/** Conversations in which the same columns changed are one statement. */
async function updateConversations(em: Em, changes: readonly ConversationChange[]): Promise<void> {
  const groups = Map.groupBy(
    changes.map(({ read, conversation }) => ({ conversation, properties: changedProperties(em, Conversation, read, conversation) })),
    ({ properties }) => properties.join(),
  )
  for (const group of groups.values())
    await updateRows(
      em,
      Conversation,
      group.map(({ conversation }) => conversation),
      group[0]?.properties ?? [],
    )
}

/** Rows locked until the commit, by id so that two transactions never wait for each other in a circle. */
export async function lockConversations(em: Em, ids: readonly string[]): Promise<Map<string, Conversation>> {
  if (ids.length === 0) return new Map()
  const rows = await readRows(em, Conversation, sql`where id in ${list(ids)} order by id ${forUpdate(em)}`)
  return new Map(rows.map((row) => [row.id, row]))
}

/**
 * Changes one conversation: locks it, lets `work` change it, writes, commits, then tells everybody.
 * `work` may return early with `false` when there is nothing to do: then nothing is written or told.
 * Throws HUB_NOT_FOUND; what `work` throws rolls back.
 */
export async function changeConversation<T>(
  hub: Hub,
  id: string,
  work: (change: ConversationChange, em: Em) => Promise<T | false>,
): Promise<{ result: T | false; conversation: Conversation }> {
  return retryOnConflict(async () => {
    let after: (() => void) | undefined
    const outcome = await hub.em().transactional(async (tx) => {
      const em = tx as Em
      const conversation = (await lockConversations(em, [id])).get(id)
      if (!conversation) throw new HubError('HUB_NOT_FOUND', 'There is no such conversation')
      const change = ConversationChange.of(conversation)
      const result = await work(change, em)
      if (result !== false) after = await writeChanges(hub, em, [change])
      return { result, conversation }
    })
    after?.()
    return outcome
  })
}

/** Locked and written in one go. */
const pageOfRows = 200

/**
 * Changes those of these conversations (by id, in order) that are `concerned` once they are locked, in the caller's
 * transaction. Returns how many, and what to do after the commit.
 */
export async function changeAmong(
  hub: Hub,
  em: Em,
  ids: readonly string[],
  concerned: (conversation: Conversation) => boolean,
  work: (change: ConversationChange) => Promise<void> | void,
): Promise<{ count: number; after: () => void }> {
  const tells: (() => void)[] = []
  let count = 0
  for (let from = 0; from < ids.length; from += pageOfRows) {
    const locked = await lockConversations(em, ids.slice(from, from + pageOfRows))
    const changes = [...locked.values()].filter(concerned).map(ConversationChange.of)
    for (const change of changes) await work(change)
    tells.push(await writeChanges(hub, em, changes))
    count += changes.length
  }
  return {
    count,
    after: () => {
      for (const tell of tells) tell()
    },
  }
}
