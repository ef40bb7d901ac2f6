/** An agent's message on its way: parts become WeChat's messages, files are uploaded, each one is handed over in order. */
import { type OutboundMessage, SendError } from '@huike/core/sdk/channel.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { callApi, sendErrorOf, WechatError } from './api.ts'
import { type Draft, encodeParts } from './encode.ts'
import type { WechatInbox } from './inbox-settings.ts'
import { uploadFile, uploadThumb } from './media.ts'
import { notice, report } from './report-health.ts'
import { withToken } from './token.ts'

/**
 * A long text is several messages of WeChat's; each is told with `progress`, so that a retry goes on where it stopped.
 * WeChat gives no id of what it took, and no receipt. Throws SendError.
 */
export async function sendMessage(ctx: PluginContext, message: OutboundMessage, inbox: WechatInbox): Promise<undefined> {
  let handedOver = false
  try {
    const drafts = encodeParts(message.parts, inbox.settings)
    if (drafts.length === 0) throw new WechatError(44004, 'there is nothing to send')
    for (const [i, draft] of drafts.entries()) {
      if (i < message.done) continue
      await sendDraft(ctx, message, draft, inbox)
      handedOver = true
      // WeChat counts each of them as a reply, the last one too.
      if (drafts.length > 1) await message.progress(i + 1)
      handedOver = false
    }
  } catch (error) {
    throw await failed(ctx, error, inbox, handedOver)
  }
  await report(ctx, inbox.id, { state: 'connected' })
  return undefined
}

async function sendDraft(ctx: PluginContext, message: OutboundMessage, draft: Draft, inbox: WechatInbox): Promise<void> {
  try {
    await attempt(ctx, message, draft, inbox)
  } catch (error) {
    // The media id died between upload and sending: once more with a new one.
    if (!(error instanceof WechatError) || error.rule.action !== 'upload') throw error
    await attempt(ctx, message, draft, inbox)
  }
}

async function attempt(ctx: PluginContext, { to: touser, signal }: OutboundMessage, draft: Draft, inbox: WechatInbox): Promise<void> {
  const { settings } = inbox
  // Uploading and sending each do the dance of tokens by themselves: a message is never sent twice for an upload's sake.
  const upload = (fileId: string, kind: 'image' | 'voice' | 'video') => withToken(ctx, settings, (token) => uploadFile(ctx, token, fileId, kind, inbox))
  const uploadStill = () => withToken(ctx, settings, (token) => uploadThumb(token, inbox))
  const body = { touser, msgtype: draft.msgtype, [draft.msgtype]: await contentOf(draft, upload, uploadStill) }
  await withToken(ctx, settings, (token) => {
    // Uploads and tokens may have taken longer than the hub waits.
    signal.throwIfAborted()
    return callApi(settings.apiBase, '/cgi-bin/message/custom/send', { query: { access_token: token }, body, repeatable: false, holds: 'errcode' })
  })
}

async function contentOf(
  draft: Draft,
  upload: (fileId: string, kind: 'image' | 'voice' | 'video') => Promise<string>,
  uploadStill: () => Promise<string>,
): Promise<unknown> {
  switch (draft.msgtype) {
    case 'text':
      return draft.text
    case 'news':
      return draft.news
    case 'link':
      return draft.link
    case 'image':
    case 'voice':
      return { media_id: await upload(draft.file, draft.kind) }
    case 'video':
      return { media_id: await upload(draft.file, draft.kind), thumb_media_id: await uploadStill(), title: draft.title ?? '', description: '' }
    case 'miniprogrampage':
      return { ...draft.page, thumb_media_id: 'mediaId' in draft.thumb ? draft.thumb.mediaId : await upload(draft.thumb.file, 'image') }
  }
}

/** Tells admins when the account itself is ill, and the agent what is wrong with the message. */
async function failed(ctx: PluginContext, error: unknown, inbox: WechatInbox, handedOver: boolean): Promise<unknown> {
  if (error instanceof WechatError) {
    await report(ctx, inbox.id, error)
    await notice(ctx, inbox, error)
    return sendErrorOf(error)
  }
  if (error instanceof SendError) return error
  // Ours (the lock's turn did not come, the database is away): either WeChat was not asked, or it took a piece and we
  // could not write that down.
  ctx.log.error({ err: error, inbox: inbox.id }, 'a message could not be handed over')
  return new SendError('wechat unavailable', {
    retry: handedOver ? 'unknown' : true,
    message: (error as Error).message,
    fault: { zh: '本系统没能把消息交给微信', en: 'this hub could not hand the message to WeChat' },
  })
}
