/** Walks the chain from its anchor to its head and finds the first entry that is not as it was written. */
import type { EntityManager } from '@mikro-orm/core'
import { Entry, RecordLink } from './audit.entity.ts'
import { type ChainCtx, findMark, hashOf, isSigned, recordsOf } from './chain.ts'

export interface Checkpoint {
  seq: number
  hash: string
}
export interface Verdict {
  entries: number
  /** The end as it is now: keep it elsewhere, and a cut of everything that came later is found too. */
  head: Checkpoint
  fault: { seq: number; what: 'missing' | 'changed' | 'records' | 'order' | 'cut' | 'head' | 'anchor' | 'checkpoint'; text: string } | null
}

const page = 500

/** @param kept heads that were kept outside of the database */
export async function verify(ctx: ChainCtx, kept: readonly Checkpoint[] = []): Promise<Verdict> {
  const em = ctx.em()
  const head = await findMark(em, 'head')
  const anchor = await findMark(em, 'anchor')
  const end = { seq: head?.seq ?? 0, hash: head?.hash ?? '' }
  let entries = 0
  let lost: number | undefined
  const verdict = (fault: Verdict['fault']): Verdict => ({ entries, head: end, fault })
  if (anchor && !isSigned(ctx, anchor)) return verdict({ seq: anchor.seq, what: 'anchor', text: 'the mark of what was pruned is forged' })
  if (head && !isSigned(ctx, head)) return verdict({ seq: head.seq, what: 'head', text: 'the mark of the newest entry is forged' })
  if (!head && (await em.count(Entry)) > 0) return verdict({ seq: 0, what: 'head', text: 'the mark of the newest entry is gone' })
  let { seq, hash } = anchor ?? { seq: 0, hash: '' }
  const checkpoints = new Map(kept.map((point) => [point.seq, point.hash]))
  for (const point of kept)
    if (point.seq > end.seq) return verdict({ seq: point.seq, what: 'cut', text: `entry ${point.seq} was there once; the log now ends at ${end.seq}` })
  while (seq < end.seq) {
    const rows = await em.find(Entry, { seq: { $gt: seq, $lte: end.seq } }, { orderBy: { seq: 'asc' }, limit: page, disableIdentityMap: true })
    if (rows.length === 0) return verdict({ seq: seq + 1, what: 'cut', text: `entries ${seq + 1} to ${end.seq} are missing at the end` })
    for (const row of rows) {
      if (row.seq !== seq + 1) return verdict({ seq: seq + 1, what: 'missing', text: `entry ${seq + 1} is missing` })
      if (row.hash !== hashOf(ctx, row)) return verdict({ seq: row.seq, what: 'changed', text: `entry ${row.seq} is not as it was written` })
      if (row.previous !== hash) return verdict({ seq: row.seq, what: 'order', text: `entry ${row.seq} does not follow the one before it` })
      const known = checkpoints.get(row.seq)
      if (known !== undefined && known !== row.hash)
        return verdict({ seq: row.seq, what: 'checkpoint', text: `entry ${row.seq} is another one than was noted` })
      // Whoever made the head anew cannot know what stood behind: only a checkpoint noted since says that somebody has looked.
      if (row.event === 'audit.headLost') lost ??= row.seq > Math.max(0, ...checkpoints.keys()) ? row.seq : undefined
      ;({ seq, hash } = row)
      entries++
    }
    const astray = await astrayOf(em, rows)
    if (astray) return verdict({ seq: astray, what: 'records', text: `entry ${astray} does not stand in the logs of exactly the records that it names` })
  }
  if (hash !== end.hash) return verdict({ seq, what: 'head', text: 'the newest entry is not the one that was marked' })
  if ((await em.count(Entry, { seq: { $lte: anchor?.seq ?? 0 } })) > 0)
    return verdict({ seq: anchor?.seq ?? 0, what: 'order', text: 'there are entries from before the beginning' })
  const [behind] = (await em
    .getConnection()
    .execute("select min(seq) as seq from audit_entry where seq > (select seq from audit_mark where name = 'head')")) as { seq: number | null }[]
  if (behind?.seq) return verdict({ seq: Number(behind.seq), what: 'order', text: `entry ${behind.seq} stands behind the newest one` })
  if (lost !== undefined)
    return verdict({
      seq: lost,
      what: 'head',
      text: `the mark of the newest entry was lost before it, and entries may have been cut off with it. Compare with a checkpoint kept elsewhere; give one noted since then, and this is taken as seen`,
    })
  return verdict(null)
}

/** The first of these entries whose place in the records' own logs is not what it says itself. */
async function astrayOf(em: EntityManager, rows: readonly Entry[]): Promise<number | undefined> {
  const [first, last] = [rows[0], rows.at(-1)]
  if (!first || !last) return undefined
  const links = await em.find(RecordLink, { seq: { $gte: first.seq, $lte: last.seq } }, { disableIdentityMap: true })
  const bySeq = Map.groupBy(links, ({ seq }) => seq)
  return rows.find((row) => {
    const named = recordsOf(row)
    const shown = new Set((bySeq.get(row.seq) ?? []).map(({ conversationId }) => conversationId))
    return named && (named.size !== shown.size || [...named].some((id) => !shown.has(id)))
  })?.seq
}

/** `42:hash`, as the command and the page print it. */
export function readCheckpoint(text: string): Checkpoint | undefined {
  const [, seq, hash] = /^(\d{1,15}):([\w-]{43})$/.exec(text.trim()) ?? []
  return seq && hash ? { seq: Number(seq), hash } : undefined
}
