/** How an account is, told to the hub: that it is well not with every message, that it is ill each time. */
import type { InboxHealth } from '@huike/core/sdk/channel.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { WechatError } from './api.ts'
import { remedies } from './errcodes.ts'

/** When it was last told, per running plugin and inbox, that all is well. Another process may have told otherwise: it is told again after a while. */
const well = new WeakMap<object, Map<string, number>>()
const againMs = 60_000

/** Never throws: health is told on the way of something more important. */
export async function report(ctx: Pick<PluginContext, 'health' | 'log'>, inboxId: string, what: InboxHealth | WechatError): Promise<void> {
  const health = what instanceof WechatError ? healthOf(what) : what
  if (!health) return
  const known = well.get(ctx) ?? new Map<string, number>()
  well.set(ctx, known)
  // An illness is rare, and whether it is news only the hub knows: a test, or a switch, may have ended the one that was told.
  if (health.state !== 'connected') known.delete(inboxId)
  else if (Date.now() - (known.get(inboxId) ?? 0) < againMs) return
  else known.set(inboxId, Date.now())
  await ctx.health(inboxId, health).catch((error) => ctx.log.warn({ err: error, inbox: inboxId }, 'the state of an inbox could not be told'))
}

/**
 * A refusal that is one customer's or one kind of message's leaves the account well, and is still an admin's to know: once
 * a day and code. Never throws, as {@link report}.
 */
export async function notice(ctx: Pick<PluginContext, 'notify' | 'log'>, inbox: { id: string; name: string }, { errcode, rule }: WechatError): Promise<void> {
  if (!rule.notice) return
  const { zh, en } = rule.notice
  const remedy = remedies[errcode]
  await ctx
    .notify({
      to: { permission: 'inbox.manage' },
      kind: 'refused',
      key: `${inbox.id}:${errcode}:${new Date().toISOString().slice(0, 10)}`,
      level: 'problem',
      title: { zh: `“${inbox.name}”：${zh}`, en: `“${inbox.name}”: ${en}` },
      body: { zh: `${rule.sentence.zh}${remedy?.zh ?? ''}`, en: `${rule.sentence.en} ${remedy?.en ?? ''}`.trim() },
      link: `/admin/inboxes/${inbox.id}`,
    })
    .catch((error) => ctx.log.warn({ err: error, inbox: inbox.id }, 'a notice could not be raised'))
}

/** A refused message says nothing about the account; a refused account does. */
function healthOf({ errcode, rule, ofCredential }: WechatError): InboxHealth | undefined {
  const state = rule.health ?? (ofCredential && rule.action !== 'retry' ? 'unauthorised' : undefined)
  if (!state) return undefined
  const remedy = remedies[errcode]
  return { state, code: String(errcode), error: rule.sentence, ...(remedy ? { remedy } : {}) }
}
