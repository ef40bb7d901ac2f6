/** Who hears what is wrong with an export: its owner, and who oversees exports where the owner can do nothing about it. */
import type { NoticeInput } from '@huike/core/sdk/plugin.ts'
import type { Ctx } from './context.ts'

type Notice = Omit<NoticeInput, 'to'>
const overseers = { permission: 'export.oversee' }

/** Whoever has left, or may no longer export, reads nothing here: then who oversees hears it too. */
export async function notifyOwner(ctx: Ctx, agentId: string, notice: Notice): Promise<void> {
  if (await ctx.may(agentId, 'export.record')) await ctx.notify({ ...notice, to: { agentIds: [agentId] } })
  else await notifyAll(ctx, agentId, notice)
}

export async function notifyAll(ctx: Ctx, agentId: string, notice: Notice): Promise<void> {
  await ctx.notify({ ...notice, to: overseers })
  // Once for whoever oversees their own.
  if (!(await ctx.may(agentId, overseers.permission))) await ctx.notify({ ...notice, to: { agentIds: [agentId] } })
}
