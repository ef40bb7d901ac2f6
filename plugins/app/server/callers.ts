/**
 * Whose a call is. It is told in pieces and only one of them need say so: who was named first counts for every piece that
 * names nobody, and until somebody is, the number of the piece that came first. What was taken before stays where it is.
 */
import type { InboundEvent } from '@huike/core/sdk/channel.ts'
import { Caller } from './app.entity.ts'
import { hashOf, type Told } from './decode.ts'
import type { Ctx } from './settings.ts'

/** The events of a piece, as of the person whose call it is. Remembered before they are taken: the next piece may be at the door. */
export async function ofCaller(ctx: Ctx, inboxId: string, { externalId, named }: NonNullable<Told['call']>, events: InboundEvent[]): Promise<InboundEvent[]> {
  const said = events[0]?.from.externalId
  if (said === undefined) return events
  const key = { inboxId, callHash: hashOf(Buffer.from(externalId)) }
  const caller = { sender: ctx.seal(said), named }
  const em = ctx.em()
  await em.upsert(Caller, { ...key, ...caller, createdAt: new Date() }, { onConflictAction: 'ignore' })
  if (named) {
    await em.nativeUpdate(Caller, { ...key, named: false }, caller)
    return events
  }
  const known = await em.findOne(Caller, key, { disableIdentityMap: true })
  const sender = known ? ctx.unseal(known.sender) : undefined
  return sender === undefined || sender === said ? events : events.map((event) => ({ ...event, from: { externalId: sender } }))
}
