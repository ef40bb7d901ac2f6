/** The load: requests over kept connections, in a closed loop or at a pace. */
import { Agent, request } from 'node:http'

export type Send = () => Promise<void>

export interface Latencies {
  count: number
  failed: number
  firstFailure: string
  seconds: number
  p50: number
  p99: number
}

export class Client {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 128 })
  readonly #base: URL
  constructor(base: string) {
    this.#base = new URL(base)
  }

  /** @param from the loopback address it comes from: all of 127/8 is this machine */
  post(
    path: string,
    body: string,
    headers: Record<string, string> = {},
    from?: string,
    method = 'POST',
  ): Promise<{ status: number; text: string; cookies: string[] }> {
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          agent: this.#agent,
          host: '127.0.0.1',
          port: this.#base.port,
          method,
          path,
          headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers },
          timeout: 10_000,
          ...(from ? { localAddress: from } : {}),
        },
        (response) => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (piece) => {
            text += piece
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text, cookies: response.headers['set-cookie'] ?? [] }))
          response.on('error', reject)
        },
      )
      asked.once('timeout', () => asked.destroy(new Error('no answer within 10 s')))
      asked.on('error', reject)
      asked.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

export const quantile = (values: readonly number[], q: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}

const summary = (took: number[], failures: string[], began: number): Latencies => ({
  count: took.length,
  failed: failures.length,
  firstFailure: failures[0] ?? '',
  seconds: (performance.now() - began) / 1_000,
  p50: quantile(took, 0.5),
  p99: quantile(took, 0.99),
})

/** So many at a time, each sends its next when its last is answered. Ends after `ms` or `max` sends. */
export async function closedLoop(concurrency: number, ms: number, max: number, send: Send): Promise<Latencies> {
  const [took, failures]: [number[], string[]] = [[], []]
  const began = performance.now()
  let sent = 0
  const one = async (): Promise<void> => {
    while (sent < max && performance.now() - began < ms) {
      sent++
      const at = performance.now()
      try {
        await send()
        took.push(performance.now() - at)
      } catch (error) {
        failures.push((error as Error).message)
        if (failures.length > 100) return
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, one))
  return summary(took, failures, began)
}

/** So many a second, whether the last was answered or not, as people do. */
export async function paced(perSecond: number, ms: number, send: Send): Promise<Latencies> {
  const [took, failures]: [number[], string[]] = [[], []]
  const open = new Set<Promise<void>>()
  const began = performance.now()
  const due = Math.round((perSecond * ms) / 1_000)
  for (let sent = 0; sent < due; ) {
    while (sent < due && (sent * 1_000) / perSecond <= performance.now() - began) {
      sent++
      const at = performance.now()
      const one: Promise<void> = send()
        .then(
          () => void took.push(performance.now() - at),
          (error: Error) => void failures.push(error.message),
        )
        .finally(() => open.delete(one))
      open.add(one)
    }
    if (open.size > 1_000) throw new Error(`the server is ${open.size} answers behind at ${perSecond} messages/s`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(open)
  return summary(took, failures, began)
}
