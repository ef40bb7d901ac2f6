/** Takes a message of ours back. Needs the scope im.recall_message. */
import { type ChannelInbox, SendError } from '@huike/core/sdk/channel.ts'
import { Peer } from './account.entity.ts'
import { callDouyin } from './api.ts'
import type { Ctx } from './context.ts'
import { toSendError, withToken } from './send.ts'

/** Throws SendError. */
export async function recallMessage(ctx: Ctx, { externalId, to }: { externalId: string; to: string }, inbox: ChannelInbox): Promise<void> {
  const peer = await ctx.em().findOne(Peer, { inboxId: inbox.id, openId: to }, { disableIdentityMap: true })
  if (!peer || externalId.startsWith('sha256:'))
    throw new SendError('unknown-message', {
      retry: false,
      sentence: { zh: '抖音上找不到这条消息，无法撤回。', en: 'Douyin does not know this message: it cannot be taken back.' },
    })
  try {
    await withToken(ctx, inbox, ({ account, token }) =>
      callDouyin(ctx.settings.apiUrl, {
        path: '/im/recall/msg/',
        query: { open_id: account.openId },
        headers: { 'access-token': token },
        json: { conversation_id: peer.conversationShortId, conversation_type: 1, msg_id: externalId },
      }),
    )
  } catch (error) {
    throw toSendError(error)
  }
}
