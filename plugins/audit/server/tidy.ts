import { Burst } from './audit.entity.ts'
import { findMark } from './chain.ts'
import { prune } from './prune.ts'
import type { Ctx } from './settings.ts'

const day = 86_400_000

/** Old entries go, old bursts are forgotten, and the chain's end is said into the hub's log, which is kept elsewhere. */
export async function tidy(ctx: Ctx, now: Date): Promise<void> {
  await prune(ctx, now)
  const em = ctx.em()
  await em.nativeDelete(Burst, { lastAt: { $lt: new Date(now.getTime() - 2 * day) } })
  const head = await findMark(em, 'head')
  if (head) ctx.log.info({ checkpoint: `${head.seq}:${head.hash}` }, 'the audit log ends here')
}
