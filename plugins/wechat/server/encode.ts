/** Parts as bodies of the customer-service interface. developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage.html */
import { type LocalText, SendError } from '@huike/core/sdk/channel.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'
import type { WechatSettings } from './inbox-settings.ts'

/** Bytes of one text message; more is refused with 45002. */
export const maxTextBytes = 2_048

/** One message of WeChat's, without its receiver. What names a `file` needs that file's media id first. */
export type Draft =
  | { msgtype: 'text'; text: { content: string } }
  | { msgtype: 'image' | 'voice' | 'video'; file: string; kind: 'image' | 'voice' | 'video'; title?: string }
  | { msgtype: 'news'; news: { articles: [{ title: string; description: string; url: string; picurl: string }] } }
  | { msgtype: 'link'; link: { title: string; description: string; url: string; thumb_url: string } }
  | { msgtype: 'miniprogrampage'; page: { title: string; appid?: string; pagepath: string }; thumb: { mediaId: string } | { file: string } }

/**
 * Characters that JSON can only carry as \\u escapes, which WeChat refuses (40033): controls, and halves of a character. A word
 * processor's line and page breaks are line breaks.
 */
const clean = (text: string): string =>
  text
    .replace(/\r\n?|[\v\f]/g, '\n')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    .replace(/[\x00-\x08\x0e-\x1f]|\p{Surrogate}/gu, '')

const refuse = (reason: string, zh: string, en: string) => new SendError(reason, { retry: false, sentence: { zh, en } })

/** A message's parts, in order, as many messages of WeChat's as they need. Throws {@link SendError} for what WeChat cannot carry. */
export function encodeParts(parts: readonly MessagePart[], settings: Pick<WechatSettings, 'kind' | 'appId' | 'cardThumbMediaId'>): Draft[] {
  return parts.flatMap((part) => encodePart(part, settings))
}

/** How many messages of WeChat's they will be, without asking whether it can carry them. */
export const countDrafts = (parts: readonly MessagePart[]): number =>
  parts.reduce((sum, part) => sum + (part.type === 'text' ? splitByBytes(clean(part.text), maxTextBytes).length : 1), 0)

function encodePart(part: MessagePart, { kind, appId, cardThumbMediaId }: Pick<WechatSettings, 'kind' | 'appId' | 'cardThumbMediaId'>): Draft[] {
  const mini = kind === 'mini'
  switch (part.type) {
    case 'text':
      return splitByBytes(clean(part.text), maxTextBytes).map((content) => ({ msgtype: 'text', text: { content } }))
    case 'image':
      return [{ msgtype: 'image', kind: 'image', file: part.fileId }]
    case 'audio':
      if (mini) throw refuse('WECHAT_PART', '小程序客服消息不能发语音，请改发文字或图片。', 'Mini-program messages cannot carry voice: send text or a picture.')
      return [{ msgtype: 'voice', kind: 'voice', file: part.fileId }]
    case 'video':
      if (mini)
        throw refuse(
          'WECHAT_PART',
          '小程序客服消息不能发视频，请改发文字、图片或链接。',
          'Mini-program messages cannot carry video: send text, a picture or a link.',
        )
      return [{ msgtype: 'video', kind: 'video', file: part.fileId, title: clean(part.name) }]
    case 'link': {
      const title = clean(part.title ?? '') || part.url
      const description = clean(part.description ?? '')
      return mini
        ? [{ msgtype: 'link', link: { title, description, url: part.url, thumb_url: '' } }]
        : [{ msgtype: 'news', news: { articles: [{ title, description, url: part.url, picurl: '' }] } }]
    }
    case 'card': {
      if (part.kind !== 'miniprogram') throw refuse('WECHAT_PART', '微信不能发送这种卡片。', 'WeChat cannot carry this kind of card.')
      const data = (name: string) => (typeof part.data?.[name] === 'string' ? (part.data[name] as string) : '')
      const mediaId = data('thumbMediaId') || cardThumbMediaId
      if (!part.cover && !mediaId)
        throw refuse(
          'WECHAT_CARD_COVER',
          '小程序卡片要有封面：请上传一张，或请管理员在渠道账号设置里填写默认封面。',
          'A mini-program card needs a cover: upload one, or have an admin set the default in the inbox’s settings.',
        )
      const page = { title: clean(part.title), pagepath: data('pagePath') }
      return [
        {
          msgtype: 'miniprogrampage',
          // A mini-program sends cards of itself only and names no AppID.
          page: mini ? page : { ...page, appid: data('appId') || appId },
          thumb: part.cover ? { file: part.cover } : { mediaId },
        },
      ]
    }
    default:
      throw refuse('WECHAT_PART', '微信不能发送这种内容，请改发文字、图片或链接。', 'WeChat cannot carry this: send text, a picture or a link.')
  }
}

const graphemes = new Intl.Segmenter('zh', { granularity: 'grapheme' })

/** Where a reader would like a break: after a line, a sentence, a clause, a word; best first. */
const breaks = [/\n/, /[。！？!?；;]/, /[，,、：:]/, /\s/]

/**
 * Text in pieces of at most `max` bytes of UTF-8: never inside a character, not inside a family emoji or an accented letter
 * either (unless one alone is too long), and rather at the end of a line or sentence in the last third of a piece.
 */
export function splitByBytes(text: string, max: number): string[] {
  if (Buffer.byteLength(text) <= max) return text.trim() ? [text] : []
  const pieces: string[] = []
  let piece: string[] = []
  let bytes = 0
  const close = (atBreak: boolean) => {
    const end = atBreak ? goodEnd(piece) : piece.length
    const done = piece.slice(0, end).join('')
    piece = piece.slice(end)
    bytes = Buffer.byteLength(piece.join(''))
    if (done.trim()) pieces.push(done)
  }
  const take = (unit: string) => {
    const size = Buffer.byteLength(unit)
    while (piece.length > 0 && bytes + size > max) close(true)
    piece.push(unit)
    bytes += size
  }
  for (const { segment } of graphemes.segment(text)) {
    // A letter under hundreds of accents can be longer than a whole message.
    if (Buffer.byteLength(segment) > max) for (const point of segment) take(point)
    else take(segment)
  }
  close(false)
  return pieces
}

function goodEnd(units: readonly string[]): number {
  const earliest = Math.floor((units.length * 2) / 3)
  for (const pattern of breaks) {
    for (let i = units.length - 1; i >= earliest; i--) if (pattern.test(units[i] as string)) return i + 1
  }
  return units.length
}

/** What an agent reads about a file WeChat will not take. */
export const fileRefusal = (sentence: LocalText): SendError => new SendError('WECHAT_FILE', { retry: false, sentence })
