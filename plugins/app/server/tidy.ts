/** What nobody will ask for again goes. */
import { Caller, Delivery, Outbox, Taken, Upload } from './app.entity.ts'
import { listedMs } from './outbox-rows.ts'
import type { Ctx } from './settings.ts'

const day = 86_400_000
/** Repeats come within three days and a bit; a week is longer. */
const takenMs = 7 * day
/** An upload that no message took up. Its file goes with the hub's own tidying. */
const uploadMs = 2 * day
/** Recordings and transcripts follow a call by days at most. */
const callerMs = 30 * day
const deliveriesMs = listedMs

export async function tidy(ctx: Ctx, now = Date.now()): Promise<void> {
  const em = ctx.em()
  await em.nativeDelete(Taken, { createdAt: { $lt: new Date(now - takenMs) } })
  await em.nativeDelete(Caller, { createdAt: { $lt: new Date(now - callerMs) } })
  await em.nativeDelete(Upload, { createdAt: { $lt: new Date(now - uploadMs) } })
  // News wait for as long as it takes, and what is offered until it is given up; what was given up or refused is listed for its two weeks from then on.
  const done = { state: { $nin: ['waiting' as const, 'offered' as const] }, $or: [{ dueAt: null }, { dueAt: { $lt: new Date(now) } }] }
  await em.nativeDelete(Outbox, { ...done, createdAt: { $lt: new Date(now - deliveriesMs) } })
  await em.nativeDelete(Delivery, { createdAt: { $lt: new Date(now - deliveriesMs) } })
}
