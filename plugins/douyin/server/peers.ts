/** Which of the customer's messages to answer with, kept through repeats and pushes out of order. */

import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import { Peer } from './account.entity.ts'
import { enterGrant, type PeerNews, replyGrant } from './decode.ts'

const never = new Date(0)

/** Takes over what is newer than what is known; the same news twice changes nothing. */
export async function rememberPeer(ctx: Pick<PluginContext, 'em'>, inboxId: string, news: PeerNews): Promise<void> {
  const em = ctx.em()
  const key = { inboxId, openId: news.customer }
  const { conversationShortId, reply, enter } = news
  try {
    if ((await em.count(Peer, key)) === 0)
      await em.insert(Peer, { ...key, conversationShortId, replyMessageId: '', replyAt: never, enterMessageId: '', enterAt: never, enterUsed: 0 })
  } catch (error) {
    // Another push of this customer came first.
    if (!(error instanceof UniqueConstraintViolationException)) throw error
  }
  if (reply) await em.nativeUpdate(Peer, { ...key, replyAt: { $lt: reply.at } }, { replyMessageId: reply.messageId, replyAt: reply.at, conversationShortId })
  if (enter)
    await em.nativeUpdate(
      Peer,
      { ...key, enterAt: { $lt: enter.at } },
      { enterMessageId: enter.messageId, enterAt: enter.at, enterUsed: 0, conversationShortId },
    )
}

export interface Opening {
  scene: 'im_enter_direct_msg' | 'im_reply_msg'
  messageId: string
}

/** The ways to write to this customer now, the one that ends first in front. */
export function openings(peer: Peer, now = Date.now()): Opening[] {
  const enter = peer.enterMessageId !== '' && peer.enterUsed < enterGrant.count && now < peer.enterAt.getTime() + enterGrant.ms
  const reply = peer.replyMessageId !== '' && now < peer.replyAt.getTime() + replyGrant.ms
  return [
    ...(enter ? [{ scene: 'im_enter_direct_msg' as const, messageId: peer.enterMessageId }] : []),
    ...(reply ? [{ scene: 'im_reply_msg' as const, messageId: peer.replyMessageId }] : []),
  ]
}
