/** HTTP with WeChat: bounded in time and size, and every way to fail told apart. Errors come as JSON with HTTP 200. */
import { type LocalText, SendError } from '@huike/core/sdk/channel.ts'
import { type ErrcodeRule, errcodes, unknownSentence } from './errcodes.ts'

// The hub gives a hand-over half a minute.
const callMs = 8_000
const transferMs = 20_000
/** What the hub stores at most; nothing larger is read. */
export const maxDownloadBytes = 20 * 1024 * 1024

/** WeChat answered with an error code. */
export class WechatError extends Error {
  readonly errcode: number
  readonly errmsg: string
  /** Said to the request for a token: then the credential itself is wrong, and a new token is no way out. */
  ofCredential = false
  constructor(errcode: number, errmsg: string) {
    super(`${errcode} ${errmsg}`)
    this.name = 'WechatError'
    this.errcode = errcode
    this.errmsg = errmsg
  }
  get rule(): ErrcodeRule {
    return errcodes[this.errcode] ?? { action: 'never', sentence: unknownSentence(this.errcode) }
  }
}

/** As the hub understands it; `rid:` in WeChat's words is what its support asks for. */
export function sendErrorOf({ errcode, errmsg, rule, ofCredential }: WechatError): SendError {
  const afterMs = errcode === 45009 ? untilTomorrowMs(Date.now()) : rule.action === 'token' ? 31_000 : rule.afterMs
  return new SendError(`wechat ${errcode}`, {
    retry: rule.action === 'retry' || (rule.action === 'token' && !ofCredential),
    message: `${errcode} ${errmsg}`.slice(0, 500),
    sentence: rule.sentence,
    ...(rule.fault ? { fault: rule.fault } : {}),
    ...(afterMs ? { retryAfterMs: afterMs } : {}),
    ...(rule.maxTries ? { maxTries: rule.maxTries } : {}),
    ...(rule.windowShut ? { windowShut: true } : {}),
  })
}

/** Daily quotas are of Beijing's days; five minutes more, since clocks differ. */
export function untilTomorrowMs(now: number): number {
  const beijing = 8 * 3_600_000
  const day = 24 * 3_600_000
  return day - ((now + beijing) % day) + 5 * 60_000
}

const notReached: LocalText = { zh: '连不上微信，稍后会自动重试。', en: 'WeChat cannot be reached; this is tried again by itself.' }
const notReachedFault: LocalText = { zh: '连不上微信', en: 'WeChat cannot be reached' }
const unsure: LocalText = {
  zh: '发送途中断了线，不知道客户有没有收到。请确认后再决定要不要重发。',
  en: 'The connection broke while sending; it is not known whether the customer has it. Check before you send again.',
}

/** Ended before WeChat can have read the request: nothing was done there. */
const beforeArrival = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])
const codeOf = (error: unknown): string => String((error as { cause?: { code?: unknown } })?.cause?.code ?? '')

/**
 * One request. `repeatable`: doing it twice is harmless, so whatever goes wrong on the way is tried again; a message is not,
 * and when its answer is lost its fate is unknown.
 */
async function request(url: string, init: RequestInit, ms: number, repeatable: boolean): Promise<Response> {
  let response: Response
  try {
    // WeChat's interfaces never redirect; something else's answer must not lead us inside our own network.
    response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(ms) })
  } catch (error) {
    const code = codeOf(error)
    const reached = !beforeArrival.has(code) && !code.startsWith('CERT_') && !code.startsWith('ERR_TLS') && !code.includes('CERT')
    throw unreached(`no answer (${code || (error as Error).name})`, reached && !repeatable)
  }
  // A gateway's page: whether what is behind it has read the request nobody knows.
  if (!response.ok) {
    await response.body?.cancel().catch(() => undefined)
    throw unreached(`HTTP ${response.status}`, !repeatable && response.status !== 429)
  }
  return response
}

const unreached = (reason: string, uncertain: boolean): SendError =>
  new SendError(`wechat ${reason}`, { retry: uncertain ? 'unknown' : true, sentence: uncertain ? unsure : notReached, fault: notReachedFault })

/** All bytes, or an error once there are too many. */
async function readBytes(response: Response, max: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > max)
      throw new SendError('wechat too large', { retry: false, sentence: { zh: '文件太大，没有取回。', en: 'The file is too large and was not fetched.' } })
    chunks.push(Buffer.from(chunk))
  }
  return Buffer.concat(chunks)
}

async function readAnswer(response: Response, repeatable: boolean): Promise<Record<string, unknown>> {
  let text: string
  try {
    text = (await readBytes(response, 1024 * 1024)).toString('utf8')
  } catch (error) {
    throw error instanceof SendError && error.retry === false ? error : unreached('answer cut off', !repeatable)
  }
  return parseAnswer(text, repeatable)
}

function parseAnswer(text: string, repeatable: boolean): Record<string, unknown> {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch {
    throw unreached('answer is no JSON', !repeatable)
  }
  if (typeof answer !== 'object' || answer === null) throw unreached('answer is no object', !repeatable)
  const { errcode, errmsg } = answer as { errcode?: unknown; errmsg?: unknown }
  if (typeof errcode === 'number' && errcode !== 0) throw new WechatError(errcode, String(errmsg ?? ''))
  return answer as Record<string, unknown>
}

const address = (base: string, path: string, query: Record<string, string>): string => {
  const search = new URLSearchParams(query).toString()
  return `${base}${path}${search ? `?${search}` : ''}`
}

/** What WeChat's own yes holds, by interface. */
const signs = { errcode: 'number', access_token: 'string', subscribe: 'number', ip_list: 'object' } as const

export interface CallOptions {
  query?: Record<string, string>
  /** Sent as JSON in plain UTF-8: WeChat refuses \\u escapes (40033). */
  body?: unknown
  repeatable: boolean
  /** JSON without it is somebody else's, whatever its status: a proxy's `{"code":502}` says nothing of WeChat. */
  holds: keyof typeof signs
}

/** Calls an interface. Throws {@link WechatError} for WeChat's own refusal, {@link SendError} for all that happens on the way. */
export async function callApi(base: string, path: string, { query = {}, body, repeatable, holds }: CallOptions): Promise<Record<string, unknown>> {
  const init: RequestInit =
    body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(body) }
  const answer = await readAnswer(await request(address(base, path, query), init, callMs, repeatable), repeatable)
  if (typeof answer[holds] !== signs[holds]) throw unreached(`no ${holds}`, !repeatable)
  return answer
}

/** Uploads a file as the form field `media`. */
export async function uploadMedia(base: string, token: string, type: string, file: { name: string; mime: string; bytes: Buffer }): Promise<string> {
  const form = new FormData()
  form.set('media', new File([new Uint8Array(file.bytes)], file.name, { type: file.mime }))
  const url = address(base, '/cgi-bin/media/upload', { access_token: token, type })
  const answer = await readAnswer(await request(url, { method: 'POST', body: form }, transferMs, true), true)
  // Of thumbnails the id has a name of its own on some accounts.
  const id = answer.media_id ?? answer.thumb_media_id
  if (typeof id !== 'string') throw unreached('no media_id', false)
  return id
}

export interface Download {
  bytes: Buffer
  mime: string
  name?: string
}

/** Fetches a temporary file. What comes as JSON is an error, or the address of a video. */
export async function downloadMedia(base: string, token: string, mediaId: string): Promise<Download | { videoUrl: string }> {
  const url = address(base, '/cgi-bin/media/get', { access_token: token, media_id: mediaId })
  const file = await download(url)
  const looksJson = /json|text\/plain/.test(file.mime) || (file.bytes.length < 4_096 && file.bytes[0] === 0x7b)
  if (!looksJson) return file
  const answer = parseAnswer(file.bytes.toString('utf8'), true)
  if (typeof answer.video_url === 'string') return { videoUrl: answer.video_url }
  throw unreached('neither a file nor an address', false)
}

/** Fetches bytes from an address that has been judged safe. */
export async function download(url: string): Promise<Download> {
  const response = await request(url, {}, transferMs, true)
  try {
    const name = /filename="?([^";]+)"?/i.exec(response.headers.get('content-disposition') ?? '')?.[1]
    return { bytes: await readBytes(response, maxDownloadBytes), mime: response.headers.get('content-type') ?? '', ...(name ? { name } : {}) }
  } catch (error) {
    throw error instanceof SendError ? error : unreached('download cut off', false)
  }
}
