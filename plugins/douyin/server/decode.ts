/**
 * A push of Douyin in the hub's words. Every event of the platform's list has its line here; one that is on no list
 * is kept whole as `unsupported`.
 * (developer.open-douyin.com: webhooks/summarize, private-message/private-msg-webhook, enter-direct-msg-webhook)
 */
import { createHash } from 'node:crypto'
import type { ChannelSender, InboundEvent, LocalText } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'
import { cameFrom } from './came-from.ts'
import { parseExactly, sourceOf } from './exact-json.ts'

const hour = 3_600_000
/** Reported by integrators; the platform promises neither. */
export const replyGrant = { name: 'reply', count: 6, ms: 24 * hour }
export const enterGrant = { name: 'enter', count: 3, ms: 30_000 }

/** What a push tells about answering this customer; kept beside the event, since the platform wants its own ids back. */
export interface PeerNews {
  /** The customer's open_id. */
  customer: string
  conversationShortId: string
  /** A customer's message: the one to answer. Never an echo's: 28003082. */
  reply?: { messageId: string; at: Date }
  /** The customer opened the chat. */
  enter?: { messageId: string; at: Date }
}

/** What the operator did: gave or took the authorisation of the app, signed or ended a contract about what it may do. */
export type AuthorisationChange = 'given' | 'taken' | 'contract' | 'contract-ended'

export type Decoded =
  | { kind: 'challenge'; body: string }
  /** The operator gave or took away an authorisation of the app. */
  | { kind: 'authorisation'; account: string; change: AuthorisationChange; id: string; at: Date }
  | { kind: 'event'; account: string; event: InboundEvent; peer?: PeerNews }

interface Push {
  event: string
  from: string
  to: string
  content: Record<string, unknown>
  /** The app that is told: ours. */
  clientKey: string
  raw: unknown
  /** Unique to this push; the same when it is repeated. */
  id: string
}

type Values = Record<string, unknown>
const record = (value: unknown): Values => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Values) : {})
const text = (value: unknown): string => (typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : '')
const clip = (value: string, length: number): string => (value.length <= length ? value : [...value.slice(0, length + 1)].slice(0, -1).join(''))

/** Ids are opaque and may be long: one that does not fit the hub's column goes by its hash. */
export const fitId = (id: string): string => (id.length <= 160 ? id : `sha256:${createHash('sha256').update(id).digest('hex')}`)

/** The platform's ids are far shorter. With one beyond this nothing is asked or answered: no column promises it, and cut it names something else. */
const longestId = 900
const fitsAnswer = (...ids: string[]): boolean => ids.every((id) => id.length <= longestId)

/** Is this the platform trying the address? It may come unsigned while the address is being set up. */
export function challengeOf(body: Buffer): string | undefined {
  const source = body.toString('utf8')
  try {
    if (record(JSON.parse(source)).event !== 'verify_webhook') return undefined
    // As it was written: a number stays a number, however long.
    const challenge = sourceOf(contentSource(source), 'challenge')
    return challenge === undefined ? undefined : `{"challenge":${challenge}}`
  } catch {
    return undefined
  }
}

/** `content` may be an object or the JSON of one in a string. */
function contentSource(source: string): string {
  const { content } = record(JSON.parse(source))
  return typeof content === 'string' ? content : source
}

/**
 * @param messageId the header `Msg-Id`, the same for repeats
 * @param isOurs is this the open_id of an account of ours?
 * @throws HUB_REQUEST_INVALID for what is no push
 */
export function decode(body: Buffer, messageId: string | undefined, isOurs: (openId: string) => boolean): Decoded {
  const challenge = challengeOf(body)
  if (challenge) return { kind: 'challenge', body: challenge }
  const push = readPush(body, messageId)
  const handler = handlers[push.event]
  return handler ? handler(push, isOurs) : unknown(push, isOurs)
}

function readPush(body: Buffer, messageId: string | undefined): Push {
  let raw: unknown
  try {
    raw = parseExactly(body.toString('utf8'))
  } catch {
    throw new HubError('HUB_REQUEST_INVALID', 'The body is not JSON')
  }
  const envelope = record(raw)
  const event = text(envelope.event)
  if (event === '') throw new HubError('HUB_REQUEST_INVALID', 'The body names no event')
  const from = text(envelope.from_user_id)
  const to = text(envelope.to_user_id)
  if (from.length > 190 || to.length > 190) throw new HubError('HUB_REQUEST_INVALID', 'The ids are too long')
  const id = messageId ? clip(messageId, 120) : createHash('sha256').update(body).digest('hex')
  return { event, from, to, content: contentOf(envelope.content), clientKey: text(envelope.client_key), raw, id }
}

function contentOf(content: unknown): Values {
  if (typeof content !== 'string') return record(content)
  try {
    return record(parseExactly(content))
  } catch {
    return {}
  }
}

/** Milliseconds; some older pushes count in seconds. What is no time of this platform's life is none. */
function timeOf(value: unknown): Date | undefined {
  const number = Number(text(value))
  const ms = number > 0 && number < 1e11 ? number * 1_000 : number
  return ms > 1_400_000_000_000 && ms < 4_000_000_000_000 ? new Date(ms) : undefined
}

function senderOf(push: Push, openId: string, more: Partial<ChannelSender> = {}): ChannelSender {
  const infos = Array.isArray(push.content.user_infos) ? push.content.user_infos.map(record) : []
  const info = infos.find((one) => one.open_id === openId) ?? {}
  const name = clip(text(info.nick_name), 60)
  const avatar = clip(text(info.avatar), 1_000)
  return { externalId: openId, ...(name ? { name } : {}), ...(avatar ? { attributes: { avatar } } : {}), ...more }
}

type Handler = (push: Push, isOurs: (openId: string) => boolean) => Decoded

/** Which end is the customer? The account's open_id tells; before it is known, the direction of the event does. */
function ends({ from, to }: Push, isOurs: (openId: string) => boolean, sentByUs: boolean): { account: string; customer: string } {
  const [mine, other] = sentByUs ? [from, to] : [to, from]
  return isOurs(other) && !isOurs(mine) ? { account: other, customer: mine } : { account: mine, customer: other }
}

const received: Handler = (push, isOurs) => {
  const { account, customer } = ends(push, isOurs, false)
  const messageId = text(push.content.server_message_id)
  if (customer === '') return unknown(push, isOurs)
  const conversationShortId = text(push.content.conversation_short_id)
  const answerable = messageId !== '' && fitsAnswer(messageId, conversationShortId)
  const sentAt = timeOf(push.content.create_time)
  const parts = partsOf(push)
  return {
    kind: 'event',
    account,
    event: {
      kind: 'message',
      externalId: messageId ? fitId(messageId) : `push:${push.id}`,
      from: senderOf(push, customer, leadOf(push.content)),
      parts,
      ...(sentAt ? { sentAt } : {}),
      ...(answerable ? { grant: replyGrant } : {}),
    },
    ...(answerable ? { peer: { customer, conversationShortId, reply: { messageId, at: sentAt ?? new Date() } } } : {}),
  }
}

/**
 * The `client_key` of the app that sent it, empty for what was written in the Douyin app (private-msg-webhook). What another
 * app's key would mean here, or none at all, no source says.
 */
function originOf({ content, clientKey }: Push): 'api' | 'app' | undefined {
  if (content.source === '') return 'app'
  return typeof content.source === 'string' && content.source === clientKey ? 'api' : undefined
}

/** An echo: sent by us, by another program, or by hand in the Douyin app. The hub knows its own by the id. */
const sent: Handler = (push, isOurs) => {
  const { account, customer } = ends(push, isOurs, true)
  if (customer === '') return unknown(push, isOurs)
  const messageId = text(push.content.server_message_id)
  const sentAt = timeOf(push.content.create_time)
  const origin = originOf(push)
  return {
    kind: 'event',
    account,
    event: {
      kind: 'echo',
      externalId: messageId ? fitId(messageId) : `push:${push.id}`,
      from: senderOf(push, customer),
      parts: partsOf(push),
      ...(sentAt ? { sentAt } : {}),
      ...(origin ? { origin } : {}),
    },
  }
}

const recalled: Handler = (push, isOurs) => {
  const messageId = text(push.content.server_message_id)
  const byUs = isOurs(push.from)
  const { account, customer } = ends(push, isOurs, byUs)
  if (messageId === '' || customer === '') return unknown(push, isOurs)
  return {
    kind: 'event',
    account,
    event: {
      kind: 'recall',
      externalId: `recall:${fitId(messageId)}`,
      from: senderOf(push, customer),
      messageExternalId: fitId(messageId),
      by: byUs ? 'agent' : 'customer',
    },
  }
}

/** Ids and names of the advertisement that led here; kept as they are, they are the operator's attribution. */
const attribution = ['scene_type', 'objectId', 'object_id', 'path', 'query', 'action_type'] as const

const entered: Handler = (push, isOurs) => {
  const { account, customer } = ends(push, isOurs, false)
  const messageId = text(push.content.server_message_id)
  if (customer === '') return unknown(push, isOurs)
  const conversationShortId = text(push.content.conversation_short_id)
  const answerable = messageId !== '' && fitsAnswer(messageId, conversationShortId)
  const at = timeOf(push.content.create_time)
  const extra = contentOf(push.content['data-im-extra'])
  const advertisement = contentOf(push.content.ad_info)
  const params: Record<string, string> = {}
  for (const [name, value] of [...Object.entries(extra), ...Object.entries(advertisement), ...attribution.map((name) => [name, push.content[name]] as const)])
    if (text(value) !== '' && Object.keys(params).length < 40) params[clip(name, 60)] = clip(text(value), 500)
  const source = cameFrom(params)
  return {
    kind: 'event',
    account,
    event: {
      kind: 'activity',
      externalId: messageId ? `enter:${fitId(messageId)}` : `push:${push.id}`,
      // Who comes by another way is no longer there by the advertisement of last time.
      from: senderOf(push, customer, source.some(({ value }) => value !== '') ? { facts: source } : {}),
      name: 'entered',
      label: { zh: '进入了私信会话', en: 'Opened the chat' },
      params,
      details: source,
      ...(at ? { at } : {}),
      ...(answerable ? { grant: enterGrant } : {}),
    },
    ...(answerable ? { peer: { customer, conversationShortId, enter: { messageId, at: at ?? new Date() } } } : {}),
  }
}

/** Something the customer did. `params` are the plain values of the content. */
const did =
  (name: string, label: LocalText | ((content: Values) => LocalText)): Handler =>
  (push, isOurs) => {
    const { account, customer } = ends(push, isOurs, false)
    if (customer === '') return unknown(push, isOurs)
    const at = timeOf(push.content.create_time ?? push.content.event_time)
    return {
      kind: 'event',
      account,
      event: {
        kind: 'activity',
        externalId: `push:${push.id}`,
        from: senderOf(push, customer),
        name,
        label: typeof label === 'function' ? label(push.content) : label,
        params: plainValues(push.content),
        ...(at ? { at } : {}),
      },
    }
  }

function plainValues(content: Values): Record<string, string> {
  const plain = Object.entries(content).filter(([, value]) => text(value) !== '')
  return Object.fromEntries(plain.slice(0, 40).map(([name, value]) => [clip(name, 60), clip(text(value), 500)]))
}

/**
 * Fan groups are no conversation with one person: nothing can be answered to one member. What is said there is kept in
 * the trail of the member who said it; what the account said, in the trail of the group.
 */
const inGroup =
  (sentByUs: boolean): Handler =>
  (push, isOurs) => {
    const group = text(push.content.conversation_short_id) || text(push.content.group_id) || push.to
    const account = sentByUs ? push.from : isOurs(push.to) ? push.to : ''
    const member = sentByUs || push.from === '' ? undefined : push.from
    const messageId = text(push.content.server_message_id)
    const at = timeOf(push.content.create_time)
    return {
      kind: 'event',
      account,
      event: {
        kind: 'activity',
        externalId: messageId ? `group:${fitId(messageId)}` : `push:${push.id}`,
        from: member ? senderOf(push, member) : { externalId: `group:${fitId(group)}`, label: { zh: '抖音粉丝群', en: 'Douyin fan group' } },
        name: sentByUs ? 'group.sent' : 'group.said',
        label: sentByUs ? { zh: '本账号在粉丝群发言', en: 'This account wrote in a fan group' } : { zh: '在粉丝群里发言', en: 'Wrote in a fan group' },
        params: plainValues(push.content),
        ...(at ? { at } : {}),
      },
    }
  }

const authorisation =
  (change: AuthorisationChange): Handler =>
  ({ from, to, id, content }, isOurs) => ({
    kind: 'authorisation',
    account: isOurs(to) ? to : from,
    change,
    id,
    at: timeOf(content.create_time ?? content.event_time) ?? new Date(),
  })

const handlers: Readonly<Record<string, Handler>> = Object.assign(Object.create(null), {
  im_receive_msg: received,
  im_send_msg: sent,
  im_enter_direct_msg: entered,
  im_recall_msg: recalled,
  im_authorize: did('authorised', (content) =>
    text(content.auth_status) === '2'
      ? { zh: '取消了接收私信的授权', en: 'Withdrew the consent to messages' }
      : { zh: '授权接收私信', en: 'Consented to messages' },
  ),
  im_group_receive_msg: inGroup(false),
  im_group_send_msg: inGroup(true),
  group_fans_event: did('group.membership', { zh: '进入或退出了粉丝群', en: 'Joined or left a fan group' }),
  enter_group_audit_change: did('group.audit', { zh: '申请加入粉丝群', en: 'Asked to join a fan group' }),
  authorize: authorisation('given'),
  unauthorize: authorisation('taken'),
  contract_authorize: authorisation('contract'),
  contract_unauthorize: authorisation('contract-ended'),
  // Names of the older enterprise interface.
  receive_msg: received,
  enter_im: entered,
  dial_phone: did('phone', { zh: '点击了主页的电话', en: 'Tapped the phone number' }),
  website_contact: did('website', { zh: '点击了主页的官网', en: 'Tapped the website' }),
  personal_tab_contact: did('contact', { zh: '点击了主页的联系方式', en: 'Tapped the contact tab' }),
} satisfies Record<string, Handler>)

const unknown: Handler = (push, isOurs) => {
  const { account, customer } = ends(push, isOurs, false)
  return {
    kind: 'event',
    account,
    event: {
      kind: 'message',
      externalId: `push:${push.id}`,
      // A push that names nobody is the platform's own word: it needs a place to be seen.
      from: customer === '' ? { externalId: 'douyin:platform', label: { zh: '抖音平台', en: 'Douyin itself' } } : senderOf(push, customer),
      parts: [{ type: 'unsupported', raw: push.raw }],
    },
  }
}

/** The message's content as parts. */
function partsOf({ content, raw }: Push): MessagePart[] {
  switch (text(content.message_type)) {
    case 'text':
      return text(content.text) === '' ? [{ type: 'unsupported', raw }] : textParts(text(content.text))
    case 'emoji': {
      const url = text(content.resource_url)
      return url === '' ? [{ type: 'unsupported', raw }] : [{ type: 'remote', as: 'image', ref: JSON.stringify({ url: clip(url, 1_900) }), name: 'emoji' }]
    }
    case 'image':
      return localOrTold(content, 'image', {
        zh: '图片（抖音未开放内容，请在抖音 App 查看）',
        en: 'Picture (look at it in the Douyin app: its content is not given out)',
      })
    case 'video':
      return localOrTold(content, 'video', { zh: '抖音视频（请在抖音 App 查看）', en: 'Douyin video (look at it in the Douyin app)' })
    case 'user_local_image':
      return [localFile(content, raw, 'image')]
    case 'user_local_video':
      return [localFile(content, raw, 'video')]
    case 'retain_consult_card':
      return [leadCard(content)]
    default:
      return [{ type: 'unsupported', raw }]
  }
}

/** A part holds 20 000 units: what a person can send fits, anything else is not lost. */
function textParts(words: string): MessagePart[] {
  const parts: MessagePart[] = []
  for (let rest = words; rest !== ''; ) {
    const piece = clip(rest, 20_000)
    parts.push({ type: 'text', text: piece })
    rest = rest.slice(piece.length)
  }
  return parts
}

/** The website flavour gives no address for pictures and shared videos, only that there is one. */
function localOrTold(content: Values, as: 'image' | 'video', label: LocalText): MessagePart[] {
  const url = text(content.resource_url)
  if (url !== '') return [{ type: 'remote', as, ref: JSON.stringify({ url: clip(url, 1_900) }) }]
  const item = text(content.item_id)
  return [
    { type: 'card', kind: as === 'image' ? 'douyin-image' : 'douyin-video', title: '', label, standsFor: as, ...(item ? { data: { itemId: item } } : {}) },
  ]
}

/** The mini-program flavour: the platform keeps it, and tells where when it is asked with both ids. */
function localFile(content: Values, raw: unknown, as: 'image' | 'video'): MessagePart {
  const [conversation, message] = [text(content.conversation_short_id), text(content.server_message_id)]
  return fitsAnswer(conversation, message) ? { type: 'remote', as, ref: JSON.stringify({ conversation, message }) } : { type: 'unsupported', raw }
}

function cardFields(content: Values): { label: string; value: string }[] {
  const data = Array.isArray(content.card_data) ? content.card_data.map(record) : []
  return data.slice(0, 50).map((field) => ({ label: clip(text(field.label), 100), value: clip(text(field.value), 1_000) }))
}

const leadCard = (content: Values): MessagePart => ({
  type: 'card',
  kind: 'lead-form',
  title: '',
  label: { zh: '留资卡片', en: 'Lead card' },
  fields: cardFields(content),
  data: { cardId: text(content.card_id), cardStatus: text(content.card_status) },
})

/**
 * What a filled lead card says about the person. Nobody vouches for it. A masked number (138****5678) is no number: it
 * stays in the card, as it came.
 */
function leadOf(content: Values): Partial<ChannelSender> {
  if (content.message_type !== 'retain_consult_card') return {}
  const phone = cardFields(content)
    .filter(({ label }) => /电话|手机|联系方式|phone|mobile/i.test(label))
    .map(({ value }) => value.replace(/[\s-]/g, '').replace(/^(?:\+|00)?86(?=1\d{10}$)/, ''))
    .find((value) => /^1[3-9]\d{9}$/.test(value))
  return phone ? { claims: [{ kind: 'phone', value: `+86${phone}`, verified: false }] } : {}
}
