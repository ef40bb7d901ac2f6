/** Out: a signed POST to the client's endpoint, every try of it noted. The client knows repeats by `webhook-id`. */
import { randomBytes } from 'node:crypto'
import { type ChannelInbox, type LocalText, type OutboundMessage, SendError } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'
import { RemoteError, requestRemote } from '@huike/core/sdk/remote.ts'
import { Delivery, Endpoint, Thread, Undelivered } from './app.entity.ts'
import { fileLink } from './files.ts'
import { type Ctx, type InboxSettings, secretsOf } from './settings.ts'
import { signedHeaders } from './standard-webhooks.ts'

const second = 1_000
const hour = 3_600 * second
/** When to try again after the nth try; with some jitter, so that a client that comes back is not run over. */
const schedule = [5 * second, 300 * second, 1_800 * second, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour]
export const retryAfter = (attempt: number, jitter = Math.random()): number =>
  Math.round((schedule[Math.min(attempt, schedule.length) - 1] ?? 0) * (0.9 + 0.2 * jitter))

/** Told to the client in the README. Tests have no time for them. */
export const limits = {
  /** How long an answer may take. */
  answerMs: 15_000,
  /** Every delivery for so long has failed: the endpoint is switched off. Longer than a message is tried for. */
  offAfterMs: 96 * hour,
}
/** Nobody asked for so long: what failed before is another story. The longest wait of the schedule with its jitter is shorter. */
const sameStoryMs = 27 * hour

/** `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3); a day at most. Undefined when it asks for nothing. */
export function retryAfterMs(header: string | string[] | undefined, now = Date.now()): number | undefined {
  if (typeof header !== 'string' || header.trim() === '') return undefined
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * second : Date.parse(header) - now
  return ms > 0 ? Math.min(ms, 24 * hour) : undefined
}

let notes = 0
/** Sorts by time; within a millisecond by this process's own count. */
const deliveryId = (): string => `${Date.now().toString(36)}${(notes++ % 46_656).toString(36).padStart(3, '0')}${randomBytes(6).toString('hex')}`

interface Outgoing {
  /** The same at every try. */
  id: string
  type: string
  at?: Date
  data: Record<string, unknown>
  attempt: number
  /** A test of an address that may not be the inbox's: nothing is concluded from it, and one that is switched off is asked. */
  trial?: boolean
}

/** The client's answer. Throws SendError. */
export function deliver(
  ctx: Ctx,
  inbox: ChannelInbox,
  { id, type, at = new Date(), data, attempt, trial = false }: Outgoing,
): Promise<Record<string, unknown>> {
  return post(ctx, inbox, id, type, JSON.stringify({ type, timestamp: at.toISOString(), data }), attempt, trial)
}

/** Throws SendError. */
export async function ping(ctx: Ctx, inbox: ChannelInbox, trial = false): Promise<void> {
  await deliver(ctx, inbox, { id: `ping_${randomBytes(12).toString('hex')}`, type: 'ping', attempt: 1, data: { inbox: inbox.name }, trial })
}

/** Sends once more what never arrived, as it was: the client knows it by its `webhook-id`. Throws HUB_NOT_FOUND, SendError. */
export async function replay(ctx: Ctx, inbox: ChannelInbox, webhookId: string): Promise<void> {
  const kept = await ctx.em().findOne(Undelivered, { inboxId: inbox.id, webhookId }, { disableIdentityMap: true })
  const body = kept && ctx.unseal(kept.body)
  if (!kept || !body) throw new HubError('HUB_NOT_FOUND', 'There is nothing of this name to send again')
  const attempt = await ctx.em().count(Delivery, { inboxId: inbox.id, webhookId })
  await post(ctx, inbox, webhookId, kept.type, body, attempt + 1)
  await forget(ctx, inbox.id, webhookId)
}

const forget = (ctx: Ctx, inboxId: string, webhookId: string) => ctx.em().nativeDelete(Undelivered, { inboxId, webhookId })

async function post(ctx: Ctx, inbox: ChannelInbox, id: string, type: string, body: string, attempt: number, trial = false): Promise<Record<string, unknown>> {
  const { endpointUrl } = inbox.settings as InboxSettings
  const secrets = secretsOf(inbox)
  if (endpointUrl === '' || secrets.length === 0) throw new SendError('no-endpoint', { retry: false, sentence: sentences['no-endpoint'] })
  const endpoint = await ctx.em().findOne(Endpoint, { inboxId: inbox.id }, { disableIdentityMap: true })
  if (endpoint?.goneUrl === endpointUrl && !trial) {
    const why = endpoint.offWhy === 'failing' ? 'endpoint-off' : 'endpoint-gone'
    throw new SendError(why, { retry: false, sentence: sentences[why] })
  }
  const failed = (error: LocalText, code: string) => (trial ? undefined : noteFailure(ctx, inbox, endpointUrl, error, code))
  const began = Date.now()
  const note = (status: number, response: string) =>
    ctx
      .em()
      .insert(Delivery, {
        id: deliveryId(),
        inboxId: inbox.id,
        webhookId: id,
        type,
        attempt,
        status,
        ms: Date.now() - began,
        response: response.slice(0, 300),
        createdAt: new Date(),
      })
      .catch((error) => ctx.log.warn({ err: error }, 'a delivery could not be noted'))
  let answer: Awaited<ReturnType<typeof requestRemote>>
  try {
    answer = await requestRemote(endpointUrl, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'user-agent': 'Huike-Webhooks/1', ...signedHeaders(secrets, id, body) },
      timeoutMs: limits.answerMs,
      maxBytes: 64 * 1024,
      allowPrivate: ctx.settings.allowPrivateAddresses,
    })
  } catch (error) {
    const reason = error instanceof RemoteError ? error.reason : 'unreachable'
    await note(0, reason)
    const forbidden = reason === 'private-address' || reason === 'address'
    await failed(forbidden ? sentences['private-address'] : sentences.unreachable, reason)
    throw new SendError(reason, {
      retry: !forbidden,
      message: (error as Error).message,
      sentence: forbidden ? sentences['private-address'] : sentences.unreachable,
      fault: noAnswer,
      ...(forbidden ? {} : { retryAfterMs: retryAfter(attempt) }),
    })
  }
  const text = answer.body.toString('utf8')
  await note(answer.status, text)
  if (answer.status >= 200 && answer.status < 300) {
    if (!trial && (endpoint?.failing || endpoint?.failingSince)) await noteSuccess(ctx, inbox)
    return parsed(text)
  }
  if (answer.status === 410) {
    if (!trial) {
      const gone = { goneUrl: endpointUrl, offWhy: '410' as const, failing: true }
      await ctx.em().upsert(Endpoint, { inboxId: inbox.id, ...gone }, { onConflictMergeFields: ['goneUrl', 'offWhy', 'failing'] })
      await tellOff(ctx, inbox, '410')
    }
    throw new SendError('410', { retry: false, sentence: sentences['endpoint-gone'] })
  }
  // The endpoint is well; it is this message that it will not have.
  if (answer.status === 422) throw new SendError('422', { retry: false, message: text.slice(0, 200), sentence: sentences.refused })
  await failed(sentences.unreachable, String(answer.status))
  const asked = retryAfterMs(answer.headers['retry-after'])
  throw new SendError(String(answer.status), {
    retry: true,
    sentence: sentences.unreachable,
    fault: noAnswer,
    retryAfterMs: asked ?? retryAfter(attempt),
  })
}

const sentences = {
  'no-endpoint': {
    zh: '还没有设置接收消息的地址或签名密钥，请管理员在收件箱设置里填写。',
    en: 'No address or signing secret is set: ask an admin to fill in the inbox’s settings.',
  },
  'endpoint-gone': {
    zh: '对方系统声明此地址已停用（410），推送已停止。',
    en: 'The other side says that this address is gone (410): nothing is sent to it any more.',
  },
  'endpoint-off': {
    zh: '对方系统连续多日没有应答，推送已停止，请管理员在收件箱设置里恢复。',
    en: 'The other side has not answered for days: nothing is sent to it any more until an admin switches it on in the inbox’s settings.',
  },
  refused: { zh: '对方系统拒绝了这条消息，重发也不会被接受，请修改后再发。', en: 'The other side refuses this message for good. Change it and send it anew.' },
  'private-address': { zh: '接收消息的地址指向内网，已被禁止。', en: 'The address leads inside the network: it is not asked.' },
  unreachable: { zh: '对方系统没有正常应答，稍后自动重发。', en: 'The other side did not answer as it should. It will be sent again.' },
} satisfies Record<string, LocalText>

const noAnswer: LocalText = { zh: '对方系统没有正常应答', en: 'the other side did not answer as it should' }

const parsed = (text: string): Record<string, unknown> => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

const mendIt: LocalText = {
  zh: '请检查对方系统和接收地址，然后用「连接测试」确认。',
  en: 'Check the other side and its address, then run the connection test.',
}
const switchItOn: LocalText = {
  zh: '对方修复后，请在「接入信息」里点「恢复推送」。',
  en: 'Once the other side is mended, press “Switch on again” in this inbox’s settings.',
}

/** Broken with the first failure. What has failed for days is switched off, and admins are told. */
async function noteFailure(ctx: Ctx, inbox: ChannelInbox, url: string, error: LocalText, code: string): Promise<void> {
  const em = ctx.em()
  const { id: inboxId } = inbox
  const now = new Date()
  const before = await em.findOne(Endpoint, { inboxId }, { disableIdentityMap: true })
  const { failingSince, failedAt } = before ?? {}
  if (before?.failingUrl === url && failingSince && failedAt && now.getTime() - failedAt.getTime() < sameStoryMs) {
    // A success meanwhile has ended the story (`failingSince`): then it goes on from nothing with the next failure.
    const story = { inboxId, failingUrl: url, failingSince }
    await em.nativeUpdate(Endpoint, story, { failing: true, failedAt: now })
    if (now.getTime() - failingSince.getTime() >= limits.offAfterMs) {
      // Of several that see it at once one switches it off.
      const off = await em.nativeUpdate(Endpoint, { ...story, goneUrl: { $ne: url } }, { goneUrl: url, offWhy: 'failing' })
      if (off > 0) await tellOff(ctx, inbox, 'failing')
      return
    }
  } else {
    const story = { failing: true, failingUrl: url, failingSince: now, failedAt: now }
    await em.upsert(Endpoint, { inboxId, ...story }, { onConflictMergeFields: ['failing', 'failingUrl', 'failingSince', 'failedAt'] })
  }
  await ctx.health(inboxId, { state: 'broken', error, code, remedy: mendIt })
}

/** Well again with the first success. */
async function noteSuccess(ctx: Ctx, { id: inboxId }: ChannelInbox): Promise<void> {
  await ctx.em().nativeUpdate(Endpoint, { inboxId }, { failing: false, failingSince: null })
  await ctx.health(inboxId, { state: 'connected' })
  await ctx.endNotice(offNotice, inboxId)
}

const offNotice = 'endpoint-off'

async function tellOff(ctx: Ctx, { id: inboxId, name }: ChannelInbox, why: '410' | 'failing'): Promise<void> {
  const error = sentences[why === '410' ? 'endpoint-gone' : 'endpoint-off']
  await ctx.health(inboxId, { state: 'broken', error, remedy: switchItOn, code: why })
  await ctx.notify({
    to: { permission: 'inbox.manage' },
    kind: offNotice,
    key: inboxId,
    level: 'problem',
    title: { zh: `“${name}”的推送已停止`, en: `Nothing is sent to “${name}” any more` },
    body: { zh: `${error.zh}${switchItOn.zh}`, en: `${error.en} ${switchItOn.en}` },
    link: `/admin/inboxes/${inboxId}`,
  })
}

/** An admin says that the endpoint is there again: what was before counts no more. */
export async function switchOn(ctx: Ctx, inboxId: string): Promise<void> {
  await ctx.em().nativeUpdate(Endpoint, { inboxId }, { goneUrl: '', offWhy: '', failing: true, failingSince: null, failedAt: null })
  await ctx.endNotice(offNotice, inboxId)
}

const conversationOf = async (ctx: Ctx, conversationId: string) => {
  const thread = await ctx.em().findOne(Thread, { conversationId }, { disableIdentityMap: true })
  return { id: conversationId, ...(thread?.externalId ? { externalId: thread.externalId } : {}) }
}

export async function sendMessage(ctx: Ctx, message: OutboundMessage, inbox: ChannelInbox): Promise<{ externalId: string }> {
  const answer = await deliver(ctx, inbox, {
    id: `msg_${message.id}`,
    type: 'message.created',
    attempt: message.attempt,
    data: {
      messageId: message.id,
      conversation: await conversationOf(ctx, message.conversationId),
      recipient: { externalId: message.to },
      sender: { role: 'agent', ...(message.agentName ? { name: message.agentName } : {}) },
      content: message.parts.map((part) => contentOf(ctx, inbox.id, part)),
      ...(message.replyToExternalId ? { replyToExternalId: message.replyToExternalId } : {}),
      attempt: message.attempt,
    },
  })
  const { externalMessageId } = answer
  // Without a name of its own the client uses ours: receipts and recalls name it.
  return { externalId: typeof externalMessageId === 'string' && externalMessageId !== '' && externalMessageId.length <= 150 ? externalMessageId : message.id }
}

/** A part as the client gets it: no id of the hub's files, but a link that opens this one file. */
function contentOf(ctx: Ctx, inboxId: string, part: MessagePart): Record<string, unknown> {
  if (part.type === 'image' || part.type === 'file' || part.type === 'audio' || part.type === 'video') {
    const { fileId, ...rest } = part
    return { ...rest, url: fileLink(ctx, inboxId, fileId) }
  }
  if (part.type === 'card' && part.cover) {
    const { cover, ...rest } = part
    return { ...rest, coverUrl: fileLink(ctx, inboxId, cover) }
  }
  return part
}

export async function recallMessage(
  ctx: Ctx,
  { externalId, to, conversationId }: { externalId: string; to: string; conversationId: string },
  inbox: ChannelInbox,
): Promise<void> {
  const data = { externalMessageId: externalId, conversation: await conversationOf(ctx, conversationId), recipient: { externalId: to } }
  await deliver(ctx, inbox, { id: `recall_${externalId}`.replaceAll('.', '_').slice(0, 150), type: 'message.recalled', attempt: 1, data })
}

/** Only while somebody types, and only once: it is worth nothing a moment later. */
export async function showTyping(ctx: Ctx, to: string, active: boolean, inbox: ChannelInbox): Promise<void> {
  if (!active) return
  await deliver(ctx, inbox, {
    id: `typing_${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`,
    type: 'typing.started',
    attempt: 1,
    data: { recipient: { externalId: to } },
  })
}

/** News about a conversation, by the job of this name. */
export interface News {
  eventId: string
  inboxId: string
  type: 'conversation.assigned' | 'conversation.closed' | 'message.read'
  at: string
  conversationId: string
  data: Record<string, unknown>
}

export async function tellNews(ctx: Ctx, news: News): Promise<void> {
  const inbox = await ctx.inbox(news.inboxId)
  if (!inbox || (inbox.settings as InboxSettings).endpointUrl === '') return
  const thread = await ctx.em().findOne(Thread, { conversationId: news.conversationId }, { disableIdentityMap: true })
  const id = `evt_${news.eventId}`
  const outgoing: Outgoing = {
    id,
    type: news.type,
    at: new Date(news.at),
    attempt: (await ctx.em().count(Delivery, { inboxId: inbox.id, webhookId: id })) + 1,
    data: { conversation: await conversationOf(ctx, news.conversationId), ...(thread ? { recipient: { externalId: thread.customerId } } : {}), ...news.data },
  }
  try {
    await deliver(ctx, inbox, outgoing)
    if (outgoing.attempt > 1) await forget(ctx, inbox.id, id)
  } catch (error) {
    // Kept as it was, for the day an admin sends it again.
    const body = JSON.stringify({ type: news.type, timestamp: news.at, data: outgoing.data })
    const row = { inboxId: inbox.id, webhookId: id, type: news.type, body: ctx.seal(body), createdAt: new Date() }
    await ctx.em().upsert(Undelivered, row, { onConflictExcludeFields: ['createdAt'] })
    // What can never arrive is not tried again.
    if (!(error instanceof SendError) || error.retry !== false) throw error
  }
}
