/**
 * Requests to addresses that somebody else has chosen (a link in a webhook, an integrator's endpoint). The hub stands
 * inside a network: such an address may not lead to it. The name is resolved once, every address it has is looked at,
 * and the connection goes to one that was looked at, so a name cannot change its mind in between.
 */
import { lookup } from 'node:dns'
import { lookup as lookUp } from 'node:dns/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** Why there is no answer. `sent`: the other side may have got the request. */
export class RemoteError extends Error {
  readonly reason: 'address' | 'private-address' | 'unreachable' | 'timeout' | 'too-large' | 'redirect' | 'status'
  readonly sent: boolean
  constructor(reason: RemoteError['reason'], message: string, sent = false) {
    super(message)
    this.name = 'RemoteError'
    this.reason = reason
    this.sent = sent
  }
}

export interface RemoteRequest {
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
  body?: Buffer | string
  maxBytes?: number
  timeoutMs?: number
  /** For tests and closed networks, where an operator has said so: private addresses and plain HTTP are allowed. */
  allowPrivate?: boolean
}
export interface RemoteAnswer {
  status: number
  headers: Record<string, string | undefined>
  body: Buffer
}

const inner = new BlockList()
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  inner.addSubnet(net, bits, 'ipv4')
for (const [net, bits] of [
  ['::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 32],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const)
  inner.addSubnet(net, bits, 'ipv6')

/** Does this address lead inside? IPv4 in IPv6's clothes (::ffff:…, 64:ff9b::…) counts as what it is. */
export function isPrivateAddress(address: string): boolean {
  if (isIP(address) === 4) return inner.check(address, 'ipv4')
  const mapped = /^(?:::ffff:|64:ff9b::)(.+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return isIP(mapped) === 4 ? inner.check(mapped, 'ipv4') : isPrivateAddress(dotted(mapped))
  return isIP(address) !== 6 || inner.check(address, 'ipv6')
}

/** `7f00:1` → `127.0.0.1` */
function dotted(hex: string): string {
  const [high = '', low] = hex.split(':')
  const number = low === undefined ? Number.parseInt(high, 16) : Number.parseInt(high, 16) * 65_536 + Number.parseInt(low, 16)
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.')
}

/** The address, or why it may not be asked. Names are looked at again when the connection is made. */
export function checkedUrl(address: string, allowPrivate = false): URL {
  const url = URL.parse(address)
  if (!url || !(url.protocol === 'https:' || (allowPrivate && url.protocol === 'http:'))) throw new RemoteError('address', 'Only https addresses are asked')
  if (url.username !== '' || url.password !== '') throw new RemoteError('address', 'The address may hold no password')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (!allowPrivate && isIP(host) !== 0 && isPrivateAddress(host)) throw new RemoteError('private-address', 'The address leads inside the network')
  return url
}

/**
 * May this address be asked? For the day it is typed in: each request looks again. A name that is not known just now passes.
 * Throws {@link RemoteError} (`address`, `private-address`).
 */
export async function checkRemote(address: string, allowPrivate = false): Promise<void> {
  const { hostname } = checkedUrl(address, allowPrivate)
  if (allowPrivate || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return
  const known = await lookUp(hostname, { all: true }).catch(() => [])
  if (known.some(({ address: one }) => isPrivateAddress(one))) throw new RemoteError('private-address', 'The address leads inside the network')
}

const guardedLookup: LookupFunction = (hostname, options, done) =>
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return done(error, '', 0)
    // One inner address among them is one too many: which one is taken is not ours to say.
    if (addresses.length === 0 || addresses.some(({ address }) => isPrivateAddress(address)))
      return done(new RemoteError('private-address', 'The address leads inside the network'), '', 0)
    const [first] = addresses as [{ address: string; family: number }]
    return options.all ? (done as unknown as (error: null, all: typeof addresses) => void)(null, addresses) : done(null, first.address, first.family)
  })

/** One request, no redirects followed. Throws {@link RemoteError}. */
export async function requestRemote(address: string, options: RemoteRequest = {}): Promise<RemoteAnswer> {
  const { method = 'GET', headers = {}, body, maxBytes = 1024 * 1024, timeoutMs = 15_000, allowPrivate = false } = options
  const url = checkedUrl(address, allowPrivate)
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  const signal = AbortSignal.timeout(timeoutMs)
  let sent = false
  try {
    return await new Promise<RemoteAnswer>((resolve, reject) => {
      const request = send(url, {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
        signal,
        agent: false,
        ...(allowPrivate ? {} : { lookup: guardedLookup }),
      })
      request.on('socket', (socket) => socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => (sent = true)))
      request.on('error', reject)
      request.on('response', (response) => read(response, maxBytes).then(resolve, reject))
      request.end(body)
    })
  } catch (error) {
    if (error instanceof RemoteError) throw error
    if (signal.aborted) throw new RemoteError('timeout', `No answer within ${timeoutMs} ms`, sent)
    throw new RemoteError('unreachable', (error as Error).message, sent)
  }
}

interface GuardedInit {
  method: string
  headers: Headers
  /** Sent as it is read, with its length. */
  body?: Buffer | Blob
  signal: AbortSignal
}
/** As `fetch`, through the guard; no redirect is followed. Throws {@link RemoteError}, or what the signal says. */
export async function guardedFetch(address: URL | string, init: GuardedInit, allowPrivate = false): Promise<Response> {
  const url = checkedUrl(String(address), allowPrivate)
  const { method, headers, body, signal } = init
  const length = body instanceof Blob ? body.size : body?.length
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = send(url, {
      method,
      headers: { ...Object.fromEntries(headers), ...(length === undefined ? {} : { 'content-length': length }) },
      signal,
      agent: false,
      ...(allowPrivate ? {} : { lookup: guardedLookup }),
    })
    request.on('error', reject)
    request.on('response', resolve)
    if (body instanceof Blob) void pipeline(Readable.fromWeb(body.stream() as never), request).catch(reject)
    else request.end(body)
  })
  const empty = method === 'HEAD' || answer.statusCode === 204 || answer.statusCode === 304
  if (empty) answer.resume()
  return new Response(empty ? null : (Readable.toWeb(answer) as ReadableStream), {
    status: answer.statusCode ?? 502,
    headers: Object.entries(answer.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as [string, string]] : [])),
  })
}

async function read(response: IncomingMessage, maxBytes: number): Promise<RemoteAnswer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    size += (chunk as Buffer).length
    if (size > maxBytes) {
      response.destroy()
      throw new RemoteError('too-large', `The answer has more than ${maxBytes} bytes`, true)
    }
    chunks.push(chunk as Buffer)
  }
  return { status: response.statusCode ?? 0, headers: response.headers as Record<string, string | undefined>, body: Buffer.concat(chunks) }
}

const maxRedirects = 3

/** A file from elsewhere; each address of a redirect is looked at as the first one was. Throws {@link RemoteError}. */
export async function download(address: string, options: RemoteRequest = {}): Promise<{ bytes: Buffer; mime?: string }> {
  let next = address
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const { status, headers, body } = await requestRemote(next, { timeoutMs: 60_000, ...options })
    if (status >= 300 && status < 400 && headers.location) {
      next = URL.parse(headers.location, next)?.href ?? ''
      continue
    }
    if (status !== 200) throw new RemoteError('status', `HTTP ${status}`)
    const mime = headers['content-type']?.split(';')[0]?.trim()
    return { bytes: body, ...(mime ? { mime } : {}) }
  }
  throw new RemoteError('redirect', 'Too many redirects')
}
