/** Out: a signed POST to the client's endpoint, every try of it noted. The client knows repeats by `webhook-id`. */
import { randomBytes } from 'node:crypto'
import { type ChannelInbox, type LocalText, SendError } from '@huike/core/sdk/channel.ts'
import { RemoteError, requestRemote } from '@huike/core/sdk/remote.ts'
import { Delivery, Endpoint, Outbox } from './app.entity.ts'
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

/** One request to the other side. */
interface Posted {
  /** The `webhook-id`: the same at every try. */
  id: string
  type: string
  body: string
  attempt: number
  /** A test of an address that may not be the inbox's: nothing is concluded from it, and one that is switched off is asked. */
  trial?: boolean
}

/** What is told, as it is signed and sent. */
export const envelope = (type: string, at: Date, data: Record<string, unknown>): string => JSON.stringify({ type, timestamp: at.toISOString(), data })

/** Throws SendError. */
export async function ping(ctx: Ctx, inbox: ChannelInbox, trial = false): Promise<void> {
  await post(ctx, inbox, {
    id: `ping_${randomBytes(12).toString('hex')}`,
    type: 'ping',
    body: envelope('ping', new Date(), { inbox: inbox.name }),
    attempt: 1,
    trial,
  })
}

/** The endpoint as it is known; throws SendError where there is none or nothing is sent to it. */
export async function openEndpoint(ctx: Ctx, inbox: ChannelInbox, trial = false): Promise<Endpoint | null> {
  const { endpointUrl } = inbox.settings as InboxSettings
  if (endpointUrl === '' || secretsOf(inbox).length === 0) throw new SendError('no-endpoint', { retry: false, sentence: sentences['no-endpoint'] })
  const endpoint = await ctx.em().findOne(Endpoint, { inboxId: inbox.id }, { disableIdentityMap: true })
  if (endpoint?.goneUrl === endpointUrl && !trial) {
    const why = endpoint.offWhy === 'failing' ? 'endpoint-off' : 'endpoint-gone'
    throw new SendError(why, { retry: false, sentence: sentences[why] })
  }
  return endpoint
}

/** Is it this event that will not be had, or can nothing be told at present? */
export const isRefusal = ({ retry, reason }: SendError): boolean => retry === false && !wayIsShut.has(reason)
const wayIsShut = new Set(['no-endpoint', 'endpoint-gone', 'endpoint-off', 'private-address', 'address', '410'])

/** The client's answer. Throws SendError. */
export async function post(ctx: Ctx, inbox: ChannelInbox, { id, type, body, attempt, trial = false }: Posted): Promise<Record<string, unknown>> {
  const { endpointUrl } = inbox.settings as InboxSettings
  const endpoint = await openEndpoint(ctx, inbox, trial)
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
      headers: { 'content-type': 'application/json', 'user-agent': 'Huike-Webhooks/1', ...signedHeaders(secretsOf(inbox), id, body) },
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
  const refusal = refusalIn(answer.status, text)
  // The endpoint is well; it is this event that it will not have.
  if (refusal) throw refusal
  await failed(sentences.unreachable, String(answer.status))
  const asked = retryAfterMs(answer.headers['retry-after'])
  throw new SendError(String(answer.status), {
    retry: true,
    sentence: sentences.unreachable,
    fault: noAnswer,
    retryAfterMs: asked ?? retryAfter(attempt),
  })
}

/** The other side's last word: 422, or any answer that says `retryable: false`; `reason` is what an agent reads. */
function refusalIn(status: number, text: string): SendError | undefined {
  const { retryable = status !== 422, code, reason } = parsed(text)
  if (status < 400 || retryable !== false) return undefined
  const words = typeof reason === 'string' ? reason.trim().slice(0, 300) : ''
  return new SendError(typeof code === 'string' && code !== '' ? code.slice(0, 60) : String(status), {
    retry: false,
    message: words || text.slice(0, 200),
    sentence: words === '' ? sentences.refused : { zh: `对方系统拒绝了这条消息：${words}`, en: `The other side refuses this message: ${words}` },
  })
}

const sentences = {
  'no-endpoint': {
    zh: '还没有设置接收消息的地址或签名密钥，请管理员在渠道账号设置里填写。',
    en: 'No address or signing secret is set: ask an admin to fill in the inbox’s settings.',
  },
  'endpoint-gone': {
    zh: '对方系统声明此地址已停用（410），推送已停止。',
    en: 'The other side says that this address is gone (410): nothing is sent to it any more.',
  },
  'endpoint-off': {
    zh: '对方系统连续多日没有应答，推送已停止，请管理员在渠道账号设置里恢复。',
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
export async function noteSuccess(ctx: Ctx, { id: inboxId }: ChannelInbox): Promise<void> {
  await ctx.em().nativeUpdate(Endpoint, { inboxId }, { failing: false, failingSince: null })
  await tellNow(ctx, inboxId)
  await ctx.health(inboxId, { state: 'connected' })
  await ctx.endNotice(offNotice, inboxId)
}

/** Somebody is there again: what waits for its next try need not. */
async function tellNow(ctx: Ctx, inboxId: string): Promise<void> {
  const now = new Date()
  await ctx.em().nativeUpdate(Outbox, { inboxId, state: 'waiting', dueAt: { $gt: now } }, { dueAt: now })
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
  await tellNow(ctx, inboxId)
  await ctx.endNotice(offNotice, inboxId)
}
