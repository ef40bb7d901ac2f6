/**
 * That a signed push has arrived. It proves the app and the key that signed it: an inbox that is set to others begins anew, is tried
 * unsigned again by the platform, and its test says that nothing has come yet.
 */
import type { ChannelInbox } from '@huike/core/sdk/channel.ts'
import { Webhook } from './account.entity.ts'
import type { Ctx } from './context.ts'
import type { InboxSettings } from './inbox-settings.ts'

/** Another process may have written down another proof: looked at again after a while. */
const againMs = 10 * 60_000
const proven = new WeakMap<object, Map<string, { proof: string; at: number }>>()

/** Which settings were proven, without telling them. */
function proofOf(ctx: Ctx, { settings }: ChannelInbox): string {
  const { clientKey, clientSecret, webhookSecret } = settings as InboxSettings
  return ctx.sign(`webhook:${clientKey}\n${webhookSecret || clientSecret}`)
}

/** Written once; remembered so that a push costs no query for it. */
export async function prove(ctx: Ctx, inbox: ChannelInbox): Promise<void> {
  const known = proven.get(ctx) ?? new Map<string, { proof: string; at: number }>()
  proven.set(ctx, known)
  const proof = proofOf(ctx, inbox)
  const last = known.get(inbox.id)
  if (last?.proof === proof && Date.now() - last.at < againMs) return
  const row = await ctx.em().findOne(Webhook, { inboxId: inbox.id }, { disableIdentityMap: true })
  if (row?.proof !== proof) await ctx.em().upsert(Webhook, { inboxId: inbox.id, provenAt: new Date(), proof })
  known.set(inbox.id, { proof, at: Date.now() })
}

/** Since when it is proven for the inbox as it is set; undefined when it is not. */
export async function provenAt(ctx: Ctx, inbox: ChannelInbox): Promise<Date | undefined> {
  const row = await ctx.em().findOne(Webhook, { inboxId: inbox.id }, { disableIdentityMap: true })
  return row && (row.proof === '' || row.proof === proofOf(ctx, inbox)) ? row.provenAt : undefined
}
