/**
 * The chain. Each entry's hash is an HMAC-SHA256 over its canonical JSON and the hash before it; the key is derived from
 * the hub's secret and stands in no table, so whoever has only the database can neither change an entry nor close the
 * chain again behind one that is gone. The `head` mark, signed as well, moves in the same transaction as the entry is
 * written: two processes cannot write the same number, and a tail that was cut stays a hole for ever.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { DeadlockException, type EntityManager, LockWaitTimeoutException, UniqueConstraintViolationException } from '@mikro-orm/core'
import { Entry, Mark, RecordLink } from './audit.entity.ts'

/** What the chain needs of a context: the command that verifies has no more. */
export type ChainCtx = Pick<PluginContext, 'em' | 'sign'>

export interface Deed {
  eventId: string
  event: string
  at: Date
  agentId: string | null
  tokenId: string | null
  ip: string
  subjectKind: string
  subjectId: string
  count: number | null
  reason: string
  details: Record<string, unknown>
  /** Records it is about, for their own logs. */
  conversationIds: readonly string[]
}

const attempts = 40
const quiet = { disableIdentityMap: true } as const

/** The same for the same content, whatever the order of its keys. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item ?? null)).join()}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return `{${fields
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`)
    .join()}}`
}

export function hashOf(ctx: Pick<ChainCtx, 'sign'>, { hash: _, ...entry }: Omit<Entry, 'hash'> & { hash?: string }): string {
  return ctx.sign(`entry:${canonical({ ...entry, at: entry.at.toISOString() })}`)
}

const macOf = (ctx: Pick<ChainCtx, 'sign'>, name: Mark['name'], seq: number, hash: string): string => ctx.sign(`${name}:${seq}:${hash}`)
export const isSigned = (ctx: Pick<ChainCtx, 'sign'>, { name, seq, hash, mac }: Mark): boolean => mac === macOf(ctx, name, seq, hash)

/** Writes one of the marks down, in the caller's unit of work. */
export async function setMark(ctx: ChainCtx, em: EntityManager, name: Mark['name'], seq: number, hash: string, at: Date): Promise<void> {
  await em.upsert(Mark, { name, seq, hash, mac: macOf(ctx, name, seq, hash), at })
}
export const findMark = (em: EntityManager, name: Mark['name']): Promise<Mark | null> => em.findOne(Mark, { name }, quiet)

/** Appends, or finds it there already. Returns the entry's number, and whether this call wrote it. */
export async function append(ctx: ChainCtx, deed: Deed): Promise<{ seq: number; written: boolean }> {
  for (let attempt = 1; ; attempt++) {
    const em = ctx.em()
    const known = await em.findOne(Entry, { eventId: deed.eventId }, { fields: ['seq'], ...quiet })
    if (known) return { seq: known.seq, written: false }
    try {
      const head = await soundHead(ctx, em)
      const seq = await em.transactional((tx) => writeNext(ctx, tx, head, deed))
      if (seq !== undefined) return { seq, written: true }
    } catch (error) {
      const conflict = error instanceof UniqueConstraintViolationException || error instanceof DeadlockException || error instanceof LockWaitTimeoutException
      if (!conflict || attempt >= attempts) throw error
    }
    if (attempt >= attempts) throw new Error('The audit log did not get its turn')
    await sleep(Math.random() * 5 * attempt)
  }
}

/** Undefined when another process was faster. The head goes first: whoever moves it holds the only turn there is. */
async function writeNext(ctx: ChainCtx, tx: EntityManager, head: Mark, { details, conversationIds, ...deed }: Deed): Promise<number | undefined> {
  const seq = head.seq + 1
  const row = storable({ ...deed, seq, details: detailsText(details), previous: head.hash } as Entry)
  row.hash = hashOf(ctx, row)
  const moved = await tx.nativeUpdate(
    Mark,
    { name: 'head', seq: head.seq, mac: head.mac },
    { seq, hash: row.hash, mac: macOf(ctx, 'head', seq, row.hash), at: deed.at },
  )
  if (moved === 0) return undefined
  await tx.insert(Entry, row)
  if (conversationIds.length > 0)
    await tx.insertMany(
      RecordLink,
      [...new Set(conversationIds)].map((conversationId) => ({ conversationId, seq })),
    )
  return seq
}

/** As the database gives it back: half a character (a lone surrogate) is replaced before the hash is taken, not after. */
const storable = <T extends object>(row: T): T =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, typeof value === 'string' ? value.toWellFormed() : value])) as T

const mostDetails = 20_000
function detailsText(details: Record<string, unknown>): string {
  const text = canonical(details)
  return Buffer.byteLength(text) <= mostDetails ? text : canonical({ tooLong: true, fields: Object.keys(details).slice(0, 50) })
}

/** The records that an entry names; undefined where it had to leave out what it says. */
export function recordsOf({ subjectKind, subjectId, details }: Pick<Entry, 'subjectKind' | 'subjectId' | 'details'>): Set<string> | undefined {
  const said = JSON.parse(details) as { conversationIds?: unknown; conversationId?: unknown; messageId?: unknown; tooLong?: true }
  const { conversationIds = [], conversationId, messageId, tooLong } = said
  // What was revealed in a message did not say of which record, once.
  if (tooLong || (subjectKind === 'contact' && messageId && !conversationId)) return undefined
  const named = Array.isArray(conversationIds) ? conversationIds : []
  return new Set([...named, conversationId, subjectKind === 'record' ? subjectId : ''].filter((id): id is string => typeof id === 'string' && id.length === 26))
}

/** The head. One that is gone or forged is made anew behind the newest entry there is, and the log says so. */
async function soundHead(ctx: ChainCtx, em: EntityManager): Promise<Mark> {
  const head = await findMark(em, 'head')
  if (head && isSigned(ctx, head)) return head
  const [last] = await em.find(Entry, {}, { orderBy: { seq: 'desc' }, limit: 1, ...quiet })
  const anchor = await findMark(em, 'anchor')
  const end = last ?? anchor
  const made = { name: 'head', seq: end?.seq ?? 0, hash: end?.hash ?? '', mac: '', at: new Date() } as Mark
  made.mac = macOf(ctx, 'head', made.seq, made.hash)
  if (!head && !end) {
    await em.insert(Mark, made)
    return made
  }
  if (head) await em.nativeUpdate(Mark, { name: 'head', mac: head.mac }, { seq: made.seq, hash: made.hash, mac: made.mac })
  else await em.insert(Mark, made)
  await append(ctx, { ...nobody, eventId: `head:${made.seq}:${made.hash.slice(0, 20)}`, event: 'audit.headLost', at: new Date() })
  return (await findMark(em, 'head')) ?? made
}

/** What the log says by itself. */
export const nobody = {
  agentId: null,
  tokenId: null,
  ip: '',
  subjectKind: '',
  subjectId: '',
  count: null,
  reason: '',
  details: {},
  conversationIds: [],
} as const
