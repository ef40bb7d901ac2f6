/**
 * docker/Caddyfile in a Caddy that runs, with TLS, in front of two webs and a worker: what visitors and agents do goes
 * through it, and one web may die. Runs where Caddy, MariaDB and Redis are. Needs the bundled plugins.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get as plainGet } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { io, type Socket } from 'socket.io-client'
import { newId } from '../../core/src/db/types.ts'
import { maxFileBytes } from '../../core/src/domain/file/store-file.ts'
import { freePort } from '../support/free-port.ts'
import { makePlace, type Place, profiles } from '../support/profiles.ts'
import { eventually } from '../support/world.ts'

const root = resolve(import.meta.dirname, '../..')
const caddyfile = readFileSync(join(root, 'docker/Caddyfile'), 'utf8')
const readme = readFileSync(join(root, 'docker/README.md'), 'utf8')

/** `2.11.4`; Debian's says no more than that, others begin with a v. */
function caddyVersion(): string | undefined {
  try {
    return /\d+\.\d+\.\d+/.exec(execFileSync('caddy', ['version'], { encoding: 'utf8' }))?.[0]
  } catch {
    return undefined
  }
}
const version = caddyVersion()
const [, minor = 0, patch = 0] = (version ?? '0.0.0').split('.').map(Number)
/** Knows all that the file says: the visitor's address behind another proxy, sockets that outlive a reload. */
const current = minor >= 8
/** Remembers of replicas that it looked up which of them failed (caddyserver/caddy#7539); seen in 2.11.4, and not in 2.6. */
const remembers = minor > 11 || (minor === 11 && patch >= 4)

const missing = !version ? 'Caddy is not installed' : (await profiles()).includes('served') ? undefined : 'MariaDB and Redis do not answer'
if (missing) console.error(`\n!! NOT RUN: the hub behind Caddy: ${missing}`)
if (missing && process.env.TEST_REQUIRE === 'all') test('the hub behind Caddy', () => assert.fail(missing))
if (version && !current)
  console.error(
    `\n!! In part: Caddy ${version} is older than docker/Caddyfile; replicas are chosen by the connection's address, nothing is known of proxies in front`,
  )

/** Once and no more: a line of the file that is not there any more is not quietly left as it is. */
function swap(text: string, from: string, to: string): string {
  assert.equal(text.split(from).length, 2, `docker/Caddyfile must say "${from}" once`)
  return text.replace(from, to)
}

/** The proxy in front of Caddy that an operator has named. */
const front = '127.0.0.9'

interface Ports {
  https: number
  http: number
  web: number
  dns: number
}
/**
 * The file as it is, but for the port of the webs, who is asked for their addresses, and what an older Caddy does not
 * know. Above it, what a test needs: ports and folders of its own, no certificate put among those the system trusts.
 */
function forTest({ https, http, web, dns }: Ports, dir: string): string {
  let text = swap(caddyfile, 'port 3000\n', `port ${web}\n\t\t\tresolvers udp/127.0.0.1:${dns}\n`)
  if (!current) {
    text = swap(text, 'lb_policy client_ip_hash\n', 'lb_policy ip_hash\n')
    text = swap(text, 'X-Forwarded-For {client_ip}\n', 'X-Forwarded-For {remote_host}\n')
    text = swap(text, 'stream_close_delay 1m\n', '\n')
  }
  const servers = /```caddyfile\n\s*\{\n([\s\S]*?)\n\s*\}\n\s*```/.exec(readme)?.[1] ?? assert.fail('docker/README.md tells nothing of a proxy in front')
  const trusted = current ? swap(servers, '203.0.113.0/24', front) : ''
  return `{
	admin off
	https_port ${https}
	http_port ${http}
	default_bind 127.0.0.1
	skip_install_trust
	storage file_system ${dir}
${trusted}
}
${text}`
}

/** Tells where `web` is, as Docker's own name server does. */
async function startNames(addresses: Set<string>) {
  const server = createSocket('udp4')
  server.on('message', (question, from) => {
    let end = 12
    while (question[end]) end += (question[end] ?? 0) + 1
    end += 5
    const found = question.readUInt16BE(end - 4) === 1 ? [...addresses] : []
    const head = Buffer.from([question[0] ?? 0, question[1] ?? 0, 0x81, 0x80, 0, 1, 0, found.length, 0, 0, 0, 0])
    const records = found.map((ip) => Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...ip.split('.').map(Number)]))
    server.send(Buffer.concat([head, question.subarray(12, end), ...records]), from.port, from.address)
  })
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  raw: string[]
  bytes: Buffer
  json: any
}

describe('the hub behind Caddy', { skip: missing }, () => {
  const webs = ['127.0.0.2', '127.0.0.3'] as const
  const dir = mkdtempSync(join(tmpdir(), 'huike-caddy-'))
  const addresses = new Set<string>(webs)
  const children = new Map<string, ChildProcess>()
  const sockets: Socket[] = []
  const agents: HttpsAgent[] = []
  let place: Place
  let names: Awaited<ReturnType<typeof startNames>>
  let ports: Ports
  let url = ''
  let ca = ''
  let said = ''
  let setUp: Answer
  let owner = ''
  let inboxId = ''
  /** Which web answers an address. */
  const byWeb = new Map<string, string>()
  const addressesOf = (web: string) => [...byWeb].flatMap(([address, its]) => (its === web ? [address] : []))

  function run(name: string, command: string, args: string[], env: Record<string, string>): void {
    const child = spawn(command, args, { cwd: root, env: { PATH: process.env.PATH, HOME: dir, ...env }, stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr?.on('data', (words) => {
      said += `${name}: ${words}`
    })
    children.set(name, child)
  }
  const hub = (name: string, role: 'web' | 'worker', host: string, port: number) =>
    run(name, join(root, 'node_modules/.bin/node'), ['core/src/main.ts'], {
      HUB_DATA: place.dataDir,
      DATABASE_URL: place.databaseUrl,
      REDIS_URL: place.redisUrl,
      HUB_PUBLIC_URL: url,
      HUB_SECRET: 'a-secret-of-the-tests-that-is-long-enough',
      HUB_ROLE: role,
      // Caddy's address, and not all of this machine: those of the tests' visitors and of the proxy in front are no proxies to the hub.
      HUB_TRUST_PROXY: '127.0.0.1',
      HOST: host,
      PORT: String(port),
      LOG_LEVEL: 'error',
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? '',
    })
  /** A busy machine needs some time for it. */
  async function ready(name: string, host: string, port: number): Promise<void> {
    const isReady = () =>
      fetch(`http://${host}:${port}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      )
    for (const end = performance.now() + 90_000; !(await isReady()); await new Promise((done) => setTimeout(done, 50))) {
      assert.equal(children.get(name)?.exitCode, null, `${name} ended: ${said}`)
      assert.ok(performance.now() < end, `${name} is not ready: ${said}`)
    }
  }

  /** One browser's way to Caddy: all of 127/8 is this machine. */
  const from = (address: string) => {
    const agent = new HttpsAgent({ localAddress: address, ca, family: 4, keepAlive: true } as object)
    agents.push(agent)
    return agent
  }
  interface Asking {
    method?: string
    headers?: Record<string, string>
    body?: unknown
    bytes?: Buffer
  }
  function ask(address: string, path: string, { method, headers = {}, body, bytes }: Asking = {}): Promise<Answer> {
    const payload = bytes ?? (body === undefined ? undefined : Buffer.from(JSON.stringify(body)))
    const length = payload ? { 'content-length': String(payload.length) } : {}
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    return new Promise((done, failed) => {
      const request = httpsRequest(`${url}${path}`, {
        method: method ?? (payload ? 'POST' : 'GET'),
        agent: from(address),
        headers: { 'user-agent': 'Mozilla/5.0', ...type, ...length, ...headers },
      })
      request.on('response', async (response) => {
        const chunks = await response.toArray().catch(failed)
        if (!chunks) return
        const answered = Buffer.concat(chunks)
        const json = !response.headers['content-encoding'] && response.headers['content-type']?.includes('json') ? JSON.parse(answered.toString()) : undefined
        done({ status: response.statusCode ?? 0, headers: response.headers, raw: response.rawHeaders, bytes: answered, json })
      })
      request.on('error', failed)
      request.end(payload)
    })
  }
  const asOwner = (address: string, path: string, more: Asking = {}) =>
    ask(address, path, { ...more, headers: { cookie: owner, origin: url, ...more.headers } })

  /** How many requests of a route a web has answered: asked of itself, not through Caddy. */
  async function answered(web: string, route: string): Promise<number> {
    const text = await fetch(`http://${web}:${ports.web}/metrics`).then((answer) => answer.text())
    const counts = [...text.matchAll(/^huike_http_request_seconds_count\{([^}]*)\} (\d+)$/gm)]
    return counts.reduce((sum, [, labels, count]) => sum + (labels?.includes(`route="${route}"`) ? Number(count) : 0), 0)
  }
  /** Which of the webs answers this address. */
  async function webOf(address: string): Promise<(typeof webs)[number]> {
    const count = () => Promise.all(webs.map((web) => answered(web, '/api/setup').catch(() => 0)))
    const earlier = await count()
    assert.equal((await ask(address, '/api/setup')).status, 200)
    const later = await count()
    return webs.find((_, i) => (later[i] ?? 0) > (earlier[i] ?? 0)) ?? assert.fail('none of the webs was asked')
  }
  function open(address: string, namespace: string, options: object): Socket {
    const socket = io(`${url}${namespace}`, {
      path: '/socket',
      agent: from(address) as never,
      ca,
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
      ...options,
    })
    sockets.push(socket)
    return socket
  }
  const agentSocket = (address: string, transports: string[]) => open(address, '/', { transports, extraHeaders: { cookie: owner } })

  /** Somebody on a site, who may write as soon as a hand could have. */
  async function visitor(address: string) {
    const { json } = await ask(address, `/api/x/website/inboxes/${inboxId}/session`, { body: {}, headers: { origin: url } })
    const authorization = `Bearer ${json.token}`
    const say = async (text: string) => {
      const body = { clientId: newId(), parts: [{ type: 'text', text }] }
      const told = () => ask(address, '/api/x/website/messages', { body, headers: { authorization, origin: url } })
      const answer = await eventually(async () => {
        const one = await told()
        return one.status !== 429 && one
      }, 'the end of the pause before a first word')
      assert.equal(answer.status, 201, answer.bytes.toString())
    }
    return { token: json.token as string, authorization, say }
  }

  before(async () => {
    place = await makePlace('served')
    names = await startNames(addresses)
    ports = { https: await freePort(), http: await freePort(), web: await freePort(), dns: names.port }
    url = `https://localhost:${ports.https}`
    const file = join(dir, 'Caddyfile')
    writeFileSync(file, forTest(ports, dir))
    const workerPort = await freePort()
    run('caddy', 'caddy', ['run', '--config', file, '--adapter', 'caddyfile'], { HUB_PUBLIC_URL: url, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir })
    for (const web of webs) hub(web, 'web', web, ports.web)
    hub('worker', 'worker', '127.0.0.1', workerPort)
    for (const web of webs) await ready(web, web, ports.web)
    await ready('worker', '127.0.0.1', workerPort)
    ca = await eventually(() => {
      try {
        return readFileSync(join(dir, 'pki/authorities/local/root.crt'), 'utf8')
      } catch {
        return undefined
      }
    }, 'Caddy’s own authority')

    const body = { name: '周敏', email: 'min@shop.cn', password: 'mountain-tea-2026', locale: 'zh' }
    const forged = { 'x-forwarded-for': '8.8.8.8', 'x-real-ip': '8.8.8.8', forwarded: 'for=8.8.8.8' }
    setUp = await ask('127.0.0.5', '/api/setup', { body, headers: { origin: url, ...forged } })
    assert.equal(setUp.status, 200, `${setUp.bytes}${said}`)
    owner = [setUp.headers['set-cookie']].flat()[0]?.split(';')[0] ?? ''
    const inbox = await asOwner('127.0.0.5', '/api/inboxes', { body: { channel: 'website', name: '官网' } })
    assert.equal(inbox.status, 201, inbox.bytes.toString())
    inboxId = inbox.json.id

    for (let i = 100; i < 200 && !webs.every((web) => addressesOf(web).length >= 2); i++) {
      const address = `127.0.0.${i}`
      byWeb.set(address, await webOf(address))
    }
  })
  after(async () => {
    for (const socket of sockets) socket.disconnect()
    for (const agent of agents) agent.destroy()
    const ended = [...children.values()].filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null).map((child) => once(child, 'exit'))
    for (const child of children.values()) child.kill('SIGKILL')
    await Promise.all(ended)
    names?.close()
    await place?.remove()
    rmSync(dir, { recursive: true, force: true })
  })

  test('the file is formatted, and valid as it is', { skip: !current && `Caddy ${version} does not know all of it` }, () => {
    const env = { PATH: process.env.PATH, HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir }
    const caddy = (args: string[], publicUrl: string) =>
      execFileSync('caddy', args, { env: { ...env, HUB_PUBLIC_URL: publicUrl }, encoding: 'utf8', stdio: 'pipe' })
    assert.equal(caddy(['fmt', join(root, 'docker/Caddyfile')], ''), caddyfile)
    for (const publicUrl of ['https://chat.example.com', 'https://localhost'])
      caddy(['validate', '--config', join(root, 'docker/Caddyfile'), '--adapter', 'caddyfile'], publicUrl)
  })

  test('http:// is sent on to https://; the set-up signs its owner in, seen at their own address', async () => {
    const to = await new Promise((done, failed) =>
      plainGet({ host: '127.0.0.1', port: ports.http, path: '/admin?x=1', headers: { host: `localhost:${ports.http}` } }, (answer) => {
        answer.resume()
        done([answer.statusCode, answer.headers.location])
      }).on('error', failed),
    )
    // Its own https port is what the world sees as 443.
    assert.deepEqual(to, [308, 'https://localhost/admin?x=1'])

    const cookie = [setUp.headers['set-cookie']].flat()[0] ?? ''
    assert.match(cookie, /; Secure/i)
    const { json } = await asOwner('127.0.0.6', '/api/me/sessions')
    assert.deepEqual(
      json.items.map(({ ip }: { ip: string }) => ip),
      ['127.0.0.5'],
    )
  })

  test('a visitor’s address is theirs, whatever they say of it; only the proxy that the operator named is believed', async () => {
    const seen = async (address: string, forwarded: string) => {
      const visitId = newId().toLowerCase()
      const body = { visitId, url: 'https://shop.cn/', title: '首页', referrer: '' }
      const beat = await ask(address, `/api/x/website/inboxes/${inboxId}/beat`, { body, headers: { origin: url, 'x-forwarded-for': forwarded } })
      assert.equal(beat.status, 200, beat.bytes.toString())
      return eventually(async () => {
        const { json } = await asOwner('127.0.0.5', '/api/visitors?list=online&limit=50')
        return json.items.find(({ id }: { id: string }) => id === visitId)?.ip as string | undefined
      }, 'the visit')
    }
    assert.equal(await seen('127.0.0.20', '198.51.100.7'), '127.0.0.20')
    assert.equal(await seen('127.0.0.20', '198.51.100.7, 127.0.0.1'), '127.0.0.20')
    if (!current) return
    assert.equal(await seen(front, '198.51.100.7'), '198.51.100.7')
    // What the proxy in front was told itself is not what it saw.
    assert.equal(await seen(front, '8.8.8.8, 198.51.100.7'), '198.51.100.7')
  })

  test('the numbers are closed to the outside, however they are spelt', async () => {
    for (const path of ['/metrics', '/metrics?x=1', '/%6detrics', '//metrics', '/metrics/', '/METRICS', '/x/../metrics', '/metrics%2f', '/metrics;x']) {
      const { status, bytes } = await ask('127.0.0.5', path)
      assert.deepEqual([status, bytes.includes('process_cpu')], [404, false], path)
    }
    assert.equal((await ask('127.0.0.5', '/readyz')).status, 200)
  })

  test('answers come compressed once, with each of their headers once', async () => {
    const headersOf = ({ raw }: Answer) => raw.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())
    for (const path of ['/workbench', '/api/me', '/widget.js', '/api/x/website/nothing']) {
      const answer = await asOwner('127.0.0.5', path)
      const found = headersOf(answer)
      assert.deepEqual(found, [...new Set(found)], path)
      for (const name of ['strict-transport-security', 'content-security-policy', 'x-content-type-options', 'referrer-policy'])
        assert.ok(found.includes(name), `${path}: ${name}`)
    }
    // What the build has compressed is passed on; the rest is Caddy's to compress.
    const packed = await ask('127.0.0.5', '/widget.js', { headers: { 'accept-encoding': 'gzip, br, zstd' } })
    assert.equal(packed.headers['content-encoding'], 'br')
    const plain = await ask('127.0.0.5', '/widget.js')
    assert.equal(plain.headers['content-encoding'], undefined)
    for (const [coding, unpack] of [
      ['gzip', gunzipSync],
      ['zstd', zstdDecompressSync],
    ] as const) {
      const answer = await asOwner('127.0.0.5', '/api/openapi.json', { headers: { 'accept-encoding': coding } })
      assert.equal(answer.headers['content-encoding'], coding)
      assert.match(String(answer.headers.vary), /accept-encoding/i)
      assert.equal(JSON.parse(unpack(answer.bytes).toString()).info.title, 'Huike')
    }
    // Compressed by Caddy, a file is still known again by its tag.
    const first = await ask('127.0.0.5', '/widget.js', { headers: { 'accept-encoding': 'zstd' } })
    assert.equal(first.headers['content-encoding'], 'zstd')
    assert.deepEqual(zstdDecompressSync(first.bytes), plain.bytes)
    const again = await ask('127.0.0.5', '/widget.js', { headers: { 'accept-encoding': 'zstd', 'if-none-match': String(first.headers.etag) } })
    assert.equal(again.status, 304)
  })

  test('a file of the largest size passes, one byte more is refused by the hub itself', async () => {
    const form = (size: number) =>
      Buffer.concat([
        Buffer.from('--cut\r\ncontent-disposition: form-data; name="file"; filename="账单.bin"\r\ncontent-type: application/octet-stream\r\n\r\n'),
        Buffer.alloc(size, 7),
        Buffer.from('\r\n--cut--\r\n'),
      ])
    const send = (size: number) => asOwner('127.0.0.5', '/api/files', { bytes: form(size), headers: { 'content-type': 'multipart/form-data; boundary=cut' } })
    const taken = await send(maxFileBytes)
    assert.equal(taken.status, 201, taken.bytes.toString())
    for (const size of [maxFileBytes + 1, 2 * maxFileBytes]) {
      const refused = await send(size)
      assert.deepEqual([refused.status, refused.json?.code], [413, 'HUB_REQUEST_TOO_LARGE'], refused.bytes.toString())
    }
    // And the replica that refused is none that has failed.
    assert.equal((await ask('127.0.0.5', '/readyz')).status, 200)
  })

  test('an address stays with one web, by polling and by WebSocket, and two addresses may have two', async () => {
    const everybody = webs.flatMap((web) => addressesOf(web).slice(0, 2))
    assert.equal(everybody.length, 4, 'one web gets all')
    for (const address of everybody) for (let more = 0; more < 3; more++) assert.equal(await webOf(address), byWeb.get(address))
    const who = await visitor('127.0.0.20')
    const heard: string[] = []
    for (const transport of ['polling', 'websocket'])
      for (const address of everybody) {
        const socket = agentSocket(address, [transport])
        socket.on('conversation', () => heard.push(`${transport} ${address}`))
        await new Promise((done, failed) => {
          socket.once('ready', done)
          socket.once('connect_error', failed)
        })
        assert.equal(socket.io.engine.transport.name, transport)
      }
    await who.say('请问什么时候发货')
    await eventually(() => new Set(heard).size === 2 * everybody.length, 'the push to every socket')
    for (const socket of sockets.splice(0)) socket.disconnect()
  })

  test('one web is killed: its sockets come back at the other, nobody else notices, and it may come back itself', { timeout: 110_000 }, async () => {
    const [dying, staying] = webs
    const [lost = '', kept = ''] = [addressesOf(dying)[0], addressesOf(staying)[0]]
    const who = await visitor(lost)
    await who.say('你好')
    const line = open(lost, '/x/website', { auth: { token: who.token }, transports: ['websocket'] })
    const left = { agent: agentSocket(lost, ['websocket']), polling: agentSocket(lost, ['polling']) }
    const other = agentSocket(kept, ['websocket'])
    const told = (socket: Socket, event: string) => new Promise((done) => socket.once(event, done))
    await Promise.all([told(line, 'connect'), ...[left.agent, left.polling, other].map((socket) => told(socket, 'ready'))])
    let dropped = 0
    other.on('disconnect', () => dropped++)
    const back = Promise.all([told(line, 'connect'), ...[left.agent, left.polling].map((socket) => told(socket, 'ready'))])

    children.get(dying)?.kill('SIGKILL')
    // Docker forgets an address as soon as its container is gone; a Caddy that remembers which replica failed needs no Docker for it.
    if (!remembers) addresses.delete(dying)
    const asked = remembers
      ? await ask(lost, '/api/setup')
      : await eventually(async () => {
          const answer = await ask(lost, '/api/setup')
          return answer.status === 200 && answer
        }, 'an answer of the other web')
    assert.equal(asked.status, 200)
    await back
    const heard: string[] = []
    for (const [name, socket] of Object.entries(left)) socket.on('conversation', () => heard.push(name))
    line.on('note', () => heard.push('visitor'))
    const { json } = await asOwner(kept, '/api/conversations?limit=20')
    const conversation = json.items.find(({ lastText }: { lastText?: string }) => lastText === '你好') ?? json.items[0]
    const answer = await asOwner(lost, `/api/conversations/${conversation.id}/messages`, {
      body: { clientId: newId(), parts: [{ type: 'text', text: '您好' }] },
    })
    assert.equal(answer.status, 201, answer.bytes.toString())
    await eventually(() => new Set(heard).size === 3, 'the push after the loss')
    assert.equal(dropped, 0)

    hub(dying, 'web', dying, ports.web)
    await ready(dying, dying, ports.web)
    addresses.add(dying)
    await eventually(async () => (await webOf(lost)) === dying, 'the return of the addresses')
    assert.equal(await webOf(kept), staying)
    assert.equal(dropped, 0)
  })
})
