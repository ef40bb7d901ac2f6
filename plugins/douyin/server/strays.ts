/**
 * One address serves the whole app, so pushes for an account that has no inbox here come too. They are no other account's:
 * its token would answer them. They are kept for a while, and arrive once an inbox is authorised for their account.
 */
import { createHash } from 'node:crypto'
import type { ChannelInbox, InboundEvent } from '@huike/core/sdk/channel.ts'
import { Account } from './account.entity.ts'
import type { Ctx } from './context.ts'
import { decode } from './decode.ts'
import { handOver } from './hand-over.ts'
import type { InboxSettings } from './inbox-settings.ts'
import { isLeftBehind } from './tokens.ts'

const againMs = 3_600_000
const keptMs = 7 * 24 * 3_600_000

interface Stray {
  calledId: string
  clientKey: string
  /** As it came, sealed: read again when there may be somebody to have it. */
  sealed: string
  /** The same for a repeat. */
  key: string
  messageId?: string
  until: number
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Written down when it resolves; a repeat of the push is the same stray. */
export async function keepStray(ctx: Ctx, called: ChannelInbox, body: string, messageId: string | undefined): Promise<void> {
  const { clientKey } = called.settings as InboxSettings
  const stray: Stray = {
    calledId: called.id,
    clientKey,
    sealed: ctx.seal(body),
    key: hashOf(body),
    ...(messageId ? { messageId } : {}),
    until: Date.now() + keptMs,
  }
  await ctx.enqueue('stray', stray, { key: stray.key })
}

/** The job `stray`. */
export async function bringStray(data: unknown, ctx: Ctx): Promise<void> {
  const stray = data as Stray
  const body = ctx.unseal(stray.sealed)
  // The hub's key has changed since: nobody can read it any more.
  if (body === undefined) return ctx.log.warn({ inbox: stray.calledId }, 'a push for an account that has no inbox can no longer be opened')
  const accounts = await ctx.em().find(Account, { clientKey: stray.clientKey }, { limit: 500, disableIdentityMap: true })
  const decoded = decode(Buffer.from(body), stray.messageId, (openId) => accounts.some((account) => account.openId === openId))
  if (decoded.kind !== 'event') return
  const owner = accounts.find(({ openId }) => openId === decoded.account)
  if (owner && !(await isLeftBehind(ctx, owner))) {
    await handOver(ctx, owner.inboxId, decoded)
    await ctx.endNotice(strayNotice, noticeKey(stray, owner.openId))
    return
  }
  ctx.log.warn({ inbox: stray.calledId, account: decoded.account }, 'a push is for an account that has no inbox')
  if (namesItsAccount(decoded.event)) await tell(ctx, stray, decoded.account)
  if (Date.now() < stray.until) await ctx.enqueue('stray', stray, { key: stray.key, delayMs: againMs })
}

/** Of a recall and of what nobody knows, which end is the account is known only once it is one of ours. */
const namesItsAccount = (event: InboundEvent): boolean =>
  event.kind !== 'recall' && !('parts' in event && event.parts.some(({ type }) => type === 'unsupported'))

const strayNotice = 'stray'
const noticeKey = ({ calledId }: Stray, account: string): string => `${calledId}:${hashOf(account).slice(0, 32)}`

/** Once for each account. */
async function tell(ctx: Ctx, stray: Stray, account: string): Promise<void> {
  const name = (await ctx.inbox(stray.calledId))?.name ?? ''
  await ctx.notify({
    to: { permission: 'inbox.manage' },
    kind: strayNotice,
    key: noticeKey(stray, account),
    level: 'problem',
    title: {
      zh: `“${name}”的推送地址收到了另一个抖音账号的私信`,
      en: `Messages for another Douyin account arrive at the address of “${name}”`,
    },
    body: {
      zh: `同一应用下的抖音账号（open_id：${account}）没有对应的渠道账号，它的私信没有显示给任何人。请为它新建抖音渠道账号并授权：七天内的推送会在一小时内补收；不需要的话，请让运营者取消对本应用的授权。`,
      en: `The account with the open_id ${account} is of the same app and has no inbox, so nobody sees its messages. Add a Douyin inbox for it and authorise it: pushes of the last seven days come in within the hour. If it is not wanted, have its operator take the authorisation of the app away.`,
    },
    link: '/admin/inboxes',
  })
}
