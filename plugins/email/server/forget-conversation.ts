/**
 * A conversation is gone for good: so is who took part, and what its letters said and to whom. Of each letter hashes stay, or the
 * mailbox, which still holds it, would bring it back when it is read anew.
 */
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { LetterRow, nothingSaid, Participant } from './letter.entity.ts'

export async function forgetConversation(ctx: PluginContext, conversationId: string): Promise<void> {
  await ctx.em().nativeDelete(Participant, { conversationId })
  await ctx.em().nativeUpdate(
    LetterRow,
    { conversationId, state: { $ne: 'purged' } },
    {
      state: 'purged',
      ...nothingSaid,
      subjectKey: null,
      replyTo: null,
      delivered: null,
      refused: null,
    },
  )
}
