/**
 * An S3 storage for tests: s3rver, somebody else's server that verifies the signatures of requests, behind a door of
 * ours that passes everything on as it is until a test tells it to misbehave.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import S3rver from '@20minutes/s3rver'

export const bucket = 'huike-files'
/** The pair that s3rver knows. */
export const keys = { S3_ACCESS_KEY: 'S3RVER', S3_SECRET_KEY: 'S3RVER' }

/** Instead of passing a request on; returns true when it did something with it. */
type Mischief = (request: IncomingMessage, response: ServerResponse) => boolean

export interface TestStorage {
  /** What a hub needs to find it. */
  env: Record<string, string>
  /** Requests as they came, `PUT /bucket/key`. */
  heard: string[]
  /** The next request of this method meets these, one after the other. */
  next(method: string, ...mischiefs: Mischief[]): void
  /** The next download breaks off after so many bytes of its body. */
  cutNextDownload(afterBytes: number): void
  /** Nobody listens any more, or again, at the same address. */
  away(): Promise<void>
  back(): Promise<void>
  stop(): Promise<void>
}

/** A refusal in S3's own words. */
export const refuse =
  (status: number, code: string, headers: Record<string, string> = {}): Mischief =>
  (heard, response) => {
    heard.resume()
    const words = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>as told by the test</Message></Error>`
    heard.once('end', () => response.writeHead(status, { 'content-type': 'application/xml', ...headers }).end(words))
    return true
  }
/** The connection ends in the middle of the request's body. */
export const hangUp: Mischief = (heard) => {
  heard.once('data', () => heard.socket.destroy())
  return true
}

export async function startStorage(): Promise<TestStorage> {
  const directory = mkdtempSync(join(tmpdir(), 'huike-s3-'))
  const s3 = new S3rver({ port: 0, address: '127.0.0.1', silent: true, directory, vhostBuckets: false, configureBuckets: [{ name: bucket }] })
  const { port: inner } = (await s3.run()) as AddressInfo
  const heard: string[] = []
  const plans = new Map<string, Mischief[]>()
  let cutAfter: number | undefined

  const pass = (asked: IncomingMessage, response: ServerResponse): void => {
    const cut = asked.method === 'GET' ? cutAfter : undefined
    if (cut !== undefined) cutAfter = undefined
    const on = request({ host: '127.0.0.1', port: inner, method: asked.method, path: asked.url, headers: asked.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      if (cut === undefined) answer.pipe(response)
      else {
        let left = cut
        answer.on('data', (chunk: Buffer) => {
          response.write(chunk.subarray(0, left), () => left <= 0 && response.destroy())
          left -= chunk.length
        })
      }
    })
    on.on('error', () => response.destroy())
    asked.pipe(on)
  }
  const door = createServer((asked, response) => {
    heard.push(`${asked.method} ${asked.url}`)
    const mischief = plans.get(asked.method ?? '')?.shift()
    if (!mischief?.(asked, response)) pass(asked, response)
  })
  const listen = (port: number) => new Promise<void>((done) => door.listen(port, '127.0.0.1', done))
  const close = () =>
    new Promise<void>((done) => {
      door.close(() => done())
      door.closeAllConnections()
    })
  await listen(0)
  const { port } = door.address() as AddressInfo
  return {
    env: { S3_ENDPOINT: `http://127.0.0.1:${port}`, S3_BUCKET: bucket, ...keys },
    heard,
    next: (method, ...mischiefs) => void plans.set(method, mischiefs),
    cutNextDownload: (afterBytes) => void (cutAfter = afterBytes),
    away: close,
    back: () => listen(port),
    async stop() {
      await close()
      s3.httpServer.closeAllConnections()
      await s3.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
