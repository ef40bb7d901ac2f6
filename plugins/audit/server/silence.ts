/** When the log did not run: switched off by somebody, or the hub was down. What happened then is in no entry; that it is missing is. */

import { Mark } from './audit.entity.ts'
import { append, findMark, nobody, setMark } from './chain.ts'
import type { Ctx } from './settings.ts'

/** It says that it is there every minute. */
const silentMs = 5 * 60_000

export async function markAlive(ctx: Ctx, now: Date): Promise<void> {
  await setMark(ctx, ctx.em(), 'alive', 0, '', now)
}

export async function markOff(ctx: Ctx, at: Date, seq: number): Promise<void> {
  await setMark(ctx, ctx.em(), 'off', seq, '', at)
}

/** At a start: several processes do it at once, and it is one entry. */
export async function tellSilence(ctx: Ctx, now: Date): Promise<void> {
  const em = ctx.em()
  const off = await findMark(em, 'off')
  const alive = await findMark(em, 'alive')
  const since = off?.at ?? (alive && now.getTime() - alive.at.getTime() > silentMs ? alive.at : undefined)
  if (since)
    await append(ctx, {
      ...nobody,
      eventId: `gap:${since.getTime()}`,
      event: 'audit.gap',
      at: now,
      details: { from: since.toISOString(), to: now.toISOString(), switchedOff: off !== null },
    })
  if (off) await em.nativeDelete(Mark, { name: 'off', seq: off.seq })
  await markAlive(ctx, now)
}
