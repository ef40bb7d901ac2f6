/** Pictures to Douyin, files from Douyin. */
import type { Readable } from 'node:stream'
import { type ChannelInbox, type FetchedFile, SendError } from '@huike/core/sdk/channel.ts'
import { download } from '@huike/core/sdk/remote.ts'
import { callDouyin, DouyinError, NoAnswer, textIn } from './api.ts'
import { codes, untilTomorrow } from './codes.ts'
import type { Ctx } from './context.ts'
import { maxImageBytes } from './encode.ts'
import { clientToken, credentialAfterRefusal, credentialOf, isUnauthorised } from './tokens.ts'

const maxFileBytes = 20 * 1024 * 1024

/** Uploads a picture; the returned id is its `media_id`. Throws DouyinError, NoAnswer, SendError. */
export async function uploadImage(ctx: Ctx, inbox: ChannelInbox, fileId: string): Promise<string> {
  const file = await ctx.file(fileId)
  if (!file) throw new SendError('file-gone', { retry: false, sentence: { zh: '图片已不存在，无法发送。', en: 'The picture does not exist any more.' } })
  const bytes = await read(await file.open(), maxImageBytes)
  const upload = async (token: string) => {
    const form = new FormData()
    form.set('image', new Blob([new Uint8Array(bytes)], { type: file.mime }), file.name)
    const reply = await callDouyin(ctx.settings.apiUrl, { path: '/tool/imagex/client_upload/', headers: { 'access-token': token }, multipart: form })
    const id = textIn(reply, 'image_id')
    if (id === '') throw new NoAnswer('the answer holds no image_id', false)
    return id
  }
  const token = await clientToken(ctx, inbox)
  try {
    return await upload(token)
  } catch (error) {
    if (!(error instanceof DouyinError) || codes[error.code]?.action !== 'refresh') throw error
    return upload(await clientToken(ctx, inbox, token))
  }
}

async function read(stream: Readable, max: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    size += (chunk as Buffer).length
    if (size > max)
      throw new SendError('too-large', {
        retry: false,
        sentence: { zh: '图片超过 10 MB，抖音发不了。', en: 'The picture is larger than 10 MB: Douyin cannot carry it.' },
      })
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

/** Copies what a customer sent. Throws SendError. */
export async function fetchMedia(ctx: Ctx, ref: string, inbox: ChannelInbox): Promise<FetchedFile> {
  const { url, conversation, message } = JSON.parse(ref) as { url?: string; conversation?: string; message?: string }
  try {
    // The address lives for a short time only: asked for anew at each try, used at once.
    const address = url ?? (await localMediaUrl(ctx, inbox, conversation ?? '', message ?? ''))
    return await download(address, { maxBytes: maxFileBytes, allowPrivate: ctx.settings.apiUrl.startsWith('http://') })
  } catch (error) {
    if (error instanceof SendError) throw error
    throw fetchErrorOf(error)
  }
}

/** How long a customer's file is asked for while the account is ill; Douyin does not say how long it keeps one. */
const askedForMs = 3 * 24 * 3_600_000
/** How soon an admin's mending of the account is noticed. */
const mendedMs = 30 * 60_000

function fetchErrorOf(error: unknown): SendError {
  const { message } = error as Error
  if (isUnauthorised(error)) return new SendError('unauthorised', { retry: true, message, retryAfterMs: mendedMs, retryForMs: askedForMs })
  if (!(error instanceof DouyinError)) return new SendError('media', { retry: true, message })
  const reason = String(error.code)
  switch (codes[error.code]?.action) {
    case 'backoff':
      return new SendError(reason, { retry: true, message })
    case 'tomorrow':
      return new SendError(reason, { retry: true, message, retryAfterMs: untilTomorrow(), retryForMs: askedForMs })
    // The account's own: once it is mended the file can be had.
    case 'tell-admin':
    case 'refresh':
      return new SendError(reason, { retry: true, message, retryAfterMs: mendedMs, retryForMs: askedForMs })
    default:
      return new SendError(reason, { retry: false, message })
  }
}

async function localMediaUrl(ctx: Ctx, inbox: ChannelInbox, conversation: string, message: string): Promise<string> {
  let credential = await credentialOf(ctx, inbox)
  const ask = async () => {
    const reply = await callDouyin(ctx.settings.apiUrl, {
      method: 'GET',
      path: '/api/im/message/resources/',
      query: { open_id: credential.account.openId, conversation_id: conversation, message_id: message },
      headers: { 'access-token': credential.token },
    })
    const url = textIn(reply, 'url')
    if (url === '') throw new SendError('media-gone', { retry: false })
    return url
  }
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof DouyinError) || codes[error.code]?.action !== 'refresh') throw error
    credential = await credentialAfterRefusal(ctx, inbox, credential.account)
    return ask()
  }
}
