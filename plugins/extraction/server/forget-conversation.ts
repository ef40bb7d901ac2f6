/** A conversation is gone for good: so is where something stood in it, and what stood nowhere else. */
import { Fact, Mark } from './fact.entity.ts'
import type { Ctx } from './settings.ts'

const atOnce = 500

export async function forgetConversation(ctx: Ctx, conversationId: string): Promise<void> {
  // Each batch in a commit of its own, facts with the marks that kept them: begun again, it goes on where it stopped.
  for (let left = true; left; )
    left = await ctx.em().transactional(async (em) => {
      const marks = await em.find(Mark, { conversationId }, { orderBy: { messageId: 'asc', factId: 'asc' }, limit: atOnce, disableIdentityMap: true })
      if (marks.length === 0) return false
      const factIds = [...new Set(marks.map(({ factId }) => factId))]
      await em.nativeDelete(Mark, { messageId: { $in: [...new Set(marks.map(({ messageId }) => messageId))] } })
      for (const id of factIds)
        if (!(await em.findOne(Mark, { factId: id }, { fields: ['factId'], disableIdentityMap: true }))) await em.nativeDelete(Fact, { id })
      return true
    })
}
