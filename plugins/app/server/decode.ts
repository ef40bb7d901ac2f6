/**
 * A client's event in the hub's words. Calls come in any order and in pieces: every piece (the call, a recording, a note, a
 * transcript) is an entry of its own named by the call and by what it says, so none waits for another, none is written twice,
 * and of several none is lost; the same call told again, with more known of it, is put together by the hub.
 */
import { createHash } from 'node:crypto'
import type { ChannelSender, InboundEvent, LabelledFact, LocalText } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'
import { nameWithin } from '@huike/core/sdk/person-names.ts'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { type Content, type DataOf, Envelope, type EventType, type Person, types } from './schema.ts'
import type { InboxSettings } from './settings.ts'

export interface Told {
  type: EventType
  events: InboundEvent[]
  /** Not stored, only shown: the customer types. */
  typing?: { externalId: string; text: string }
  /** The other side's name of the conversation. */
  thread?: { externalId: string; customerId: string }
  /** A piece of this call. `named`: it says whose call it is. */
  call?: { externalId: string; named: boolean }
}

/** What `uploadId` stands for; undefined when there is no such upload. No `sha256`: nobody knows its bytes any more. */
export type FindUpload = (uploadId: string) => Promise<{ part: MessagePart; sha256: string } | undefined>

/** Within which subjects the client's names of a person count. */
export type Subjects = Pick<InboxSettings, 'userSubject' | 'openPlatform'>
type SenderOf = (person: Person, context?: Record<string, unknown>) => ChannelSender

/**
 * @param id the event's `webhook-id`
 * @throws HUB_REQUEST_INVALID with the faults by path, APP_TYPE_UNKNOWN
 */
export async function decode(body: Buffer, id: string, subjects: Subjects, findUpload: FindUpload): Promise<Told> {
  const senderOf = senderWithin(subjects)
  const { type, timestamp, data } = readEnvelope(body)
  const at = timestamp ? new Date(timestamp) : new Date()
  const told = (events: InboundEvent[], more: Partial<Told> = {}): Told => ({ type, events, ...more })
  const activity = (from: ChannelSender, name: string, zh: string, en: string, params: Record<string, unknown> = {}): Told =>
    told([{ kind: 'activity', externalId: `event:${id}`, from, name, label: { zh, en }, params, at, ...(from.facts ? { details: from.facts } : {}) }])

  switch (type) {
    case 'message.created':
    case 'message.edited': {
      const message = data as DataOf<'message.created'>
      const byCustomer = (message.sender.role ?? 'customer') === 'customer'
      const customer = byCustomer ? message.sender : message.recipient
      if (!customer) throw invalid('/data/recipient', 'says whom the message of an agent or a bot went to')
      const parts = await partsOf(message.content, findUpload)
      const edited = type === 'message.edited'
      if (!edited && isOurName(message.externalMessageId))
        throw invalid('/data/externalMessageId', 'may not begin with edit:, form:, call:, recall: or event:, which the hub names things by')
      // An edit is a message that answers its first form: nothing that was read is rewritten.
      const externalId = edited ? `edit:${message.externalMessageId}:${id}` : message.externalMessageId
      const from = senderOf(customer, message.context)
      const sentAt = message.sentAt ? new Date(message.sentAt) : at
      const replyTo = edited ? message.externalMessageId : message.replyToExternalId
      const event: InboundEvent = byCustomer
        ? { kind: 'message', externalId, from, parts, sentAt, ...(replyTo ? { replyTo } : {}) }
        : { kind: 'echo', externalId, from, parts, sentAt }
      return told([event], message.conversation ? { thread: { externalId: message.conversation.externalId, customerId: customer.externalId } } : {})
    }
    case 'message.recalled': {
      const { sender, recipient, externalMessageId } = data as DataOf<'message.recalled'> & { recipient?: Person; externalMessageId: string }
      const by = (sender.role ?? 'customer') === 'customer' ? 'customer' : 'agent'
      const customer = by === 'customer' ? sender : recipient
      if (!customer) throw invalid('/data/recipient', 'says whom the message of an agent or a bot went to')
      return told([{ kind: 'recall', externalId: `recall:${externalMessageId}`, from: senderOf(customer), messageExternalId: externalMessageId, by }])
    }
    case 'message.delivered':
    case 'message.read': {
      const { sender, externalMessageId } = data as { sender: Person; externalMessageId: string }
      const status = type === 'message.read' ? 'read' : 'delivered'
      return told([{ kind: 'receipt', externalId: `event:${id}`, from: senderOf(sender), status, messageExternalId: externalMessageId }])
    }
    case 'message.failed': {
      const { sender, externalMessageId, code, reason, retryable } = data as Failed
      return told([
        {
          kind: 'failure',
          externalId: `event:${id}`,
          from: senderOf(sender),
          messageExternalId: externalMessageId,
          reason: code,
          ...(reason ? { detail: reason } : {}),
          ...(retryable === undefined ? {} : { sentence: failedSentence(reason, retryable) }),
        },
      ])
    }
    case 'typing.started': {
      const { sender, text = '' } = data as { sender: Person; text?: string }
      return told([], { typing: { externalId: sender.externalId, text } })
    }
    case 'session.entered': {
      const { sender, ...params } = data as DataOf<'session.entered'>
      return activity(senderOf(sender, params), 'entered', '打开了应用里的客服', 'Opened the chat in the app', params)
    }
    case 'contact.updated':
      return activity(senderOf((data as { sender: Person }).sender), 'contact.updated', '资料有更新', 'Details were updated')
    case 'contact.unsubscribed':
      return activity({ ...senderOf((data as { sender: Person }).sender), facts: [unsubscribed] }, 'unsubscribed', '退订了消息', 'Unsubscribed')
    case 'form.submitted': {
      const form = data as { sender: Person; externalFormId: string; title: string; fields: { label: string; value: string }[]; page?: string }
      const card: MessagePart = { type: 'card', kind: 'form', title: form.title, fields: form.fields, ...(form.page ? { url: form.page } : {}) }
      return told([{ kind: 'message', externalId: `form:${form.externalFormId}`, from: senderOf(form.sender), parts: [card], sentAt: at }])
    }
    case 'call.started': {
      const call = data as Call
      const started: InboundEvent = {
        kind: 'activity',
        externalId: `call:${call.externalCallId}:started`,
        from: callerOf(call, senderOf),
        name: 'call.started',
        label: call.direction === 'in' ? { zh: '打来电话', en: 'Called' } : { zh: '给客户打了电话', en: 'Was called' },
        params: plain(call),
        at: new Date(call.startedAt),
      }
      return told([started], ofCall(call))
    }
    case 'call.ended':
    case 'call.recording.ready': {
      const call = data as Call
      return told(await callEntries(type, call, at, senderOf, findUpload), ofCall(call))
    }
  }
}

/**
 * Named by us (an edit, a form, an entry of a call, what is no message), not by the client's `externalMessageId`. All names of
 * an inbox lie in one space: a message under one of ours would be taken for a repeat, and its words be gone.
 */
export const isOurName = (externalId: string): boolean => /^(edit|form|call|recall|event):/.test(externalId)

type Failed = { sender: Person; externalMessageId: string; code: string; reason?: string; retryable?: boolean }

const failedSentence = (reason: string | undefined, retryable: boolean): LocalText => ({
  zh: `${reason ?? '对方系统没能把这条消息交给客户'}（${retryable ? '可以重新发送' : '重新发送也不会送达'}）`,
  en: `${reason ?? 'The other side could not hand this message on'} (${retryable ? 'it can be sent again' : 'sending it again will not help'})`,
})

function readEnvelope(body: Buffer): { type: EventType; timestamp?: string; data: unknown } {
  let json: unknown
  try {
    json = JSON.parse(body.toString('utf8'))
  } catch {
    throw invalid('', 'is not JSON')
  }
  if (!Value.Check(Envelope, json)) throw faultsOf(Envelope, json, '')
  const { type, timestamp, data } = json
  if (!Object.hasOwn(types, type))
    throw new HubError('APP_TYPE_UNKNOWN', `There is no event ${type}`, { types: Object.keys(types) }, { status: 422, reader: 'author', retry: false })
  const schema = types[type as EventType]
  if (!Value.Check(schema, data)) throw faultsOf(schema, data, '/data')
  for (const [path, time] of timesIn({ timestamp, data })) if (!isTime(time)) throw invalid(path, 'is no time between the years 1970 and 2100')
  return { type: type as EventType, ...(timestamp ? { timestamp } : {}), data }
}

const [firstTime, pastTimes] = [0, Date.UTC(2101, 0)]

/** A day of the calendar and an hour of it, which `Date.parse` alone does not ask, in years that every database holds. */
function isTime(time: string): boolean {
  const at = Date.parse(time)
  const local = time.slice(0, 'YYYY-MM-DDThh:mm:ss'.length)
  const known = Date.parse(`${local}Z`)
  return at >= firstTime && at < pastTimes && !Number.isNaN(known) && new Date(known).toISOString().startsWith(local)
}

/** Times at the places where the schemas have them. */
function timesIn({ timestamp, data }: { timestamp: string | undefined; data: unknown }): [string, string][] {
  const fields = data as Record<string, unknown>
  const places: [string, unknown][] = ['sentAt', 'startedAt', 'answeredAt', 'endedAt'].map((name) => [`/data/${name}`, fields[name]])
  return [['/timestamp', timestamp] as [string, unknown], ...places].filter((entry): entry is [string, string] => typeof entry[1] === 'string')
}

const invalid = (path: string, message: string) => new HubError('HUB_REQUEST_INVALID', 'The event is not valid', { faults: [{ path, message }] })
const faultsOf = (schema: TSchema, value: unknown, at: string) =>
  new HubError('HUB_REQUEST_INVALID', 'The event is not valid', {
    faults: [...Value.Errors(schema, value)].slice(0, 20).map(({ instancePath, message }) => ({ path: `${at}${instancePath}`, message })),
  })

const senderWithin =
  ({ userSubject, openPlatform }: Subjects): SenderOf =>
  (person, context = {}) => {
    const { externalId, name, avatarUrl, phone, email, unionId, userId, verified = false } = person
    const attributes = { ...(avatarUrl ? { avatar: avatarUrl } : {}), ...(userId ? { userId } : {}), ...context }
    const facts = sourceOf(context)
    const claims: NonNullable<ChannelSender['claims']> = [
      ...(unionId ? [{ kind: 'unionid' as const, value: nameWithin(openPlatform, unionId), verified }] : []),
      ...(userId ? [{ kind: 'userId' as const, value: nameWithin(userSubject, userId), verified }] : []),
    ]
    return {
      externalId,
      verified,
      ...(name ? { name } : {}),
      ...(phone ? { phone } : {}),
      ...(email ? { email } : {}),
      ...(claims.length > 0 ? { claims } : {}),
      ...(Object.keys(attributes).length > 0 ? { attributes } : {}),
      ...(facts.length > 0 ? { facts } : {}),
    }
  }

const unsubscribed: LabelledFact = { name: 'subscribed', label: { zh: '订阅状态', en: 'Subscription' }, value: { zh: '已退订', en: 'has unsubscribed' } }

/** What a client tells of where its user is, by the names of the contract. */
const contextLabels: Readonly<Record<string, LocalText>> = {
  page: { zh: '所在页面', en: 'Page' },
  campaign: { zh: '推广活动', en: 'Campaign' },
  sourceUrl: { zh: '来源网址', en: 'Source address' },
  locale: { zh: '语言', en: 'Language' },
  appVersion: { zh: '应用版本', en: 'App version' },
}
const sourceOf = (context: Record<string, unknown>): LabelledFact[] =>
  Object.entries(contextLabels).flatMap(([name, label]) =>
    context[name] === undefined || context[name] === null ? [] : [{ name, label, value: String(context[name]) }],
  )

type Call = DataOf<'call.ended'> & { result?: DataOf<'call.ended'>['result'] }

const ofCall = ({ externalCallId, customer }: Call): Pick<Told, 'call'> => ({ call: { externalId: externalCallId, named: customer !== undefined } })

/** A caller's number can be forged: it is offered, never proof of a person. Who calls without one is nobody else who did. */
function callerOf(call: Call, senderOf: SenderOf): ChannelSender {
  if (call.customer) return senderOf(call.customer)
  const number = numberIn(call.direction === 'in' ? call.from : call.to)
  if (number === undefined) return { externalId: `call:${call.externalCallId}`.slice(0, 190) }
  return { externalId: `tel:${number}`, phone: number, claims: [{ kind: 'phone', value: number, verified: false }] }
}

/** One writing of what an exchange writes in several; undefined for a word ("anonymous") or a masked number, which name nobody. */
function numberIn(said: string): string | undefined {
  const number = said.replace(/[\s().-]/g, '')
  if (!/^\+?\d{2,20}$/.test(number) || /^\+?0+$/.test(number)) return undefined
  // A mobile number within China as one dials it there; another country's with its plus.
  return number.replace(/^00(?=[1-9]\d{6})/, '+').replace(/^\+?86(?=1\d{10}$)/, '')
}

/** The call as a part. The hub puts together what is told of it in pieces, by the time each was told. */
function callPart(call: Call, toldAt: Date): MessagePart {
  const { direction: way, from, to, result: outcome = 'answered', queue, agentExternalId: agent, hangupBy, ivrPath: path, ringSec, talkSec } = call
  const spoken = talkSec !== undefined ? talkSec * 1_000 : call.answeredAt && call.endedAt ? Date.parse(call.endedAt) - Date.parse(call.answeredAt) : undefined
  const durationMs = outcome === 'answered' && spoken !== undefined ? Math.max(0, Math.round(spoken)) : undefined
  const ringMs = ringSec === undefined ? undefined : Math.round(ringSec * 1_000)
  const facts = { durationMs, ringMs, line: way === 'in' ? to : from, queue, agent, hangupBy, path }
  const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined && value !== ''))
  return { type: 'call', way, outcome, ...known, toldAt: Math.max(0, toldAt.getTime()) }
}

async function callEntries(type: EventType, call: Call, toldAt: Date, senderOf: SenderOf, findUpload: FindUpload): Promise<InboundEvent[]> {
  const from = callerOf(call, senderOf)
  const startedAt = new Date(call.startedAt)
  const endedAt = call.endedAt ? new Date(call.endedAt) : startedAt
  const named = `call:${call.externalCallId}`
  // What our side did is our side's: it wakes nobody.
  const kind = call.direction === 'in' ? 'message' : 'echo'
  /** What comes after a call adds to it; only what was left on the machine is news by itself. */
  const piece = (name: string, parts: MessagePart[], by: 'message' | 'echo' = kind): InboundEvent => ({
    kind: by,
    externalId: `${named}:${name}`,
    from,
    parts,
    sentAt: endedAt,
    ...(by === 'message' && call.result === 'voicemail' ? {} : { addsTo: named }),
  })
  /** The same words again are no second piece. */
  const told = (words: string) => hashOf(Buffer.from(words)).slice(0, 16)
  const entries: InboundEvent[] = []
  if (type === 'call.ended') entries.push({ kind, externalId: named, from, parts: [callPart(call, toldAt)], sentAt: startedAt })
  if (call.recording) {
    const name = `${call.startedAt.slice(0, 19).replaceAll(':', '')}.wav`
    const { sha256, uploadId, url } = call.recording
    // An address may be signed anew each time: what names the recording is where it leads, without what is asked of it.
    const place = url && URL.parse(url)
    const which = sha256?.toLowerCase() ?? uploadId ?? (place ? told(place.origin + place.pathname) : '')
    entries.push(piece(`recording${which && `:${which.slice(0, 16)}`}`, await partsOf([{ type: 'audio', ...call.recording, name }], findUpload)))
  }
  // Whoever has called, a note is written by our side.
  if (call.note) entries.push(piece(`note:${told(call.note)}`, [reported(call.note, { zh: '通话备注', en: 'Note on the call' })], 'echo'))
  if (call.transcript?.length) entries.push(piece(`transcript:${told(JSON.stringify(call.transcript))}`, transcriptParts(call.transcript)))
  return entries
}

/** What both said, or somebody noted of it, is not the words of the one whose call it is. */
const reported = (text: string, label: LocalText): MessagePart => ({ type: 'text', text, label, reported: true })

/** `0:07 客户：…`, cut into parts between lines. */
function transcriptParts(lines: { speaker: string; startMs: number; text: string }[]): MessagePart[] {
  const texts: string[] = []
  for (const { speaker, startMs, text } of lines) {
    const seconds = Math.floor(startMs / 1_000)
    const line = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} ${speaker}：${text}`
    const last = texts.at(-1)
    if (last !== undefined && last.length + line.length < 19_000) texts[texts.length - 1] = `${last}\n${line}`
    else texts.push(line)
  }
  return texts.map((text) => reported(text, { zh: '通话文字', en: 'Transcript of the call' }))
}

function plain(call: Call): Record<string, unknown> {
  const { queue, ivrPath, agentExternalId, from, to } = call
  return Object.fromEntries(Object.entries({ from, to, queue, ivrPath, agentExternalId }).filter(([, value]) => value !== undefined))
}

async function partsOf(content: readonly Content[], findUpload: FindUpload): Promise<MessagePart[]> {
  const parts: MessagePart[] = []
  for (const [i, item] of content.entries()) parts.push(await partOf(item, `/data/content/${i}`, findUpload))
  return parts
}

async function partOf(item: Content, path: string, findUpload: FindUpload): Promise<MessagePart> {
  switch (item.type) {
    case 'text':
      if (!/\S/.test(item.text)) throw invalid(`${path}/text`, 'says nothing')
      return item
    case 'link':
      return item
    case 'location': {
      const name = [item.name, item.address].filter(Boolean).join(' · ').slice(0, 300)
      return { type: 'location', lat: item.lat, lng: item.lng, ...(name ? { name } : {}) }
    }
    case 'card':
      return {
        type: 'card',
        kind: item.kind ?? 'card',
        title: item.title,
        ...(item.url ? { url: item.url } : {}),
        ...(item.fields ? { fields: item.fields } : {}),
      }
    case 'event':
      return { type: 'unsupported', raw: item }
    default: {
      const file = item as Extract<Content, { type: 'image' | 'audio' | 'video' | 'file' }>
      if (file.uploadId) {
        const upload = await findUpload(file.uploadId)
        if (!upload) throw invalid(`${path}/uploadId`, 'is no upload of this inbox')
        if (file.sha256 && upload.sha256 && file.sha256.toLowerCase() !== upload.sha256) throw invalid(`${path}/sha256`, 'is not the hash of the upload')
        return upload.part
      }
      if (!file.url) throw invalid(path, 'needs a url or an uploadId')
      return {
        type: 'remote',
        as: file.type,
        ref: JSON.stringify({ url: file.url, ...(file.sha256 ? { sha256: file.sha256.toLowerCase() } : {}) }),
        ...(file.name ? { name: file.name } : {}),
      }
    }
  }
}

export const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
