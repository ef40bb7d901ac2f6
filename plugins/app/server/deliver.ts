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
const timeoutMs = 15_000

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
}

/** The client's answer. Throws SendError. */
export function deliver(ctx: Ctx, inbox: ChannelInbox, { id, type, at = new Date(), data, attempt }: Outgoing): Promise<Record<string, unknown>> {
  return post(ctx, inbox, id, type, JSON.stringify({ type, timestamp: at.toISOString(), data }), attempt)
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

async function post(ctx: Ctx, inbox: ChannelInbox, id: string, type: string, body: string, attempt: number): Promise<Record<string, unknown>> {
  const { endpointUrl } = inbox.settings as InboxSettings
  const secrets = secretsOf(inbox)
  if (endpointUrl === '' || secrets.length === 0) throw new SendError('no-endpoint', { retry: false, sentence: sentences['no-endpoint'] })
  const endpoint = await ctx.em().findOne(Endpoint, { inboxId: inbox.id }, { disableIdentityMap: true })
  if (endpoint?.goneUrl === endpointUrl) throw new SendError('endpoint-gone', { retry: false, sentence: sentences['endpoint-gone'] })
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
      timeoutMs,
      maxBytes: 64 * 1024,
      allowPrivate: ctx.settings.allowPrivateAddresses,
    })
  } catch (error) {
    const reason = error instanceof RemoteError ? error.reason : 'unreachable'
    await note(0, reason)
    const forbidden = reason === 'private-address' || reason === 'address'
    await tellHealth(ctx, inbox, endpoint, forbidden ? sentences['private-address'] : sentences.unreachable, reason)
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
    if (endpoint?.failing) await tellHealth(ctx, inbox, endpoint)
    return parsed(text)
  }
  if (answer.status === 410) {
    await ctx.em().upsert(Endpoint, { inboxId: inbox.id, goneUrl: endpointUrl }, { onConflictMergeFields: ['goneUrl'] })
    await tellHealth(ctx, inbox, endpoint, sentences['endpoint-gone'], '410')
    throw new SendError('410', { retry: false, sentence: sentences['endpoint-gone'] })
  }
  // The endpoint is well; it is this message that it will not have.
  if (answer.status === 422) throw new SendError('422', { retry: false, message: text.slice(0, 200), sentence: sentences.refused })
  await tellHealth(ctx, inbox, endpoint, sentences.unreachable, String(answer.status))
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

/** Said when it changes: broken with the first failure, well again with the first success. */
async function tellHealth(ctx: Ctx, inbox: ChannelInbox, endpoint: Endpoint | null, error?: LocalText, code?: string): Promise<void> {
  const failing = error !== undefined
  if (endpoint?.failing !== failing) await ctx.em().upsert(Endpoint, { inboxId: inbox.id, failing }, { onConflictMergeFields: ['failing'] })
  await ctx.health(
    inbox.id,
    error
      ? {
          state: 'broken',
          error,
          ...(code ? { code } : {}),
          remedy: { zh: '请检查对方系统和接收地址，然后用「连接测试」确认。', en: 'Check the other side and its address, then run the connection test.' },
        }
      : { state: 'connected' },
  )
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
