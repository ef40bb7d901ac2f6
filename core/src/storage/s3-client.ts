/** Signed requests to an S3-compatible storage, with time limits, tries again, and faults in plain words. */
import { setTimeout as sleep } from 'node:timers/promises'
import { AwsV4Signer } from 'aws4fetch'
import { RemoteError } from '../../sdk/remote.ts'
import { type FaultKind, StorageFault } from './storage-fault.ts'

export interface S3Settings {
  endpoint: string
  region: string
  bucket: string
  accessKey: string
  secretKey: string
  /** `endpoint/bucket/key` rather than `bucket.endpoint/key`. */
  pathStyle: boolean
  /** Before every key; empty, or with a slash at its end. */
  prefix: string
}

/** `fetch`, or one that looks at the address first. */
export type Ask = (url: URL, init: { method: string; headers: Headers; redirect: 'manual'; signal: AbortSignal; body?: Buffer | Blob }) => Promise<Response>
const fetchIt: Ask = (url, init) => fetch(url, init as RequestInit)

interface SendOptions {
  body?: Buffer | Blob
  sha256?: string
  size?: number
  range?: string
  attempts?: number
  timeoutMs?: number
}

const maxAttempts = 4
const firstWaitMs = 200
const longestWaitMs = 5_000
/** Until the answer begins, and between two pieces of its body. */
const silenceMs = 10_000
/** A slower upload than this is given up, in bytes a second. */
const slowest = 50_000
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

export class S3Client {
  readonly #settings: S3Settings
  readonly #base: string
  readonly #onRetry: () => void
  readonly #ask: Ask
  /** Signing keys of the day. */
  readonly #keys = new Map<string, ArrayBuffer>()

  constructor(settings: S3Settings, onRetry: () => void, ask: Ask = fetchIt) {
    this.#settings = settings
    this.#ask = ask
    this.#onRetry = onRetry
    this.#base = addressOf(settings)
  }

  /** The answer, undefined for a key that is not there; throws {@link StorageFault} for everything else. */
  async send(method: 'GET' | 'HEAD' | 'PUT' | 'DELETE', path: string, options: SendOptions = {}): Promise<Response | undefined> {
    const { attempts = maxAttempts } = options
    for (let attempt = 1; ; attempt++) {
      const { answer, fault, waitMs = 0 } = await this.#once(method, path, options)
      if (!fault) return answer
      // What will be no better in a moment is told at once.
      if (attempt >= attempts || !(fault.fault === 'unreachable' || fault.fault === 'busy')) throw fault
      this.#onRetry()
      const backoff = firstWaitMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2)
      await sleep(Math.min(Math.max(backoff, waitMs), longestWaitMs))
    }
  }

  async #once(
    method: string,
    path: string,
    { body, sha256 = emptyHash, size = 0, range, timeoutMs = silenceMs + (size / slowest) * 1_000 }: SendOptions,
  ): Promise<{ answer?: Response; fault?: StorageFault; waitMs?: number }> {
    const { accessKey, secretKey, region } = this.#settings
    const { url, headers } = await new AwsV4Signer({
      method,
      url: this.#base + path,
      headers: { 'x-amz-content-sha256': sha256, ...(range ? { range } : {}) },
      accessKeyId: accessKey,
      secretAccessKey: secretKey,
      service: 's3',
      region,
      cache: this.#keys,
    }).sign()
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(new Error(`no answer within ${Math.round(timeoutMs / 1_000)} s`)), timeoutMs)
    try {
      const answer = await this.#ask(url, { method, headers, redirect: 'manual', signal: limit.signal, ...(body ? { body } : {}) })
      if (answer.ok) return { answer }
      // The words of a refusal: a small XML document, none after a HEAD.
      const { code, words } = errorOf((await answer.text()).slice(0, 10_000))
      if (answer.status === 404 && (code === '' || code === 'NoSuchKey')) return {}
      const kind = kindOf(answer.status, code)
      const detail = `${answer.status} ${code || answer.statusText}${words ? `: ${words}` : ''}${kind === 'clock' ? ` (${skewOf(answer)})` : ''}`
      return { fault: new StorageFault(kind, detail), waitMs: Number(answer.headers.get('retry-after') ?? 0) * 1_000 || 0 }
    } catch (error) {
      if (error instanceof RemoteError && (error.reason === 'private-address' || error.reason === 'address'))
        return { fault: new StorageFault('private', error.message, { cause: error }) }
      const { code, message } = ((error as Error).cause ?? error) as NodeJS.ErrnoException
      return { fault: new StorageFault('unreachable', `${new URL(this.#base).host}: ${code ?? message}`, { cause: error }) }
    } finally {
      clearTimeout(timer)
    }
  }

  /** The pieces of a body. Waits for the storage, not for who reads them: a slow reader is none of the storage's fault. */
  async *bodyOf(answer: Response): AsyncGenerator<Uint8Array> {
    const reader = answer.body?.getReader()
    if (!reader) return
    try {
      for (;;) {
        const piece = await withinSilence(reader.read(), () => reader.cancel())
        if (piece.done) return
        yield piece.value
      }
    } catch (error) {
      throw new StorageFault('unreachable', `${new URL(this.#base).host}: cut off in the middle of a file`, { cause: error })
    } finally {
      // Who stops reading early lets the connection go.
      await reader.cancel().catch(() => undefined)
    }
  }
}

/** What stands before every key. */
export function addressOf({ endpoint, bucket, pathStyle, prefix }: S3Settings): string {
  const at = new URL(endpoint)
  return `${pathStyle ? `${at.origin}/${bucket}` : `${at.protocol}//${bucket}.${at.host}`}/${prefix}`
}

async function withinSilence<T>(work: Promise<T>, giveUp: () => Promise<void>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`nothing for ${silenceMs} ms`))
      void giveUp().catch(() => undefined)
    }, silenceMs)
  })
  try {
    return await Promise.race([work, silence])
  } finally {
    clearTimeout(timer)
  }
}

const errorOf = (xml: string): { code: string; words: string } => ({
  code: /<Code>([^<]*)</.exec(xml)?.[1] ?? '',
  words: /<Message>([^<]*)</.exec(xml)?.[1] ?? '',
})

/** Codes of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and of MinIO. */
const kinds: Record<string, FaultKind> = {
  InvalidAccessKeyId: 'credentials',
  SignatureDoesNotMatch: 'credentials',
  ExpiredToken: 'credentials',
  InvalidToken: 'credentials',
  AccessDenied: 'forbidden',
  AllAccessDisabled: 'forbidden',
  RequestTimeTooSkewed: 'clock',
  NoSuchBucket: 'bucket',
  InvalidBucketName: 'bucket',
  AuthorizationHeaderMalformed: 'region',
  PermanentRedirect: 'region',
  TemporaryRedirect: 'busy',
  RequestTimeout: 'busy',
  SlowDown: 'busy',
  SlowDownWrite: 'busy',
  SlowDownRead: 'busy',
  // Damaged on the way, not in the bucket: sent again.
  XAmzContentSHA256Mismatch: 'busy',
  BadDigest: 'busy',
  IncompleteBody: 'busy',
  XMinioStorageFull: 'full',
  QuotaExceeded: 'full',
}

function kindOf(status: number, code: string): FaultKind {
  const known = kinds[code]
  if (known) return known
  if (status === 507) return 'full'
  if (status >= 500 || status === 429) return 'busy'
  if (status === 301 || status === 307) return 'region'
  return status === 401 || status === 403 ? 'forbidden' : 'other'
}

function skewOf(answer: Response): string {
  const seconds = Math.round((Date.now() - Date.parse(answer.headers.get('date') ?? '')) / 1_000)
  return Number.isNaN(seconds) ? 'it does not say by how much' : `this machine is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead' : 'behind'}`
}
