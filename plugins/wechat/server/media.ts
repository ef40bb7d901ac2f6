/** Files in and out: fetched while WeChat still has them (three days), uploaded before they are sent. */
import { type FetchedFile, SendError } from '@huike/core/sdk/channel.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { type Download, download, downloadMedia, untilTomorrowMs, uploadMedia, WechatError } from './api.ts'
import type { MediaRef } from './decode.ts'
import { decodeVoice, isAmr } from './decode-voice.ts'
import { fileRefusal } from './encode.ts'
import type { WechatInbox } from './inbox-settings.ts'
import { withToken } from './token.ts'
import { videoThumb } from './video-thumb.ts'
import { voiceLengthMs } from './voice-length.ts'

type Context = Pick<PluginContext, 'em' | 'lock' | 'seal' | 'unseal' | 'log' | 'file'>

/** A customer's file. Voices come as AMR, which no browser plays: they are turned into WAV, and stay AMR where that fails. */
export async function fetchMedia(ctx: Context, ref: string, inbox: WechatInbox): Promise<FetchedFile> {
  const media = JSON.parse(ref) as MediaRef
  const { bytes, mime, name } = await fetchBytes(ctx, media, inbox)
  if (!isAmr(bytes)) return { bytes, mime, ...(name ? { name } : {}) }
  try {
    return { bytes: await decodeVoice(bytes), mime: 'audio/wav', name: 'voice.wav' }
  } catch (error) {
    ctx.log.warn({ err: error, inbox: inbox.id }, 'a voice could not be made playable; it is kept as it came')
    return { bytes, mime: 'audio/amr', name: name ?? 'voice.amr' }
  }
}

async function fetchBytes(ctx: Context, media: MediaRef, inbox: WechatInbox): Promise<Download> {
  const { settings } = inbox
  try {
    if (!media.mediaId) throw new WechatError(40007, 'no media_id was told')
    const got = await withToken(ctx, settings, (token) => downloadMedia(settings.apiBase, token, media.mediaId))
    if (!('videoUrl' in got)) return got
    if (!isOfWechat(got.videoUrl, settings.apiBase)) throw new WechatError(40007, 'the address is not of WeChat')
    return await download(got.videoUrl)
  } catch (error) {
    if (!(error instanceof WechatError)) throw error
    // A picture's own address outlives its id.
    if (error.errcode === 40007 && media.url && isOfWechat(media.url, settings.apiBase))
      return download(media.url.replace(/^http:\/\/(?!127\.|localhost)/, 'https://'))
    throw fetchErrorOf(error)
  }
}

/** WeChat keeps files for so long. */
const keptMs = 3 * 24 * 3_600_000
/** How soon an admin's mending of the account is noticed. */
const mendedMs = 30 * 60_000

function fetchErrorOf(error: WechatError): SendError {
  const { errcode, rule, ofCredential } = error
  const failed = (options: Omit<ConstructorParameters<typeof SendError>[1], 'message'>) =>
    new SendError(`wechat ${errcode}`, { message: error.message, ...options })
  if (errcode === 45009) return failed({ retry: true, retryAfterMs: untilTomorrowMs(Date.now()), retryForMs: keptMs })
  // The account's own: once it is mended the file can be had, while WeChat still has it.
  if (rule.health || (ofCredential && rule.action !== 'retry')) return failed({ retry: true, retryAfterMs: mendedMs, retryForMs: keptMs })
  if (errcode === 40007)
    return failed({
      retry: false,
      sentence: {
        zh: '微信只保留文件三天，这个文件已经取不到了。请客户再发一次。',
        en: 'WeChat keeps files for three days; this one is gone. Ask the customer to send it again.',
      },
    })
  const retry = rule.action === 'retry' || rule.action === 'token'
  return failed({ retry, ...(retry && rule.afterMs ? { retryAfterMs: rule.afterMs } : {}) })
}

/** Addresses stand in pushes, and in plain mode anybody who has seen one callback can forge a push: only WeChat's own hosts are asked. */
function isOfWechat(address: string, apiBase: string): boolean {
  if (!URL.canParse(address)) return false
  const url = new URL(address)
  if (url.origin === new URL(apiBase).origin) return true
  return (url.protocol === 'https:' || url.protocol === 'http:') && url.port === '' && /\.(qpic|qlogo|qq)\.(cn|com)$/.test(`.${url.hostname}`)
}

interface Limit {
  types: readonly string[]
  bytes: number
  /** The same page names two limits. */
  sureBytes?: number
  zh: string
  en: string
}
const MB = 1024 * 1024
/** A minute; its last frame may stand half over it. */
const longestVoiceMs = 60_100
/** developers.weixin.qq.com/doc/service/api/material/temporary/api_uploadtempmedia.html */
export const limits: Record<'image' | 'voice' | 'video', Limit> = {
  image: {
    types: ['image/png', 'image/jpeg', 'image/gif'],
    bytes: 10 * MB,
    sureBytes: 2 * MB,
    zh: '微信只收 10 MB 以内的 PNG、JPG 或 GIF 图片。',
    en: 'WeChat takes PNG, JPG or GIF pictures of up to 10 MB.',
  },
  voice: {
    types: ['audio/amr', 'audio/mpeg'],
    bytes: 2 * MB,
    zh: '微信只收 2 MB、60 秒以内的 AMR 或 MP3 语音。',
    en: 'WeChat takes AMR or MP3 voice of up to 2 MB and 60 seconds.',
  },
  video: { types: ['video/mp4'], bytes: 10 * MB, zh: '微信只收 10 MB 以内的 MP4 视频。', en: 'WeChat takes MP4 video of up to 10 MB.' },
}
/** WeChat looks at the name as well; Chinese in it is not safe in a form. */
const extensions: Record<string, string> = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/gif': 'gif',
  'audio/amr': 'amr',
  'audio/mpeg': 'mp3',
  'video/mp4': 'mp4',
}

/** Uploads a stored file; the media id is good for three days. Refuses with a sentence what WeChat would refuse with a code. */
export async function uploadFile(ctx: Context, token: string, fileId: string, kind: 'image' | 'voice' | 'video', inbox: WechatInbox): Promise<string> {
  const file = await ctx.file(fileId)
  if (!file) throw fileRefusal({ zh: '文件已经不在了，请重新选择。', en: 'The file is gone: choose it again.' })
  const limit = limits[kind]
  if (!limit.types.includes(file.mime) || file.size > limit.bytes) throw fileRefusal({ zh: limit.zh, en: limit.en })
  const chunks: Buffer[] = []
  for await (const chunk of await file.open()) chunks.push(Buffer.from(chunk))
  const bytes = Buffer.concat(chunks)
  if (kind === 'voice' && (voiceLengthMs(bytes) ?? 0) > longestVoiceMs) throw fileRefusal({ zh: limit.zh, en: limit.en })
  return uploadMedia(inbox.settings.apiBase, token, kind, { name: `${kind}.${extensions[file.mime]}`, mime: file.mime, bytes })
}

/** The still that stands for a video until it is played. */
export const uploadThumb = (token: string, inbox: WechatInbox): Promise<string> =>
  uploadMedia(inbox.settings.apiBase, token, 'thumb', { name: 'thumb.jpg', mime: 'image/jpeg', bytes: videoThumb })
