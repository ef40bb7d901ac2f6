/** A push in the hub's words. Fields: developers.weixin.qq.com/doc/service/guide/product/message/Receiving_standard_messages.html */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { ChannelSender, InboundEvent, LabelledFact, LocalText, ReplyGrant } from '@huike/core/sdk/channel.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'
import { nameWithin } from '@huike/core/sdk/person-names.ts'
import type { WechatSettings } from './inbox-settings.ts'
import { listAt, PushError, type PushFields, textAt } from './read-push.ts'

const minute = 60_000
/**
 * What may be answered, and for how long: developers.weixin.qq.com/doc/service/guide/product/kf/intro.html.
 * A tap on a menu in a message counts as a menu tap, not as a message.
 */
const grants = {
  message: (count: number): ReplyGrant => ({ name: 'message', count, ms: 48 * 60 * minute }),
  menu: { name: 'menu', count: 3, ms: minute },
  follow: { name: 'follow', count: 3, ms: minute },
  scan: { name: 'scan', count: 3, ms: minute },
  enter: { name: 'enter', count: 2, ms: minute },
} as const

type DecodeSettings = Pick<WechatSettings, 'replyCount' | 'openPlatform' | 'userSubject' | 'sessionSecret'>

/** Exactly one event: a message, or an activity. Throws {@link PushError} when it says nothing. */
export function decodePush(push: PushFields, settings: DecodeSettings): InboundEvent {
  if (Object.keys(push).length === 0) throw new PushError('it says nothing')
  const openid = textAt(push, 'FromUserName')
  if (!/^[\w@.-]{1,128}$/.test(openid)) return ofPlatform(push)
  const at = timeOf(textAt(push, 'CreateTime'))
  const type = textAt(push, 'MsgType').toLowerCase()
  const from: ChannelSender = { externalId: openid, verified: true }
  if (type === 'event') return decodeEvent(push, from, at, settings)
  const parts = decodeParts(type, push)
  const tappedMenu = textAt(push, 'bizmsgmenuid') !== ''
  return {
    kind: 'message',
    // An unknown kind may come without an id, or with something else in its place.
    externalId: /^\d{1,32}$/.test(textAt(push, 'MsgId')) ? textAt(push, 'MsgId') : fingerprint('m', push),
    from,
    parts,
    ...(at ? { sentAt: at } : {}),
    grant: tappedMenu ? grants.menu : grants.message(settings.replyCount),
  }
}

/** A push that names nobody is the platform's own word (an audit's result): it needs a place to be seen, and is answered to nobody. */
function ofPlatform(push: PushFields): InboundEvent {
  const from: ChannelSender = { externalId: 'wechat:platform', label: { zh: '微信平台', en: 'WeChat itself' } }
  const sentAt = timeOf(textAt(push, 'CreateTime'))
  return { kind: 'message', externalId: fingerprint('p', push), from, parts: unsupported(push), ...(sentAt ? { sentAt } : {}) }
}

/** Unix seconds; undefined when the field is no time at all. */
function timeOf(seconds: string): Date | undefined {
  return /^\d{9,11}$/.test(seconds) ? new Date(Number(seconds) * 1_000) : undefined
}

/**
 * Events carry no id. Sender and second are not enough: two events can share a second, so the name and everything that
 * tells them apart goes in. A repeat of the platform carries the same.
 */
function fingerprint(prefix: string, push: PushFields): string {
  return `${prefix}-${createHash('sha256').update(JSON.stringify(push)).digest('base64url')}`
}

const cut = (text: string, length: number): string => {
  const points = [...text]
  return points.length <= length ? text : `${points.slice(0, length - 1).join('')}…`
}
const unsupported = (push: PushFields): MessagePart[] => [{ type: 'unsupported', raw: push }]

/** What `fetchFile` needs to get a file: never shown to anybody. */
export interface MediaRef {
  mediaId: string
  /** Of pictures: an address that outlives the id by some time. */
  url?: string
}
const remote = (as: 'image' | 'audio' | 'video', mediaId: string, url?: string): MessagePart => ({
  type: 'remote',
  as,
  ref: JSON.stringify({ mediaId, ...(url ? { url } : {}) } satisfies MediaRef),
})

/** A card's picture, fetched as a picture message's is. */
function coverOf(mediaId: string, url: string): { coverRef?: string } {
  const ref: MediaRef = { mediaId: mediaId.length <= 400 ? mediaId : '', ...(url && url.length <= 1_000 ? { url } : {}) }
  return ref.mediaId || ref.url ? { coverRef: JSON.stringify(ref) } : {}
}

function decodeParts(type: string, push: PushFields): MessagePart[] {
  const field = (name: string) => textAt(push, name)
  // Longer than any id WeChat gives is none.
  const mediaId = field('MediaId').length <= 400 ? field('MediaId') : ''
  switch (type) {
    case 'text':
      return splitText(field('Content'))
    case 'image':
      return mediaId || field('PicUrl') ? [remote('image', mediaId, field('PicUrl').slice(0, 1_000))] : unsupported(push)
    case 'voice': {
      if (!mediaId) return unsupported(push)
      const heard = field('Recognition').trim()
      return [
        remote('audio', mediaId),
        ...(heard ? [{ type: 'text' as const, text: cut(heard, 19_000), label: { zh: '语音识别', en: 'As heard by WeChat' } }] : []),
      ]
    }
    case 'video':
    case 'shortvideo':
      return mediaId ? [remote('video', mediaId)] : unsupported(push)
    case 'location': {
      // X is the latitude.
      const place = pointOf(field('Location_X'), field('Location_Y'))
      return place ? [{ type: 'location', ...place, ...(field('Label') ? { name: cut(field('Label'), 300) } : {}) }] : unsupported(push)
    }
    case 'link': {
      const url = field('Url')
      if (!/^https?:\/\//i.test(url) || url.length > 2_048) return unsupported(push)
      return [
        {
          type: 'link',
          url,
          ...(field('Title') ? { title: cut(field('Title'), 300) } : {}),
          ...(field('Description') ? { description: cut(field('Description'), 1_000) } : {}),
        },
      ]
    }
    case 'miniprogrampage':
      return [
        {
          type: 'card',
          kind: 'miniprogram',
          title: cut(field('Title'), 300),
          ...coverOf(field('ThumbMediaId'), field('ThumbUrl')),
          fields: [
            { label: 'AppID', value: cut(field('AppId'), 1_000) },
            { label: 'page', value: cut(field('PagePath'), 1_000) },
          ].filter(({ value }) => value),
          data: { appId: field('AppId'), pagePath: field('PagePath'), thumbMediaId: field('ThumbMediaId'), thumbUrl: field('ThumbUrl') },
        },
      ]
    default:
      return unsupported(push)
  }
}

/** A text part holds 20 000 code units; what is longer than a part becomes several. */
function splitText(text: string): MessagePart[] {
  const parts: MessagePart[] = []
  let rest = text
  do {
    let end = Math.min(rest.length, 20_000)
    // Never between the halves of a surrogate pair.
    if (end < rest.length && /[\uD800-\uDBFF]/.test(rest[end - 1] as string)) end -= 1
    parts.push({ type: 'text', text: rest.slice(0, end) })
    rest = rest.slice(end)
  } while (rest)
  return parts
}

function pointOf(lat: string, lng: string): { lat: number; lng: number } | undefined {
  const point = { lat: Number(lat), lng: Number(lng) }
  const isPoint = lat.trim() !== '' && lng.trim() !== '' && Math.abs(point.lat) <= 90 && Math.abs(point.lng) <= 180
  return isPoint ? point : undefined
}

interface Activity {
  name: string
  label: LocalText
  params?: Record<string, unknown>
  /** What it says of where they come from and whether they follow. */
  facts?: LabelledFact[]
  grant?: ReplyGrant
  windowShut?: true
}

/** What somebody who follows has done, as an event of ours is called. */
export const followedName = 'wechat.followed'
export const follows = (does: boolean): LabelledFact => ({
  name: 'follows',
  label: { zh: '关注状态', en: 'Following' },
  value: does ? { zh: '已关注', en: 'follows the account' } : { zh: '已取消关注', en: 'has unfollowed' },
})
export const sceneFact = (scene: string): LabelledFact => ({ name: 'scene', label: { zh: '二维码场景', en: 'QR code scene' }, value: scene })

/**
 * Where the account's owner has asked for it, WeChat reports a place every five seconds while somebody has the conversation open
 * (Official Accounts, event push: LOCATION). Of each ten minutes the first is kept, the others are repeats of it.
 */
const placeEverySeconds = 600
function eventId(push: PushFields): string {
  if (textAt(push, 'Event').toLowerCase() !== 'location') return fingerprint('e', push)
  const time = Number(textAt(push, 'CreateTime'))
  return fingerprint('e', { Event: 'LOCATION', FromUserName: textAt(push, 'FromUserName'), CreateTime: String(Math.floor(time / placeEverySeconds)) })
}

function decodeEvent(push: PushFields, from: ChannelSender, at: Date | undefined, settings: DecodeSettings): InboundEvent {
  const externalId = eventId(push)
  const activity = describe(push)
  // Nobody knows this event: kept whole and shown, as an unknown message is. It grants nothing.
  if (!activity) return { kind: 'message', externalId, from, parts: unsupported(push), ...(at ? { sentAt: at } : {}) }
  const entered = textAt(push, 'Event').toLowerCase() === 'user_enter_tempsession'
  return {
    kind: 'activity',
    externalId,
    from: {
      ...from,
      ...(entered ? whoEnters(textAt(push, 'SessionFrom'), from.externalId, settings) : {}),
      ...(activity.facts ? { facts: activity.facts } : {}),
    },
    name: `wechat.${activity.name}`,
    label: activity.label,
    ...(activity.params ? { params: activity.params } : {}),
    ...(at ? { at } : {}),
    ...(activity.grant ? { grant: activity.grant } : {}),
    ...(activity.windowShut ? { windowShut: true } : {}),
  }
}

/** Event names come in mixed case; some of WeChat's own pages write them differently. */
function describe(push: PushFields): Activity | undefined {
  const field = (...path: string[]) => cut(textAt(push, ...path), 500)
  const key = field('EventKey')
  const say = (name: string, zh: string, en: string, params?: Record<string, unknown>, grant?: ReplyGrant): Activity => ({
    name,
    label: { zh, en },
    ...(params ? { params } : {}),
    ...(grant ? { grant } : {}),
  })
  const about = (text: string) => (text ? `：${cut(text, 100)}` : '')
  const aboutEn = (text: string) => (text ? `: ${cut(text, 100)}` : '')

  switch (textAt(push, 'Event').toLowerCase()) {
    case 'subscribe': {
      const scene = key.replace(/^qrscene_/, '')
      const followed = scene
        ? say(
            'followed',
            `扫描带参数的二维码关注了公众号：${cut(scene, 100)}`,
            `Followed the account by a QR code: ${cut(scene, 100)}`,
            { scene, ticket: field('Ticket') },
            grants.follow,
          )
        : say('followed', '关注了公众号', 'Followed the account', undefined, grants.follow)
      return { ...followed, facts: [follows(true), sceneFact(scene)] }
    }
    case 'unsubscribe':
      // Whatever was granted is over. A grant of nothing stands in the message's place, for one that comes late; the next brings a new one.
      return {
        ...say('unfollowed', '取消关注了公众号', 'Unfollowed the account', undefined, grants.message(0)),
        windowShut: true,
        facts: [follows(false)],
      }
    case 'scan':
      return {
        ...say('scanned', `扫描了二维码${about(key)}`, `Scanned a QR code${aboutEn(key)}`, { scene: key, ticket: field('Ticket') }, grants.scan),
        facts: [follows(true), sceneFact(key)],
      }
    case 'location': {
      const place = pointOf(field('Latitude'), field('Longitude'))
      return say('located', '上报了所在位置', 'Reported where they are', { ...place, precision: field('Precision') })
    }
    case 'click':
      return say('menuTapped', `点击了菜单${about(key)}`, `Tapped a menu item${aboutEn(key)}`, { key }, grants.menu)
    case 'view':
      return say('menuOpened', `从菜单打开了网页${about(key)}`, `Opened a page from the menu${aboutEn(key)}`, { url: key })
    case 'view_miniprogram':
      return say('miniprogramOpened', `从菜单打开了小程序${about(key)}`, `Opened a mini-program from the menu${aboutEn(key)}`, { path: key })
    case 'scancode_push':
    case 'scancode_waitmsg': {
      const result = field('ScanCodeInfo', 'ScanResult')
      return say(
        'codeScanned',
        `用菜单扫了码${about(result)}`,
        `Scanned a code from the menu${aboutEn(result)}`,
        { key, result, scanType: field('ScanCodeInfo', 'ScanType') },
        grants.menu,
      )
    }
    case 'pic_sysphoto':
    case 'pic_photo_or_album':
    case 'pic_weixin': {
      const count = field('SendPicsInfo', 'Count') || '0'
      return say('picturesChosen', `从菜单选了 ${count} 张图片`, `Chose ${count} pictures from the menu`, { key, count })
    }
    case 'location_select': {
      const place = pointOf(field('SendLocationInfo', 'Location_X'), field('SendLocationInfo', 'Location_Y'))
      const label = field('SendLocationInfo', 'Poiname') || field('SendLocationInfo', 'Label')
      return say('placeChosen', `从菜单选了位置${about(label)}`, `Chose a place from the menu${aboutEn(label)}`, { key, ...place, label })
    }
    case 'kf_create_session':
      return say(
        'nativeSessionOpened',
        `在微信自带客服中开始会话${about(field('KfAccount'))}`,
        `A session began in WeChat’s own desk${aboutEn(field('KfAccount'))}`,
        { account: field('KfAccount') },
      )
    case 'kf_close_session':
      return say(
        'nativeSessionClosed',
        `微信自带客服的会话结束了${about(field('KfAccount'))}`,
        `A session ended in WeChat’s own desk${aboutEn(field('KfAccount'))}`,
        { account: field('KfAccount') },
      )
    case 'kf_switch_session':
      return say(
        'nativeSessionMoved',
        `微信自带客服转接了会话${about(field('ToKfAccount'))}`,
        `A session moved in WeChat’s own desk${aboutEn(field('ToKfAccount'))}`,
        {
          account: field('FromKfAccount'),
          to: field('ToKfAccount'),
        },
      )
    case 'templatesendjobfinish': {
      const status = field('Status')
      return status === 'success'
        ? say('templateDelivered', '模板消息已送达', 'A template message arrived', { id: field('MsgID'), status })
        : say('templateFailed', `模板消息未送达${about(status)}`, `A template message did not arrive${aboutEn(status)}`, { id: field('MsgID'), status })
    }
    case 'masssendjobfinish':
      return say('massSent', `群发完成${about(field('Status'))}`, `A mass message was sent${aboutEn(field('Status'))}`, {
        id: field('MsgID'),
        status: field('Status'),
        sent: field('SentCount'),
        failed: field('ErrorCount'),
      })
    case 'subscribe_msg_popup_event':
      return subscriptions(push, 'SubscribeMsgPopupEvent', 'subscriptionAnswered', '回应了订阅消息的授权', 'Answered a subscription request')
    case 'subscribe_msg_change_event':
      return subscriptions(push, 'SubscribeMsgChangeEvent', 'subscriptionChanged', '改动了订阅消息的授权', 'Changed their subscriptions')
    case 'subscribe_msg_sent_event':
      return subscriptions(push, 'SubscribeMsgSentEvent', 'subscriptionSent', '一条订阅消息有了发送结果', 'A subscription message was handled')
    case 'user_enter_tempsession': {
      const from = field('SessionFrom')
      const told = from.startsWith('{') ? '' : from
      return {
        ...say(
          'entered',
          `进入了小程序客服会话${about(told)}`,
          `Opened the mini-program’s customer service${aboutEn(told)}`,
          told ? { sessionFrom: told } : undefined,
          grants.enter,
        ),
        ...(told ? { facts: [{ name: 'sessionFrom', label: { zh: '进入来源', en: 'Came by way of' }, value: told }] } : {}),
      }
    }
    default:
      return undefined
  }
}

/** XML wraps the list, JSON has it at the top; one entry comes as an object, several as an array. */
function subscriptions(push: PushFields, wrapper: string, name: string, zh: string, en: string): Activity {
  const entries = [...listAt(push, wrapper, 'List'), ...listAt(push, 'List')]
  const templates = entries.slice(0, 20).map((entry) => ({
    id: textAt(entry, 'TemplateId'),
    status: textAt(entry, 'SubscribeStatusString') || textAt(entry, 'ErrorStatus'),
  }))
  return { name, label: { zh, en }, params: { templates } }
}

/**
 * The mini-program's button tells with `session-from` who comes. The page can be tampered with, so a name of a person
 * counts as proven only with the signature of the mini-program's server (see the README).
 */
function whoEnters(sessionFrom: string, openid: string, { sessionSecret, openPlatform, userSubject }: DecodeSettings): Partial<ChannelSender> {
  if (!sessionFrom.startsWith('{') || sessionFrom.length > 2_000) return {}
  let told: Record<string, unknown>
  try {
    told = JSON.parse(sessionFrom)
  } catch {
    return {}
  }
  const field = (name: string) => (typeof told[name] === 'string' ? (told[name] as string).slice(0, 128) : '')
  const expected = createHmac('sha256', sessionSecret)
    .update([openid, field('unionid'), field('userId')].join('\n'))
    .digest()
  const given = Buffer.from(field('sign'), 'hex')
  const verified = sessionSecret !== '' && given.length === expected.length && timingSafeEqual(given, expected)
  const claims: NonNullable<ChannelSender['claims']> = [
    ...(field('unionid') ? [{ kind: 'unionid' as const, value: nameWithin(openPlatform, field('unionid')), verified }] : []),
    ...(field('userId') ? [{ kind: 'userId' as const, value: nameWithin(userSubject, field('userId')), verified }] : []),
  ]
  return { ...(field('name') ? { name: field('name').slice(0, 60) } : {}), ...(claims.length > 0 ? { claims } : {}) }
}
