/** That pushes arrive, for the connection test. */
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { WechatWebhook } from './webhook.entity.ts'

/** Written once for an inbox, beside the push and never before its answer; remembered, so that a push costs no query for it. */
export function pushProver(ctx: Pick<PluginContext, 'em' | 'log'>) {
  const proven = new Set<string>()
  return (inboxId: string): void => {
    if (proven.has(inboxId)) return
    proven.add(inboxId)
    ctx
      .em()
      .upsert(WechatWebhook, { inboxId, provenAt: new Date() }, { onConflictAction: 'ignore' })
      .catch((error) => {
        // The next push tells it again.
        proven.delete(inboxId)
        ctx.log.warn({ err: error, inbox: inboxId }, 'that a push arrived could not be written down')
      })
  }
}
