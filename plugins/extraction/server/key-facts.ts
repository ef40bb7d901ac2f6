/**
 * Facts of before have an id that was hashed without a key: whoever had the table could try all telephone numbers. Each
 * gets the id that it would get today, and its marks with it. What a person said of it stays.
 */
import { Fact, Mark } from './fact.entity.ts'
import { factId } from './read-message.ts'
import type { Ctx } from './settings.ts'

const atOnce = 200

/** A batch, each fact in a commit of its own. Returns how many there were. */
export async function keyFacts(ctx: Ctx): Promise<number> {
  const facts = await ctx.em().find(Fact, { keyed: false }, { orderBy: { id: 'asc' }, limit: atOnce, disableIdentityMap: true })
  for (const fact of facts) await keyFact(ctx, fact)
  return facts.length
}

async function keyFact(ctx: Ctx, fact: Fact): Promise<void> {
  const id = factId(ctx, fact.identityId, fact.kind, fact.normal)
  await ctx.em().transactional(async (em) => {
    // Found again meanwhile: the later row gives way, unless a person has decided on it.
    const later = await em.findOne(Fact, { id }, { disableIdentityMap: true })
    if (!later) await em.nativeUpdate(Mark, { factId: fact.id }, { factId: id })
    else
      for (let marks: Mark[]; (marks = await em.find(Mark, { factId: fact.id }, { limit: atOnce, disableIdentityMap: true })).length > 0; )
        for (const { messageId, part, startAt, ...mark } of marks) {
          await em.upsert(Mark, { ...mark, messageId, part, startAt, factId: id }, { onConflictAction: 'ignore' })
          await em.nativeDelete(Mark, { messageId, part, startAt, factId: fact.id })
        }
    if (later?.decidedAt) await em.nativeDelete(Fact, { id: fact.id })
    else {
      if (later) await em.nativeDelete(Fact, { id })
      await em.nativeUpdate(Fact, { id: fact.id }, { id, keyed: true })
    }
  })
}
