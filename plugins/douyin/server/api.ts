/**
 * Calls to open.douyin.com. HTTP 200 does not mean success: an error can stand in `extra`, in `data`, or as `err_no`,
 * depending on the endpoint's age; all three are looked at, whatever the status.
 */
import { codes } from './codes.ts'

/** Douyin answered, and it answered no. */
export class DouyinError extends Error {
  readonly code: number
  readonly logId: string
  constructor(code: number, description: string, logId = '') {
    super(description || `Douyin error ${code}`)
    this.name = 'DouyinError'
    this.code = code
    this.logId = logId
  }
}

/** There is no answer to go by. `sent`: did the request leave? Then Douyin may have done it. */
export class NoAnswer extends Error {
  readonly sent: boolean
  constructor(message: string, sent: boolean) {
    super(message)
    this.name = 'NoAnswer'
    this.sent = sent
  }
}

export interface ApiRequest {
  method?: 'GET' | 'POST'
  path: string
  query?: Record<string, string>
  headers?: Record<string, string>
  json?: unknown
  form?: Record<string, string>
  multipart?: FormData
}

type Reply = Record<string, unknown>
const record = (value: unknown): Reply => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Reply) : {})
const timeoutMs = 10_000

/** The answer's body. Throws {@link DouyinError} or {@link NoAnswer}. */
export async function callDouyin(base: string, request: ApiRequest): Promise<Reply> {
  const { method = 'POST', path, query, headers = {}, json, form, multipart } = request
  const url = `${base}${path}${query ? `?${new URLSearchParams(query)}` : ''}`
  const body = json !== undefined ? JSON.stringify(json) : form ? new URLSearchParams(form) : multipart
  let response: Response
  let text: string
  try {
    response = await fetch(url, {
      method,
      headers: { ...headers, ...(json === undefined ? {} : { 'content-type': 'application/json' }) },
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body }),
    })
    text = await response.text()
  } catch (error) {
    throw new NoAnswer((error as Error).message, !neverLeft(error))
  }
  let reply: Reply
  try {
    reply = record(JSON.parse(text))
  } catch {
    // A gateway's page. 429 and 503 are said before the request is taken; anything else may have been.
    throw new NoAnswer(`HTTP ${response.status} without JSON`, response.status !== 429 && response.status !== 503)
  }
  const error = errorOf(reply)
  if (error) throw error
  if (!response.ok) throw new NoAnswer(`HTTP ${response.status}`, response.status >= 500 && response.status !== 503)
  return reply
}

/** The connection was never made, so nothing was sent. */
function neverLeft(error: unknown): boolean {
  const cause = (error as { cause?: { code?: string; errors?: { code?: string }[] } }).cause
  const all = [cause?.code, ...(cause?.errors ?? []).map((inner) => inner.code)]
  return all.some(
    (code) => code !== undefined && ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'].includes(code),
  )
}

/** The refusal in an answer, in any of its three places. */
export function errorOf(reply: Reply): DouyinError | undefined {
  const extra = record(reply.extra)
  const data = record(reply.data)
  const places: [code: unknown, text: unknown, sub?: unknown][] = [
    [extra.error_code, extra.sub_description || extra.description, extra.sub_error_code],
    [data.error_code, data.description],
    [reply.err_no, reply.err_msg ?? reply.err_tips],
  ]
  const logId = String(extra.logid ?? reply.log_id ?? '')
  for (const [code, text, sub] of places) {
    const number = Number(code ?? 0)
    if (number !== 0) return new DouyinError(Number.isFinite(number) ? preferKnown(number, sub) : -1, typeof text === 'string' ? text : '', logId)
  }
  return reply.message === 'error' ? new DouyinError(-1, String(data.description ?? ''), logId) : undefined
}

/** A general code may carry the particular one beside it. */
const preferKnown = (code: number, sub: unknown): number => (Number(sub) in codes && !(code in codes) ? Number(sub) : code)

/** Did the platform give any of the signs of an answer it gives? An empty object with 200 is none. */
export const isAnswer = (reply: Reply): boolean => 'extra' in reply || 'data' in reply || 'err_no' in reply

export const textIn = (reply: Reply, name: string): string => {
  const value = reply[name] ?? record(reply.data)[name]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}
export const secondsIn = (reply: Reply, name: string): number => Number(textIn(reply, name)) || 0
