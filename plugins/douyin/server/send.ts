/** Out: each part is one platform message, answered to the customer's newest message or to the opening of the chat. */
import { type ChannelInbox, type OutboundMessage, SendError } from '@huike/core/sdk/channel.ts'
import { Peer } from './account.entity.ts'
import { callDouyin, DouyinError, isAnswer, NoAnswer, textIn } from './api.ts'
import { authorisationExpired, codes, untilTomorrow } from './codes.ts'
import type { Ctx } from './context.ts'
import { fitId } from './decode.ts'
import { encode, imageContent, type Step } from './encode.ts'
import { uploadImage } from './media.ts'
import { type Opening, openings } from './peers.ts'
import { type Credential, credentialAfterRefusal, credentialOf, isUnauthorised, revoke, setFault } from './tokens.ts'

/** Throws SendError. The returned id is the last platform message's. */
export async function sendMessage(ctx: Ctx, message: OutboundMessage, inbox: ChannelInbox): Promise<{ externalId?: string } | undefined> {
  const steps = encode(message.parts)
  let externalId: string | undefined
  for (let done = message.done; done < steps.length; done++) {
    externalId = await sendStep(ctx, message, steps[done] as Step, inbox)
    // It is through: whatever fails from here on must not send it again.
    if (steps.length > 1)
      await message
        .progress(done + 1, externalId)
        .catch((error) => Promise.reject(error instanceof SendError ? error : new SendError('progress', { retry: 'unknown', message: error.message })))
  }
  return externalId === undefined ? undefined : { externalId }
}

async function sendStep(ctx: Ctx, { to, signal }: OutboundMessage, step: Step, inbox: ChannelInbox): Promise<string | undefined> {
  const peer = await ctx.em().findOne(Peer, { inboxId: inbox.id, openId: to }, { disableIdentityMap: true })
  const ways = peer ? openings(peer) : []
  if (!peer || ways.length === 0) throw toSendError(new DouyinError(28003080, 'no message of the customer can be answered any more'))
  try {
    const content = 'content' in step ? step.content : imageContent(await beforehand(uploadImage(ctx, inbox, step.image.fileId)))
    return await throughFirstOpen(ctx, inbox, peer, ways, content, signal)
  } catch (error) {
    throw toSendError(error)
  }
}

/** While this is done nothing has gone to the customer yet: no answer to it is no doubt about the message. */
const beforehand = <T>(work: Promise<T>): Promise<T> =>
  work.catch((error) => {
    throw error instanceof NoAnswer ? new NoAnswer(error.message, false) : error
  })

/** The opening of the chat lives for seconds: when the platform's clock says it is over, the answer to a message may still do. */
async function throughFirstOpen(ctx: Ctx, inbox: ChannelInbox, peer: Peer, ways: Opening[], content: object, signal: AbortSignal): Promise<string | undefined> {
  for (const [i, way] of ways.entries()) {
    try {
      return await withToken(ctx, inbox, (credential) => {
        // An upload or a token may have taken longer than the hub waits.
        signal.throwIfAborted()
        return post(ctx, credential, peer, way, content)
      })
    } catch (error) {
      const another = i + 1 < ways.length && error instanceof DouyinError && codes[error.code]?.windowShut
      if (!another) throw error
    }
  }
  return undefined
}

async function post(ctx: Ctx, { account, token }: Credential, peer: Peer, way: Opening, content: object): Promise<string | undefined> {
  const key = { inboxId: peer.inboxId, openId: peer.openId }
  if (way.scene === 'im_enter_direct_msg') {
    // Counted before it goes: a try of unknown fate may have used it up.
    const em = ctx.em()
    const row = await em.findOne(Peer, key, { disableIdentityMap: true })
    await em.nativeUpdate(Peer, { ...key, enterMessageId: way.messageId }, { enterUsed: (row?.enterUsed ?? 0) + 1 })
  }
  const reply = await callDouyin(ctx.settings.apiUrl, {
    path: '/im/send/msg/',
    query: { open_id: account.openId },
    headers: { 'access-token': token },
    json: { scene: way.scene, to_user_id: peer.openId, conversation_id: peer.conversationShortId, msg_id: way.messageId, content },
  })
  const messageId = textIn(reply, 'msg_id')
  if (messageId === '' && !isAnswer(reply)) throw new NoAnswer('the answer is none that Douyin gives', true)
  if (account.fault !== 0) await setFault(ctx, account, 0).catch((error) => ctx.log.warn({ err: error, inbox: peer.inboxId }, 'the health could not be told'))
  return messageId === '' ? undefined : fitId(messageId)
}

/** Does `work` with a token; a refused one is refreshed once. What an admin must mend is told to admins. */
export async function withToken<T>(ctx: Ctx, inbox: ChannelInbox, work: (credential: Credential) => Promise<T>): Promise<T> {
  const first = await beforehand(credentialOf(ctx, inbox))
  const attempt = async (credential: Credential) => {
    try {
      return await work(credential)
    } catch (error) {
      if (error instanceof DouyinError && codes[error.code]?.action === 'tell-admin') await setFault(ctx, credential.account, error.code)
      throw error
    }
  }
  try {
    return await attempt(first)
  } catch (error) {
    if (!(error instanceof DouyinError) || codes[error.code]?.action !== 'refresh') throw error
  }
  const fresh = await beforehand(credentialAfterRefusal(ctx, inbox, first.account))
  try {
    return await attempt(fresh)
  } catch (error) {
    // A token made this minute is refused too: it is not the token, it is the authorisation.
    if (error instanceof DouyinError && codes[error.code]?.action === 'refresh') await revoke(ctx, inbox.id, error.code)
    throw error
  }
}

/** Whatever went wrong, as the hub hears it. */
export function toSendError(error: unknown): SendError {
  if (error instanceof SendError) return error
  if (error instanceof DouyinError) {
    const meaning = codes[error.code]
    const reason = String(error.code)
    if (!meaning)
      return new SendError(reason, {
        retry: false,
        message: error.message,
        sentence: {
          zh: `抖音拒绝了这条消息（错误码 ${error.code}）。`,
          en: `Douyin refused this message (code ${error.code}).`,
        },
      })
    return new SendError(reason, {
      retry: meaning.action === 'backoff' || meaning.action === 'tomorrow',
      message: error.message,
      sentence: meaning.sentence,
      ...(meaning.fault ? { fault: meaning.fault } : {}),
      ...(meaning.action === 'tomorrow' ? { retryAfterMs: untilTomorrow() } : {}),
      windowShut: meaning.windowShut ?? false,
    })
  }
  if (error instanceof NoAnswer)
    return new SendError(error.sent ? 'no-answer' : 'unreachable', {
      retry: error.sent ? 'unknown' : true,
      message: error.message,
      fault: error.sent ? { zh: '抖音没有回应', en: 'Douyin does not answer' } : { zh: '连不上抖音', en: 'Douyin cannot be reached' },
      sentence: error.sent
        ? {
            zh: '抖音没有回应，无法确定是否已送达。请在抖音 App 核对后再决定是否重发。',
            en: 'Douyin did not answer: it may have arrived. Look in the Douyin app before you send it again.',
          }
        : { zh: '连不上抖音，稍后自动重发。', en: 'Douyin cannot be reached. It will be sent again shortly.' },
    })
  if (isUnauthorised(error)) return new SendError('unauthorised', { retry: false, message: (error as Error).message, sentence: authorisationExpired })
  // Waiting for a lock, a database that is away: nothing has been sent.
  return new SendError('hub', {
    retry: true,
    message: (error as Error).message,
    fault: { zh: '本系统没能把消息交给抖音', en: 'this hub could not hand the message to Douyin' },
  })
}
