/**
 * Screens that no push reached. The bus may lose what it carries (Redis away, a process killed between its commit and
 * its word), and who hears nothing cannot notice a missing number. So every process with sockets looks at what has
 * changed in the database and tells again what it did not hear of: pushes make screens fast, this makes them certain.
 */
import type { Em } from '../db/orm.ts'
import { readRaw, sql, stored } from '../db/statements.ts'
import { Conversation } from '../domain/conversation/conversation.entity.ts'
import { adapterOf } from '../domain/inbox/channels.ts'
import { Message } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { notifyCustomer } from './notify-customer.ts'

const everyMs = 2_000
/** So long the bus may take. */
const graceMs = 1_000
/** A change of this time ago may have committed after a later one, or by a clock that is behind. */
const overlapMs = 10_000
const page = 500
const kept = 20_000

/** The newest revision told of each conversation; the oldest entries go when there are too many. */
export class ToldRevisions {
  readonly #revs = new Map<string, number>()

  of(conversationId: string): number {
    return this.#revs.get(conversationId) ?? 0
  }

  told(conversationId: string, rev: number): void {
    const before = this.of(conversationId)
    this.#revs.delete(conversationId)
    this.#revs.set(conversationId, Math.max(before, rev))
    if (this.#revs.size > kept) this.#revs.delete(this.#revs.keys().next().value ?? '')
  }
}

export interface CatchUp {
  /** Are there any sockets? Who connects later fetches by itself. */
  needed(): boolean
  /** What this process has told its agents. */
  agents: ToldRevisions
  /** Tells the agents of this process. */
  tell(conversation: Conversation, messages: Message[]): void
}

/** Returns its own undo. */
export function startCatchUp(hub: Hub, { needed, agents, tell }: CatchUp): () => void {
  const customers = new ToldRevisions()
  const undo = hub.bus.subscribe('customer.notified', (data) => {
    const { conversationId, rev } = data as { conversationId: string; rev: number }
    customers.told(conversationId, rev)
  })
  let since = Date.now()
  let stopped = false

  async function look(): Promise<void> {
    const until = Date.now() - graceMs
    if (needed()) {
      const em = hub.em()
      const instant = (ms: number) => stored(em, Conversation, 'changedAt', new Date(ms))
      let [at, id] = [instant(since - overlapMs), '']
      for (;;) {
        // Raw: under load these are hundreds of rows, and messages wait while they are read.
        const rows = await readRaw<{ id: string; rev: number; channel: string; changed_at: string | number }>(
          em,
          sql`select id, rev, channel, changed_at from conversation
              where changed_at <= ${instant(until)} and (changed_at > ${at} or (changed_at = ${at} and id > ${id})) order by changed_at, id ${{ text: `limit ${page}`, params: [] }}`,
        )
        for (const row of rows) {
          if (agents.of(row.id) < row.rev) await tellAgents(em, row.id)
          if (customers.of(row.id) < row.rev && adapterOf(hub, row.channel)?.notify) await tellCustomer(em, row.id, row.rev)
        }
        const last = rows.at(-1)
        if (!last || rows.length < page || stopped) break
        ;[at, id] = [last.changed_at, last.id]
      }
    }
    since = until
  }

  // The last revision, as the bus would have brought it: who misses an earlier one too sees the gap.
  async function tellAgents(em: Em, id: string): Promise<void> {
    const conversation = await em.findOne(Conversation, { id }, { disableIdentityMap: true })
    if (!conversation) return
    const messages = await em.find(Message, { conversationId: id, rev: conversation.rev }, { orderBy: { seq: 'asc' }, limit: page, disableIdentityMap: true })
    tell(conversation, messages)
  }

  async function tellCustomer(em: Em, id: string, rev: number): Promise<void> {
    // Reading, assigning and notes are no news for the customer.
    const news = await em.find(
      Message,
      { conversationId: id, rev: { $gt: customers.of(id) }, direction: { $ne: 'note' } },
      { limit: 1, fields: ['id'], disableIdentityMap: true },
    )
    const conversation = news.length > 0 && (await em.findOne(Conversation, { id }, { disableIdentityMap: true }))
    if (conversation) notifyCustomer(hub, conversation, { kind: 'changed', rev: conversation.rev })
    else customers.told(id, rev)
  }

  let timer: NodeJS.Timeout
  const again = (): void => {
    timer = setTimeout(() => {
      void look()
        .catch((error) => stopped || hub.log.warn({ err: error }, 'could not look for missed changes'))
        .finally(() => stopped || again())
    }, everyMs)
  }
  again()
  return () => {
    stopped = true
    clearTimeout(timer)
    undo()
  }
}
