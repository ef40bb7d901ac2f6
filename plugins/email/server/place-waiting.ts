/** Letters that the hub let wait have no conversation in our rows. Once they are in one, they are noted as its own, and who got a copy of them takes part. */
import type { MessageFacts } from '@huike/core/sdk/events.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import type { Mailbox } from './inbox-settings.ts'
import { LetterRow } from './letter.entity.ts'
import { letIn, letterId, messageKey, participantsOf } from './thread.ts'

const unplaced = { conversationId: null, direction: 'in' as const, state: { $ne: 'refused' as const } }

/** Those that are in this conversation by now. */
export async function placeWaiting(ctx: PluginContext, mailbox: Mailbox, { conversationId, seq }: { conversationId: string; seq: number }): Promise<void> {
  const said = await ctx.recent(conversationId, { upToSeq: seq, limit: 50 })
  const named = new Map(said.flatMap((message) => (message.externalId ? [[letterId(mailbox.inboxId, message.externalId), message] as const] : [])))
  for (const row of await ctx.em().find(LetterRow, { id: { $in: [...named.keys()] }, ...unplaced }, { disableIdentityMap: true })) {
    const message = named.get(row.id)
    if (message) await place(ctx, mailbox, row, message)
  }
}

/** Those that a letter answers: a colleague who had a copy may be faster than our own answer. */
export async function placeAnswered(ctx: PluginContext, mailbox: Mailbox, answers: readonly string[]): Promise<void> {
  if (answers.length === 0) return
  const { inboxId } = mailbox
  const waiting = await ctx
    .em()
    .find(LetterRow, { inboxId, messageKey: { $in: answers.map(messageKey) }, ...unplaced }, { limit: 20, disableIdentityMap: true })
  for (const row of waiting) {
    const there = await ctx.whereIs(inboxId, row.externalId)
    const [message] = there ? await ctx.recent(there.conversationId, { upToSeq: there.seq, limit: 1 }) : []
    if (there && message?.id === there.messageId) await place(ctx, mailbox, row, message)
  }
}

async function place(ctx: PluginContext, mailbox: Mailbox, row: LetterRow, { id, conversationId, seq, meta }: MessageFacts): Promise<void> {
  await ctx.em().nativeUpdate(LetterRow, { id: row.id }, { conversationId, hubMessageId: id, seq })
  await letIn(ctx.em(), conversationId, participantsOf(mailbox, row.fromAddress, meta ?? {}))
}
