/** Holds what senders were told and what screens show against the rows of the database. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createConnection } from 'mysql2/promise'
import type { Message } from '../../core/sdk/wire/conversation.ts'
import type { CustomerMessage, CustomerThread } from '../../core/sdk/wire/customer.ts'
import { keyringOf } from '../../core/src/sealing/keyring.ts'
import type { AgentClient, Saying } from './clients.ts'
import { type Cluster, secret } from './cluster.ts'

interface ConversationRow {
  id: string
  inbox_id: string
  external_id: string
  status: string
  assignee_id: string | null
  last_seq: number
  rev: number
  unread: number
  preview: string
  agent_read_seq: number
  customer_read_seq: number
}

interface MessageRow {
  id: string
  conversation_id: string
  seq: number
  rev: number
  direction: string
  text: string
  parts: string
  status: string
  failure: string | null
  recalled_at: unknown
}

/** Somebody on a site, and what one of their windows shows. */
export interface Talker {
  said: readonly Saying[]
  externalId: string
}
export interface Shown {
  name: string
  messages: ReadonlyMap<string, CustomerMessage>
  conversation: CustomerThread['conversation']
}

/** The rows that count, oldest first. */
export interface Truth {
  conversations: ConversationRow[]
  messages: MessageRow[]
  openCounts: Map<string, number>
  /** Events accepted but not yet turned into messages, those given up included. */
  parked: number
}

const queries = {
  conversations:
    'select c.id, c.inbox_id, i.external_id, i.sealed_id, c.status, c.assignee_id, c.last_seq, c.rev, c.unread, c.preview, c.agent_read_seq, c.customer_read_seq from conversation c join identity i on i.id = c.identity_id order by c.created_at, c.id',
  messages: 'select id, conversation_id, seq, rev, direction, text, parts, status, failure, recalled_at from message order by conversation_id, seq',
  agents: 'select id, open_count from agent',
  parked: 'select count(*) as n from inbound_event',
}

/** Reads the database itself, past the hub. */
export async function readTruth({ profile, dataDir, databaseUrl }: Cluster): Promise<Truth> {
  const rows: Record<string, Record<string, unknown>[]> = {}
  const keys = keyringOf({ dataDir, secret })
  if (profile === 'embedded') {
    const sqlite = new DatabaseSync(join(dataDir, 'hub.sqlite'), { readOnly: true })
    sqlite.exec('begin')
    for (const [name, sql] of Object.entries(queries)) rows[name] = sqlite.prepare(sql).all() as Record<string, unknown>[]
    sqlite.close()
  } else {
    const mysql = await createConnection({ uri: databaseUrl })
    await mysql.query('start transaction with consistent snapshot')
    for (const [name, sql] of Object.entries(queries)) rows[name] = (await mysql.query(sql))[0] as Record<string, unknown>[]
    await mysql.end()
  }
  return {
    conversations: (rows.conversations as unknown as (ConversationRow & { sealed_id: string })[]).map(({ sealed_id, ...row }) => ({
      ...row,
      external_id: sealed_id === '' ? row.external_id : keys.open('identity.sealed_id', sealed_id),
    })),
    messages: rows.messages as unknown as MessageRow[],
    openCounts: new Map(rows.agents?.map(({ id, open_count }) => [String(id), Number(open_count)])),
    parked: Number(rows.parked?.[0]?.n),
  }
}

/** What was found; every list must be empty. */
export interface Findings {
  /** Acknowledged, and not there. */
  losses: string[]
  /** Said once, there twice. */
  doubles: string[]
  /** Stored in another order than said, or numbered with a gap. */
  misordered: string[]
  /** Book-keeping that does not add up. */
  miscounted: string[]
}

/** Holds the senders' words against the rows. */
export function checkMessages(truth: Truth, visitors: readonly Talker[], agents: readonly AgentClient[]): Findings {
  const found: Findings = { losses: [], doubles: [], misordered: [], miscounted: [] }
  const order = new Map(truth.conversations.map(({ id }, index) => [id, index]))
  const byText = Map.groupBy(truth.messages, ({ text }) => text)

  const checkSayings = (sayings: readonly Saying[], direction: readonly string[], isOwn: (row: MessageRow) => boolean, thread: (row: MessageRow) => string) => {
    const last = new Map<string, { text: string; at: readonly [number, number] }>()
    for (const { text, fate } of sayings) {
      const rows = (byText.get(text) ?? []).filter((row) => direction.includes(row.direction))
      if (rows.length > 1) found.doubles.push(`${text}: ${rows.length} times`)
      const [row] = rows
      if (fate !== 'acknowledged') continue
      if (!row || !isOwn(row)) {
        found.losses.push(text)
        continue
      }
      const at = [order.get(row.conversation_id) ?? -1, row.seq] as const
      const before = last.get(thread(row))
      if (before && (before.at[0] > at[0] || (before.at[0] === at[0] && before.at[1] >= at[1]))) found.misordered.push(`${text} stands before ${before.text}`)
      last.set(thread(row), { text, at })
    }
  }
  const ownerOf = new Map(truth.conversations.map(({ id, external_id }) => [id, external_id]))
  for (const visitor of visitors)
    checkSayings(
      visitor.said,
      ['in'],
      (row) => ownerOf.get(row.conversation_id) === visitor.externalId,
      () => '',
    )
  for (const agent of agents) {
    const where = new Map(agent.said.map(({ text, conversationId }) => [text, conversationId]))
    checkSayings(
      agent.said,
      ['out', 'note'],
      (row) => where.get(row.text) === row.conversation_id,
      (row) => row.conversation_id,
    )
  }

  const messagesOf = Map.groupBy(truth.messages, ({ conversation_id }) => conversation_id)
  for (const { id, last_seq, rev } of truth.conversations) {
    const messages = messagesOf.get(id) ?? []
    if (messages.some(({ seq }, index) => seq !== index + 1) || messages.length !== last_seq)
      found.misordered.push(`conversation ${id} has the numbers ${messages.map(({ seq }) => seq).join(' ')} and says ${last_seq}`)
    if (messages.some((message) => message.rev > rev)) found.miscounted.push(`conversation ${id} is at revision ${rev}, a message of it beyond`)
  }
  for (const [agentId, count] of truth.openCounts) {
    const open = truth.conversations.filter(({ assignee_id, status }) => assignee_id === agentId && status === 'open').length
    if (open !== count) found.miscounted.push(`agent ${agentId} has ${open} open conversations and is said to have ${count}`)
  }
  return found
}

/** What a screen shows and the database does not, or the other way round; undefined when they agree. */
export function checkAgent(truth: Truth, agent: AgentClient): string | undefined {
  const visible = truth.conversations.filter(({ assignee_id, status }) => agent.seesAll || assignee_id === agent.id || status === 'queued')
  const messagesOf = Map.groupBy(truth.messages, ({ conversation_id }) => conversation_id)
  const shown = new Set(visible.map(({ id }) => id))
  for (const id of agent.held.keys()) if (!shown.has(id)) return `${agent.name} still shows conversation ${id}`
  for (const row of visible) {
    const held = agent.held.get(row.id)
    if (!held?.conversation) return `${agent.name} does not show conversation ${row.id}`
    const { conversation: c } = held
    const head = differs(
      [c.rev, c.status, c.assigneeId, c.lastSeq, c.unread, c.preview, c.agentReadSeq, c.customerReadSeq],
      [row.rev, row.status, row.assignee_id, row.last_seq, row.unread, row.preview, row.agent_read_seq, row.customer_read_seq],
    )
    if (head) return `${agent.name} shows conversation ${row.id} as ${head}`
    const lines = (messages: readonly Message[]) => messages.toSorted((a, b) => a.seq - b.seq).map((m) => [m.id, m.seq, m.rev, m.direction, m.status, m.parts])
    const body = differs(
      lines([...held.messages.values()]),
      (messagesOf.get(row.id) ?? []).map((m) => [m.id, m.seq, m.rev, m.direction, m.status, partsOf(m)]),
    )
    if (body) return `${agent.name} shows in conversation ${row.id}: ${body}`
  }
  return undefined
}

/** What was taken back is shown to nobody. */
const partsOf = ({ parts, recalled_at }: MessageRow) => (recalled_at === null ? JSON.parse(parts) : [])

/** Lines of the system that a customer sees. */
const shownLines = new Set(['conversation.closed', 'conversation.rated'])

/** The same for a visitor's window: all conversations of the visitor, without notes and what is the house's business. */
export function checkVisitor(truth: Truth, externalId: string, screen: Shown): string | undefined {
  const own = truth.conversations.filter((row) => row.external_id === externalId)
  const order = new Map(own.map(({ id }, index) => [id, index]))
  const rows = truth.messages
    .filter((row) => order.has(row.conversation_id))
    .filter((row) => row.direction === 'in' || row.direction === 'out' || (row.direction === 'system' && shownLines.has(JSON.parse(row.parts)[0]?.name)))
    .toSorted((a, b) => (order.get(a.conversation_id) ?? 0) - (order.get(b.conversation_id) ?? 0) || a.seq - b.seq)
  const from = { in: 'me', out: 'agent', system: 'system' } as Record<string, string>
  const words = (parts: readonly { type: string }[]) =>
    JSON.stringify(parts.map((part) => ('text' in part ? part.text : 'name' in part ? part.name : part.type)))
  const difference = differs(
    [...screen.messages.values()]
      .toSorted((a: CustomerMessage, b: CustomerMessage) => (order.get(a.conversationId) ?? -1) - (order.get(b.conversationId) ?? -1) || a.seq - b.seq)
      .map((m) => [m.id, m.seq, m.rev, m.from, words(m.parts)]),
    rows.map((m) => [m.id, m.seq, m.rev, from[m.direction], words(partsOf(m))]),
  )
  if (difference) return `${screen.name} shows ${difference}`
  const now = own.at(-1)
  if (now && (screen.conversation?.id !== now.id || screen.conversation.status !== now.status))
    return `${screen.name} shows its conversation ${screen.conversation?.id} as ${screen.conversation?.status}, it is ${now.id}, ${now.status}`
  return undefined
}

/** The first difference of two lists, in words. */
function differs(shown: readonly unknown[], stored: readonly unknown[]): string | undefined {
  const length = Math.max(shown.length, stored.length)
  for (let i = 0; i < length; i++) {
    const [a, b] = [JSON.stringify(shown[i]), JSON.stringify(stored[i])]
    if (a !== b) return `${a ?? 'nothing'} where ${b ?? 'nothing'} is stored (item ${i + 1}; ${shown.length} shown, ${stored.length} stored)`
  }
  return undefined
}
