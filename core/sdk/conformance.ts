/**
 * What every channel must do, as tests: the suite boots a hub with the plugin on every profile there is and plays the
 * customer, the platform and the agent. A clause that a channel has not got is left out, by what it declares.
 *
 *     import { channelConformance } from '@huike/core/sdk/conformance.ts'
 *     await channelConformance({ manifest, settings: () => ({ … }), webhook: { … }, platform: { … } })
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ChannelCapabilities, FileKind } from './channel.ts'
import type { PluginManifest } from './plugin.ts'
import { makePlace, type Place, profiles } from './test-places.ts'

/** A customer's words on their way in. `id` is the platform's name of them. */
export interface Said {
  id: string
  from: string
  text: string
}

/** A webhook as the platform would send it; `path` follows the inbox's address (`?signature=…`). */
export interface WebhookRequest {
  path?: string
  headers?: Record<string, string>
  body: string | Buffer
}

export type Failure = 'retry' | 'never' | 'unknown'

export interface ConformanceOptions {
  manifest: PluginManifest<any, any>
  /** Its folder, when it has assets or UI modules. */
  dir?: string
  /** Settings of an inbox that works. Asked once a hub runs, so that a simulator may be up by then. */
  settings(): Record<string, unknown> | Promise<Record<string, unknown>>
  /** Settings with which nothing works: the probe must say so. */
  brokenSettings?: Record<string, unknown>
  /** A channel with webhooks. */
  webhook?: {
    text(said: Said): WebhookRequest
    /** The same, as somebody without the key would send it. */
    forged(said: Said): WebhookRequest
    /** Any bytes, signed as they should be: what a platform's bug or a proxy's cut would bring. */
    signed(body: Buffer): WebhookRequest
    /** A type of message that nobody knows. */
    unknown?(said: Said): WebhookRequest
    /** Written in the platform's own app to `from`. */
    echo?(said: Said): WebhookRequest
  }
  /** A channel whose customers come otherwise (a mailbox, a client of its own): brings their words; resolves when they were handed over. */
  write?(hub: { url: string; inboxId: string }, said: Said): Promise<void>
  /** A channel that sends. */
  platform?: {
    /** What reached customers, oldest first. */
    sent(): readonly { to: string; text: string }[]
    /** From now on every send fails so; undefined = works again. */
    fail(how: Failure | undefined): void
    /** From now on sends are taken without an answer, until the returned function is called. */
    hold?(): () => void
  }
}

interface Answer {
  status: number
  body: any
}

/** Registers the tests. */
export async function channelConformance(options: ConformanceOptions): Promise<void> {
  for (const profile of await profiles())
    describe(`${options.manifest.id} is a channel [${profile}]`, () => {
      let hub: TestHub
      before(async () => {
        hub = await TestHub.start(options, await makePlace(profile))
      })
      after(() => hub?.stop())
      clauses(options, () => hub)
    })
}

function clauses(options: ConformanceOptions, at: () => TestHub): void {
  const { webhook, platform, manifest } = options
  const receives = webhook !== undefined
  const skipUnless = (has: boolean, why: string) => ({ skip: has ? false : why })
  const text = (value: string) => [{ type: 'text', text: value }]

  test('text comes in, whole, with its sender, and is shown to an agent', async () => {
    const room = await at().room()
    const said = room.says('你好，请问这件还有货吗？👀')
    await room.write(said)
    const conversation = await room.conversation(said.from)
    const [message] = await room.messages(conversation.id)
    assert.equal(message.direction, 'in')
    assert.deepEqual(
      message.parts.map((part: { type: string; text?: string }) => part.text ?? part.type),
      [said.text],
    )
  })

  test('the same again, ten times and at once, is one message', skipUnless(receives, 'no webhooks'), async () => {
    const room = await at().room()
    const said = room.says('只说一次')
    const answers = await Promise.all(Array.from({ length: 5 }, () => room.post(webhook?.text(said))))
    for (let i = 0; i < 5; i++) answers.push(await room.post(webhook?.text(said)))
    for (const { status } of answers) assert.ok(status >= 200 && status < 300, `${status}: a repeat must be answered like the first one`)
    assert.equal((await room.texts(said.from)).length, 1)
  })

  test('out of order they are all there, each once', skipUnless(receives, 'no webhooks'), async () => {
    const room = await at().room()
    const from = room.says('').from
    const said = ['一', '二', '三', '四'].map((word) => ({ ...room.says(word), from }))
    for (const one of [2, 0, 3, 1, 0, 2]) await room.post(webhook?.text(said[one] as Said))
    assert.deepEqual((await room.texts(from)).sort(), said.map((one) => one.text).sort())
  })

  test('a wrong signature is refused with HUB_CHANNEL_UNVERIFIED, and nothing is stored', skipUnless(receives, 'no webhooks'), async () => {
    const room = await at().room()
    const said = room.says('冒充的')
    const { status, body } = await room.post(webhook?.forged(said))
    assert.deepEqual([status, body.code], [401, 'HUB_CHANNEL_UNVERIFIED'])
    assert.equal(await room.count(), 0)
  })

  test(
    'a body that is cut off or nonsense is a coded refusal or a plain acknowledgement, never a 500, and stores nothing',
    skipUnless(receives, 'no webhooks'),
    async () => {
      const room = await at().room()
      const whole = Buffer.from(sample(webhook?.text(room.says('会被截断'))).body)
      const cuts = [0, 1, Math.floor(whole.length / 3), Math.floor(whole.length / 2), whole.length - 1].map((end) => whole.subarray(0, end))
      const nonsense = [
        '{}',
        '[]',
        'null',
        '"x"',
        '<xml>',
        '{"a":{"b":[[[[',
        '\u0000\u0000',
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
      ].map((word) => Buffer.from(word))
      for (const body of [...cuts, ...nonsense, Buffer.from([0xff, 0xfe, 0x00, 0x80]), Buffer.alloc(200_000, 0x5b)]) {
        const answer = await room.post(webhook?.signed(body))
        assert.ok(answer.status < 500, `${answer.status} for ${JSON.stringify(body.subarray(0, 60).toString())}`)
        if (answer.status >= 400) assert.match(String(answer.body.code), /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/)
        assert.doesNotMatch(JSON.stringify(answer.body), /node_modules|\.ts:\d+/)
      }
      const [stored] = await room.inbound()
      assert.equal(stored, undefined, 'nonsense became a message')
    },
  )

  test('a type that nobody knows is kept as `unsupported` with its raw payload', skipUnless(webhook?.unknown !== undefined, 'no sample of it'), async () => {
    const room = await at().room()
    const said = room.says('')
    assert.ok((await room.post(webhook?.unknown?.(said))).status < 300)
    const [message] = await room.messages((await room.conversation(said.from)).id)
    const [part] = message.parts
    assert.equal(part.type, 'unsupported')
    assert.ok(part.raw !== undefined && part.raw !== null)
  })

  test('what was written in the platform’s own app is an agent’s message, once', skipUnless(webhook?.echo !== undefined, 'no echoes'), async () => {
    const room = await at().room()
    const said = room.says('在吗')
    await room.write(said)
    const echo = { ...room.says('在的'), from: said.from }
    for (let i = 0; i < 3; i++) assert.ok((await room.post(webhook?.echo?.(echo))).status < 300)
    const out = (await room.messages((await room.conversation(said.from)).id)).filter((message) => message.direction === 'out')
    assert.deepEqual(
      out.map((message) => message.authorId),
      [null],
    )
  })

  test('a blocked sender’s words are refused quietly, and others’ are not', async () => {
    const room = await at().room()
    const said = room.says('第一句')
    await room.write(said)
    const conversation = await room.conversation(said.from)
    assert.equal((await room.call('POST', `/api/contacts/${conversation.contact.id}/block`, { identityId: conversation.identityId })).status, 200)
    await room.write({ ...room.says('被拉黑之后'), from: said.from }).catch(() => undefined)
    const other = room.says('另一位')
    await room.write(other)
    assert.deepEqual(await room.texts(other.from), ['另一位'])
    assert.equal(await room.count(), 2)
  })

  test('switched off it takes and sends nothing; on again nothing was lost', async () => {
    const room = await at().room()
    const said = room.says('开着')
    await room.write(said)
    const conversation = await room.conversation(said.from)
    const late = { ...room.says('关着的时候'), from: said.from }
    await room.switch(false)
    try {
      if (webhook) assert.equal((await room.post(webhook.text(late))).status, 404)
      const refused = await room.reply(conversation.id, text('发不出去'))
      assert.deepEqual([refused.status, refused.body.code], [403, 'HUB_CHANNEL_DISABLED'])
    } finally {
      await room.switch(true)
    }
    assert.equal(await room.count(), 1)
    // A platform that got no yes tries again.
    await room.write(late)
    assert.deepEqual(await room.texts(said.from), ['开着', '关着的时候'])
  })

  test('no secret is in any answer', async () => {
    const room = await at().room()
    const secrets = await room.secrets()
    const said = room.says('看看')
    await room.write(said)
    const conversation = await room.conversation(said.from)
    const paths = [
      '/api/inboxes',
      '/api/inboxes/brief',
      '/api/inboxes/health',
      '/api/channels',
      '/api/plugins',
      '/api/me',
      `/api/conversations/${conversation.id}`,
      `/api/conversations/${conversation.id}/messages`,
      `/api/contacts/${conversation.contact.id}`,
    ]
    const answers = await Promise.all(paths.map((path) => room.call('GET', path)))
    if (room.probes) answers.push(await room.call('POST', `/api/inboxes/${room.inboxId}/probe`, { settings: options.brokenSettings ?? {} }))
    for (const secret of secrets) for (const { body } of answers) assert.ok(!JSON.stringify(body).includes(secret), 'a secret came back')
  })

  test('the connection test says that it works, and what is wrong when it does not', async (t) => {
    const room = await at().room()
    if (!room.probes) return t.skip('no connection test')
    const steps = async (settings?: Record<string, unknown>) =>
      (await room.call('POST', `/api/inboxes/${room.inboxId}/probe`, settings ? { settings } : {})).body.steps
    const fine = await steps()
    assert.ok(fine.length > 0 && fine.every((step: { ok: boolean; waits?: true }) => step.ok || step.waits), JSON.stringify(fine))
    if (!options.brokenSettings) return
    const wrong = (await steps(options.brokenSettings)).find((step: { ok: boolean; waits?: true }) => !step.ok && !step.waits)
    assert.ok(wrong, 'settings with which nothing works passed')
    for (const language of ['zh', 'en'] as const) assert.ok(wrong.detail?.[language], `what is wrong is not said (${language})`)
  })

  test('what it does not declare to carry is refused when it is written, with a code', async () => {
    const room = await at().room()
    const said = room.says('你好')
    await room.write(said)
    const { id } = await room.conversation(said.from)
    for (const [type, part] of Object.entries(await room.everyPart())) {
      if (room.capabilities.send.includes(type as never)) continue
      const { status, body } = await room.reply(id, [part])
      assert.deepEqual([status, body.code], [422, 'HUB_MESSAGE_REFUSED'], type)
    }
    const { maxTextLength } = room.capabilities
    if (maxTextLength && maxTextLength < 20_000) assert.deepEqual((await room.reply(id, text('长'.repeat(maxTextLength + 1)))).body.details?.reason, 'length')
  })

  test('what it declares to carry goes out, or is refused with a sentence an agent understands', async () => {
    const room = await at().room()
    const said = room.says('你好')
    await room.write(said)
    const { id } = await room.conversation(said.from)
    for (const [type, part] of Object.entries(await room.everyPart())) {
      if (!room.capabilities.send.includes(type as never)) continue
      // Where kinds of cards are declared, one that is not is no part of it.
      if (type === 'card' && room.capabilities.cards) {
        assert.deepEqual((await room.reply(id, [part])).body.details, { reason: 'part', part: 'card' })
        continue
      }
      // Nor is a file of a type that is not among those the channel takes: it is refused before anything leaves.
      const mime = (part as { mime?: string }).mime
      const { types } = room.capabilities.files?.[type as FileKind] ?? {}
      if (types && mime && !types.includes(mime)) {
        assert.equal((await room.reply(id, [part])).body.details?.reason, 'fileType', type)
        continue
      }
      // A reply window of few messages is filled again.
      if (room.capabilities.replyWindow) await room.write({ ...room.says('再问一句'), from: said.from })
      const { status, body } = await room.reply(id, [part])
      assert.equal(status, 201, `${type}: ${JSON.stringify(body)}`)
      const done = await room.fate(id, body.id)
      if (done.status === 'failed')
        for (const language of ['zh', 'en'] as const)
          assert.ok(done.failureText?.[language], `${type} failed without a sentence (${language}): ${done.failure}`)
      else assert.equal(done.status, 'sent', `${type}: ${done.failure}`)
    }
  })

  const sends = skipUnless(platform !== undefined, 'customers read from the hub')

  test('an answer reaches the customer, once, and so does a long one, whole', sends, async () => {
    const room = await at().room()
    const said = room.says('在吗')
    await room.write(said)
    const { id } = await room.conversation(said.from)
    const longest = Math.min(room.capabilities.maxTextLength ?? 2_000, 5_000)
    for (const words of ['在的，请讲', [...'长文本👍\n需要分段发送。'.repeat(longest)].slice(0, longest).join('').trim()]) {
      const before = room.reached(said.from).length
      const { body } = await room.reply(id, text(words))
      assert.equal((await room.fate(id, body.id)).status, 'sent')
      const plain = (value: string) => value.replace(/\s+/g, '')
      assert.equal(plain(room.reached(said.from).slice(before).join('')), plain(words))
    }
  })

  test('not taken: it waits and goes out when the platform is back, and what was written after it follows in order', sends, async () => {
    const room = await at().room()
    const said = room.says('在吗')
    await room.write(said)
    const { id } = await room.conversation(said.from)
    platform?.fail('retry')
    const ids: string[] = []
    for (const words of ['甲', '乙', '丙']) ids.push((await room.reply(id, text(words))).body.id)
    const first = await room.until(id, ids[0] as string, (message) => message.status === 'queued' && message.failure !== null)
    assert.ok(first.failure)
    assert.deepEqual(room.reached(said.from), [])
    platform?.fail(undefined)
    for (const messageId of ids) assert.equal((await room.fate(id, messageId)).status, 'sent')
    assert.deepEqual(room.reached(said.from), ['甲', '乙', '丙'])
  })

  test('never taken: it failed, the agent reads why, and what follows goes out', sends, async () => {
    const room = await at().room()
    const said = room.says('在吗')
    await room.write(said)
    const { id } = await room.conversation(said.from)
    platform?.fail('never')
    const failed = await room.fate(id, (await room.reply(id, text('这条不行'))).body.id)
    assert.equal(failed.status, 'failed')
    assert.ok(failed.failure)
    platform?.fail(undefined)
    if (room.capabilities.replyWindow) await room.write({ ...room.says('还在吗'), from: said.from })
    const next = await room.reply(id, text('这条可以'))
    assert.equal(next.status, 201, JSON.stringify(next.body))
    assert.equal((await room.fate(id, next.body.id)).status, 'sent')
    assert.deepEqual(room.reached(said.from), ['这条可以'])
  })

  test('of unknown fate: repeated only where the platform knows repeats, else uncertain until a person decides', sends, async () => {
    const room = await at().room()
    const said = room.says('在吗')
    await room.write(said)
    const { id } = await room.conversation(said.from)
    platform?.fail('unknown')
    const messageId = (await room.reply(id, text('到了没有'))).body.id
    if (room.capabilities.idempotentSend) {
      await room.until(id, messageId, (message) => message.failure !== null)
      platform?.fail(undefined)
    } else {
      assert.equal((await room.fate(id, messageId)).status, 'uncertain')
      platform?.fail(undefined)
      await room.hasten()
      assert.equal((await room.fate(id, messageId)).status, 'uncertain')
      if (room.capabilities.replyWindow) await room.write({ ...room.says('还在吗'), from: said.from })
      assert.equal((await room.call('POST', `/api/messages/${messageId}/resend`)).status, 200)
    }
    assert.equal((await room.fate(id, messageId)).status, 'sent')
  })

  test(
    'the process ends between the send and its answer: sent once or marked uncertain, never twice',
    skipUnless(platform?.hold !== undefined, 'it cannot be held up'),
    async () => {
      const room = await at().room()
      const said = room.says('在吗')
      await room.write(said)
      const { id } = await room.conversation(said.from)
      const release = platform?.hold?.()
      const before = room.reached(said.from).length
      const messageId = (await room.reply(id, text('只此一次'))).body.id
      await room.eventually(() => room.reached(said.from).length > before, 'the send')
      // What a killed process leaves: a row in the middle of sending whose time runs out.
      await room.abandon(id)
      const done = await room.fate(id, messageId)
      if (!room.capabilities.idempotentSend) {
        assert.equal(done.status, 'uncertain')
        assert.equal(room.reached(said.from).length, before + 1)
      }
      release?.()
    },
  )

  test(`${manifest.id} is running at the end of all this`, async () => {
    const room = await at().room()
    const mine = (await room.call('GET', '/api/plugins')).body.items.find((plugin: { id: string }) => plugin.id === manifest.id)
    assert.equal(mine?.state, 'running')
  })
}

/** 40 × 30 pixels of red; a second of silence; the head of a film: enough for a sniffer. */
const picture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAACgAAAAeCAMAAABpA6zvAAAAA1BMVEXMMzN0dFbYAAAACXBIWXMAAAPoAAAD6AG1e1JrAAAAEklEQVQ4jWNgGAWjYBSMguEAAATOAAE9WQaqAAAAAElFTkSuQmCC',
  'base64',
)
const wave = Buffer.concat([
  Buffer.from('524946466400000057415645666d74201000000001000100401f0000401f0000010008006461746140000000', 'hex'),
  Buffer.alloc(64, 0x80),
])
const film = Buffer.concat([
  Buffer.from('0000001866747970', 'hex'),
  Buffer.from('mp42'),
  Buffer.from('00000000', 'hex'),
  Buffer.from('mp42isom'),
  Buffer.alloc(64),
])

const sample = (request: WebhookRequest | undefined): WebhookRequest => {
  assert.ok(request, 'the suite needs a webhook sample')
  return request
}

let counter = 0
const unique = (): string => `${Date.now().toString(36)}${(++counter).toString(36)}`

/** A hub of this suite's own, and its owner, who is the agent too. */
class TestHub {
  readonly options: ConformanceOptions
  readonly place: Place
  readonly running: any
  readonly cookie: string

  private constructor(options: ConformanceOptions, place: Place, running: any, cookie: string) {
    this.options = options
    this.place = place
    this.running = running
    this.cookie = cookie
  }

  static async start(options: ConformanceOptions, place: Place): Promise<TestHub> {
    const [{ startHub }, { readEnv }, { pino }] = await Promise.all([import('../src/app.ts'), import('../src/config/env.ts'), import('pino')])
    const password = `Abacus-${unique()}-17-lamps`
    const env = readEnv({
      HUB_DATA: place.dataDir,
      DATABASE_URL: place.databaseUrl,
      REDIS_URL: place.redisUrl,
      PORT: '0',
      LOG_LEVEL: 'silent',
      HUB_SECRET: 'a-secret-of-the-suite-that-is-long-enough',
      HUB_OWNER_EMAIL: 'owner@conformance.test',
      HUB_OWNER_PASSWORD: password,
    })
    const log = pino({ level: process.env.TEST_LOG ?? 'silent' })
    const plugin = { dir: options.dir ?? import.meta.dirname, manifest: options.manifest, nameHint: options.manifest.id }
    const running = await startHub(env, { log: log as never, plugins: [plugin] })
    const signedIn = await fetch(new URL('/api/login', running.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'owner@conformance.test', password }),
    })
    const cookie = (signedIn.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
    assert.equal(signedIn.status, 200, 'the owner could not sign in')
    const broken = running.hub.kernel.status().find(({ id }) => id === options.manifest.id)
    assert.equal(broken?.state, 'running', `the plugin does not start: ${broken?.error?.message}`)
    return new TestHub(options, place, running, cookie)
  }

  /** A fresh inbox: no test sees another one's rows. */
  async room(): Promise<Room> {
    this.options.platform?.fail(undefined)
    const settings = await this.options.settings()
    const { id } = this.options.manifest
    const made = await call(this, 'POST', '/api/inboxes', { channel: id, name: `conformance ${unique()}`, settings })
    assert.equal(made.status, 201, `the settings are refused: ${JSON.stringify(made.body)}`)
    const channel = (await call(this, 'GET', '/api/channels')).body.items.find((known: { id: string }) => known.id === id)
    const own = (await call(this, 'GET', '/api/inboxes/brief')).body.items.find((known: { id: string }) => known.id === made.body.id)
    return new Room(this, made.body.id, { ...channel, capabilities: own.capabilities ?? channel.capabilities })
  }

  async stop(): Promise<void> {
    this.options.platform?.fail(undefined)
    await this.running.stop()
    await this.place.remove()
  }
}

async function call(hub: TestHub, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(new URL(path, hub.running.url), {
    method,
    headers: { cookie: hub.cookie, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return answerOf(response)
}

async function answerOf(response: Response): Promise<Answer> {
  const raw = await response.text()
  return { status: response.status, body: response.headers.get('content-type')?.includes('json') ? JSON.parse(raw) : raw }
}

/** One inbox, and what happens in it. */
class Room {
  readonly hub: TestHub
  readonly inboxId: string
  readonly capabilities: ChannelCapabilities
  readonly probes: boolean
  readonly #schema: { properties?: Record<string, { format?: string }> }

  constructor(hub: TestHub, inboxId: string, channel: { capabilities: ChannelCapabilities; probe: boolean; inboxSettings: object }) {
    this.hub = hub
    this.inboxId = inboxId
    this.capabilities = channel.capabilities
    this.probes = channel.probe
    this.#schema = channel.inboxSettings
  }

  call(method: string, path: string, body?: unknown): Promise<Answer> {
    return call(this.hub, method, path, body)
  }

  says(text: string): Said {
    const id = unique()
    return { id: `m-${id}`, from: `customer-${id}`, text }
  }

  /** The words of a customer, by whatever way this channel has. Throws when they are refused. */
  async write(said: Said): Promise<void> {
    const { options, running } = this.hub
    if (options.write) return options.write({ url: running.url, inboxId: this.inboxId }, said)
    const answer = await this.post(options.webhook?.text(said))
    if (answer.status >= 300) throw new Error(`the webhook answered ${answer.status} ${JSON.stringify(answer.body)}`)
  }

  async post(request: WebhookRequest | undefined): Promise<Answer> {
    const { path = '', headers = {}, body } = sample(request)
    const url = `${this.hub.running.url}/api/channels/${this.hub.options.manifest.id}/${this.inboxId}${path}`
    return answerOf(await fetch(url, { method: 'POST', headers, body: typeof body === 'string' ? body : new Uint8Array(body) }))
  }

  /** A customer's open conversation here; waits for it, since a mailbox is looked into now and then. */
  conversation(from: string): Promise<any> {
    return this.eventually(async () => {
      const em = this.hub.running.hub.em()
      const met = await em.find('Identity', { inboxId: this.inboxId })
      const identity = met.find(({ externalId, sealedId }: { externalId: string; sealedId: string }) => (sealedId || externalId).includes(from))
      const row = identity && (await em.findOne('Conversation', { identityId: identity.id }, { orderBy: { createdAt: 'desc' } }))
      return row && (await this.call('GET', `/api/conversations/${row.id}`)).body
    }, `the conversation of ${from}`)
  }

  async messages(conversationId: string): Promise<any[]> {
    const { items } = (await this.call('GET', `/api/conversations/${conversationId}/messages?limit=200`)).body
    return items.filter((message: { direction: string }) => message.direction !== 'system')
  }

  /** What a customer said, as it is stored. */
  async texts(from: string): Promise<string[]> {
    const { id } = await this.conversation(from)
    return (await this.messages(id))
      .filter((message) => message.direction === 'in')
      .flatMap((message) => message.parts.map((part: { text?: string; type: string }) => part.text ?? part.type))
  }

  inbound(): Promise<unknown[]> {
    return this.hub.running.hub.em().find('Message', { inboxId: this.inboxId, direction: 'in' })
  }

  async count(): Promise<number> {
    return (await this.inbound()).length
  }

  reply(conversationId: string, parts: unknown[]): Promise<Answer> {
    return this.call('POST', `/api/conversations/${conversationId}/messages`, { clientId: `conformance-${unique()}`, parts })
  }

  reached(from: string): string[] {
    return (this.hub.options.platform?.sent() ?? []).filter(({ to }) => to.includes(from)).map(({ text }) => text)
  }

  /** A message whose fate is settled. */
  fate(conversationId: string, messageId: string) {
    return this.until(conversationId, messageId, ({ status }) => status === 'sent' || status === 'failed' || status === 'uncertain')
  }

  until(conversationId: string, messageId: string, settled: (message: any) => boolean): Promise<any> {
    return this.eventually(async () => {
      await this.hasten()
      const message = (await this.messages(conversationId)).find(({ id }) => id === messageId)
      return message && settled(message) && message
    }, `the fate of ${messageId}`)
  }

  /** What waits for its time is due now. */
  async hasten(): Promise<void> {
    const now = new Date()
    const { retryOnConflict } = await import('../src/db/retry.ts')
    // The hub is taking the same rows.
    await retryOnConflict(() => this.hub.running.hub.em().nativeUpdate('Outbound', { state: 'queued', dueAt: { $gt: now } }, { dueAt: now }))
    await this.hub.running.sweep()
  }

  async abandon(conversationId: string): Promise<void> {
    await this.hub.running.hub.em().nativeUpdate('Outbound', { conversationId, state: 'sending' }, { dueAt: new Date(0) })
    const { deliverConversation } = await import('../src/pipeline/deliver.ts')
    await deliverConversation(this.hub.running.hub, conversationId)
  }

  async switch(enabled: boolean): Promise<void> {
    assert.equal((await this.call('POST', `/api/plugins/${this.hub.options.manifest.id}/switch`, { enabled })).status, 200)
  }

  /** Values that must never be read back. */
  async secrets(): Promise<string[]> {
    const settings = await this.hub.options.settings()
    return Object.entries(this.#schema.properties ?? {})
      .filter(([, property]) => property.format === 'secret')
      .map(([name]) => settings[name])
      .filter((value): value is string => typeof value === 'string' && value.length >= 6)
  }

  async #upload(name: string, type: string, bytes: Buffer): Promise<unknown> {
    const form = new FormData()
    form.set('file', new Blob([new Uint8Array(bytes)], { type }), name)
    const response = await fetch(new URL('/api/files', this.hub.running.url), { method: 'POST', headers: { cookie: this.hub.cookie }, body: form })
    assert.equal(response.status, 201, await response.clone().text())
    return response.json()
  }

  /** One part of each type that a person may compose. */
  async everyPart(): Promise<Record<string, unknown>> {
    const file = await this.#upload('报价单.pdf', 'application/pdf', Buffer.from('%PDF-1.4\n%报价\n'))
    return {
      text: { type: 'text', text: '您好' },
      image: await this.#upload('照片.png', 'image/png', picture),
      audio: await this.#upload('语音.wav', 'audio/wav', wave),
      video: await this.#upload('视频.mp4', 'video/mp4', film),
      file,
      link: { type: 'link', url: 'https://example.com/a', title: '说明', description: '一段说明' },
      card: { type: 'card', kind: 'conformance', title: '一张卡片', fields: [{ label: '价格', value: '88' }] },
      html: { type: 'html', html: '<p>您好</p>', text: '您好' },
    }
  }

  async eventually<T>(probe: () => Promise<T | undefined | false | null> | T | undefined | false | null, what: string): Promise<T> {
    const end = Date.now() + 20_000
    for (;;) {
      const value = await probe()
      if (value) return value
      if (Date.now() > end) throw new Error(`${what} did not happen within twenty seconds`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}
