/** That pushes arrive, for the connection test. They prove the account and the keys they came with: an inbox that is set to others begins anew. */
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import type { WechatInbox } from './inbox-settings.ts'
import { WechatWebhook } from './webhook.entity.ts'

/** Another process may have written down another proof: looked at again after a while. */
const againMs = 10 * 60_000

/** Which settings were proven, without telling them. */
function proofOf(ctx: Pick<PluginContext, 'sign'>, { settings: { appId, mode, token, encodingAesKey } }: WechatInbox): string {
  return ctx.sign(`push:${appId}\n${token}\n${mode === 'plain' ? '' : encodingAesKey}`)
}

/** Written once for the settings of an inbox, beside the push and never before its answer; remembered, so that a push costs no query for it. */
export function pushProver(ctx: Pick<PluginContext, 'em' | 'sign' | 'log'>) {
  const proven = new Map<string, { proof: string; at: number }>()
  return (inbox: WechatInbox): void => {
    const proof = proofOf(ctx, inbox)
    const last = proven.get(inbox.id)
    if (last?.proof === proof && Date.now() - last.at < againMs) return
    proven.set(inbox.id, { proof, at: Date.now() })
    write(ctx, inbox.id, proof).catch((error) => {
      // The next push tells it again.
      proven.delete(inbox.id)
      ctx.log.warn({ err: error, inbox: inbox.id }, 'that a push arrived could not be written down')
    })
  }
}

async function write(ctx: Pick<PluginContext, 'em'>, inboxId: string, proof: string): Promise<void> {
  const row = await ctx.em().findOne(WechatWebhook, { inboxId }, { disableIdentityMap: true })
  if (row?.proof !== proof) await ctx.em().upsert(WechatWebhook, { inboxId, provenAt: new Date(), proof })
}

/** Has a verified push come to the inbox as it is set? */
export async function isProven(ctx: Pick<PluginContext, 'em' | 'sign'>, inbox: WechatInbox): Promise<boolean> {
  const row = await ctx.em().findOne(WechatWebhook, { inboxId: inbox.id }, { disableIdentityMap: true })
  return row !== null && (row.proof === '' || row.proof === proofOf(ctx, inbox))
}
