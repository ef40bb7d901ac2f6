/** The suite that every channel must pass, for the channels with a simulator or a client of ours. */
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { after } from 'node:test'
import { Type } from 'typebox'
import type { ChannelAdapter, ChannelInbox } from '../../core/sdk/channel.ts'
import { channelConformance, type Failure, type Said } from '../../core/sdk/conformance.ts'
import type { PluginManifest } from '../../core/sdk/plugin.ts'
import { DouyinServer } from '../../core/sdk/testing.ts'
import appPlugin from '../../plugins/app/plugin.ts'
import douyinPlugin from '../../plugins/douyin/plugin.ts'
import { Account } from '../../plugins/douyin/server/account.entity.ts'
import type { Ctx } from '../../plugins/douyin/server/context.ts'
import { takeCode } from '../../plugins/douyin/server/oauth.ts'
import { accountOf } from '../../plugins/douyin/server/tokens.ts'
import { gate } from '../support/gate.ts'

const folder = (id: string) => join(resolve(import.meta.dirname, '../..'), 'plugins', id)

// ── Douyin ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const douyin = await new DouyinServer().start()
douyin.echo = 'never'
const sha1 = (secret: string, body: Buffer | string) => createHash('sha1').update(secret).update(body).digest('hex')
const push = (event: string, from: string, to: string, content: object) =>
  JSON.stringify({ event, client_key: douyin.clientKey, from_user_id: from, to_user_id: to, content })
const pushed = (body: Buffer | string, secret = douyin.clientSecret, msgId = randomUUID() as string) => ({
  headers: { 'content-type': 'application/json', 'x-douyin-signature': sha1(secret, body), 'msg-id': msgId },
  body,
})
/** The simulator knows the customer's message, so that it can be answered. */
function received({ id, from, text }: Said, secret?: string) {
  if (!douyin.messages.some((message) => message.id === id)) douyin.note(from, 'in', { message_type: 'text', text }).id = id
  return pushed(
    push('im_receive_msg', from, operator, {
      conversation_short_id: douyin.conversationOf(from),
      server_message_id: id,
      create_time: Date.now(),
      message_type: 'text',
      text,
    }),
    secret,
  )
}

const operator = douyin.operator('_000operator').openId
/** The inbox of the suite that is at work has the account, as an admin would give it one. */
async function authorised(ctx: Ctx, inbox: ChannelInbox): Promise<void> {
  if (inbox.settings.clientSecret !== douyin.clientSecret || (await accountOf(ctx, inbox.id))) return
  await ctx.em().nativeDelete(Account, { openId: operator, inboxId: { $ne: inbox.id } })
  await takeCode(ctx, inbox, douyin.consent(operator))
}
const onSimulator = {
  ...douyinPlugin,
  settings: Type.Object({ apiUrl: Type.String({ default: douyin.url }) }),
  channel: (ctx: Ctx) => {
    const adapter = (douyinPlugin.channel as unknown as (ctx: Ctx) => Required<ChannelAdapter>)(ctx)
    return {
      ...adapter,
      async receive(request, inbox) {
        await authorised(ctx, inbox)
        return adapter.receive(request, inbox)
      },
      async probe(inbox) {
        await authorised(ctx, inbox)
        const trial = Buffer.from('{"event":"verify_webhook","client_key":"","content":{"challenge":1}}')
        const headers = { 'x-douyin-signature': sha1(douyin.clientSecret, trial) }
        if (inbox.settings.clientSecret === douyin.clientSecret)
          await adapter.receive({ method: 'POST', url: '/', query: {}, headers, body: trial, ip: '' }, inbox)
        return adapter.probe(inbox)
      },
    } satisfies ChannelAdapter
  },
} as unknown as PluginManifest

await channelConformance({
  manifest: onSimulator,
  dir: folder('douyin'),
  settings: () => ({ clientKey: douyin.clientKey, clientSecret: douyin.clientSecret }),
  brokenSettings: { clientKey: douyin.clientKey, clientSecret: 'another' },
  webhook: {
    text: (said) => received(said),
    forged: (said) => received(said, 'guessed'),
    signed: (body) => pushed(body),
    unknown: ({ id, from }) => pushed(push('im_receive_msg', from, operator, { server_message_id: id, message_type: 'hologram' })),
    echo: ({ id, from, text }) => pushed(push('im_send_msg', operator, from, { server_message_id: id, message_type: 'text', text, source: '' })),
  },
  platform: {
    sent: () =>
      douyin.messages.filter(({ direction }) => direction === 'out').map(({ customer, content }) => ({ to: customer, text: String(content.text ?? '') })),
    fail(how) {
      const fault = { retry: { status: 503 }, never: { code: 28001038 }, unknown: { cut: true } }
      douyin.faults = how ? [{ path: '/im/send', times: 1e9, ...fault[how] }] : []
    },
    hold() {
      const { promise, resolve: release } = Promise.withResolvers<void>()
      douyin.held = promise
      return () => {
        douyin.held = undefined
        release()
      }
    },
  },
})

// ── App ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

const secret = `whsec_${randomBytes(32).toString('base64')}`
let failure: Failure | undefined
const { pass, hold } = gate()
/** What a client knows, by `webhook-id`: it takes a repeat for what it is. */
const taken = new Map<string, { to: string; text: string }>()
const client = createServer(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { type, data } = JSON.parse(Buffer.concat(chunks).toString())
  if (type === 'message.created' && failure === 'unknown') return void response.destroy()
  if (type === 'message.created' && failure) return void response.writeHead(failure === 'never' ? 422 : 503).end()
  const id = String(request.headers['webhook-id'])
  const repeat = taken.has(id)
  if (type === 'message.created')
    taken.set(id, { to: data.recipient.externalId, text: data.content.map((part: { text?: string }) => part.text ?? '').join('') })
  // What it knows it answers at once.
  if (!repeat) await pass()
  response.end('{}')
})
await new Promise<void>((done) => client.listen(0, '127.0.0.1', done))
const signed = (body: Buffer | string, key = secret) => {
  const [id, timestamp] = [randomUUID(), String(Math.floor(Date.now() / 1_000))]
  const signature = createHmac('sha256', Buffer.from(key.slice(6), 'base64'))
    .update(`${id}.${timestamp}.`)
    .update(body)
    .digest('base64')
  return { headers: { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }, body }
}
const created = ({ id, from, text }: Said, more: object = {}) =>
  JSON.stringify({ type: 'message.created', data: { externalMessageId: id, sender: { externalId: from }, content: [{ type: 'text', text }], ...more } })

await channelConformance({
  manifest: { ...appPlugin, settings: Type.Object({ allowPrivateAddresses: Type.Boolean({ default: true }) }) } as unknown as PluginManifest,
  dir: folder('app'),
  settings: () => ({ endpointUrl: `http://127.0.0.1:${(client.address() as AddressInfo).port}/`, secret }),
  brokenSettings: { endpointUrl: 'http://127.0.0.1:1/', secret },
  webhook: {
    text: (said) => signed(created(said)),
    forged: (said) => signed(created(said), `whsec_${randomBytes(32).toString('base64')}`),
    signed: (body) => signed(body),
    unknown: (said) => signed(created(said, { content: [{ type: 'event', name: 'hologram' }] })),
    echo: (said) => signed(created(said, { sender: { externalId: 'bot', role: 'bot' }, recipient: { externalId: said.from } })),
  },
  platform: {
    sent: () => [...taken.values()],
    fail(how) {
      failure = how
    },
    hold,
  },
})

after(async () => {
  await douyin.stop()
  client.closeAllConnections()
  client.close()
})
