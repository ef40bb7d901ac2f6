/** Lets old entries go from the beginning, a few at a time, and marks where the chain begins now. */
import { Entry, RecordLink } from './audit.entity.ts'
import { append, findMark, nobody, setMark } from './chain.ts'
import { keptDays } from './keep.ts'
import type { Ctx } from './settings.ts'

const day = 86_400_000
const page = 500
const pagesAtOnce = 20

/** Returns how many went. The newest entry always stays. */
export async function prune(ctx: Ctx, now: Date): Promise<number> {
  const keepDays = await keptDays(ctx, now)
  if (keepDays === 0) return 0
  const before = new Date(now.getTime() - keepDays * day)
  let [gone, upTo] = [0, 0]
  for (let turn = 0; turn < pagesAtOnce; turn++) {
    const em = ctx.em()
    const head = await findMark(em, 'head')
    const rows = await em.find(
      Entry,
      { seq: { $lt: head?.seq ?? 0 } },
      { orderBy: { seq: 'asc' }, limit: page, fields: ['seq', 'at', 'hash'], disableIdentityMap: true },
    )
    // From the beginning up to the first that is young enough: the chain is never opened in its middle.
    const young = rows.findIndex((row) => row.at >= before)
    const old = young === -1 ? rows : rows.slice(0, young)
    const last = old.at(-1)
    if (!last) break
    await em.transactional(async (tx) => {
      await setMark(ctx, tx, 'anchor', last.seq, last.hash, now)
      await tx.nativeDelete(RecordLink, { seq: { $lte: last.seq } })
      await tx.nativeDelete(Entry, { seq: { $lte: last.seq } })
    })
    gone += old.length
    upTo = last.seq
    if (old.length < page) break
  }
  if (gone > 0) await append(ctx, { ...nobody, eventId: `pruned:${upTo}`, event: 'audit.pruned', at: now, count: gone, details: { upTo } })
  return gone
}
