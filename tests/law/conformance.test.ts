/** The suite every channel must pass, on the mock and on the bundled channel that customers read for themselves. */
import { createHmac } from 'node:crypto'
import { resolve } from 'node:path'
import { SendError } from '../../core/sdk/channel.ts'
import { channelConformance, type Failure, type Said } from '../../core/sdk/conformance.ts'
import { HubError } from '../../core/sdk/errors.ts'
import { textOf } from '../../core/sdk/message-parts.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import website from '../../plugins/website/plugin.ts'
import { gate } from '../support/gate.ts'
import { call } from '../support/world.ts'

const secret = 'mock-secret-of-the-suite'
const siteSecret = 'a-site-secret-of-the-suite-of-32-characters'
const sent: { to: string; text: string }[] = []
let failure: Failure | undefined
const { pass, hold } = gate()
const retryOf = { retry: true, never: false, unknown: 'unknown' } as const

/** A platform with all that the contract offers: types it does not know, echoes, a reply window, a connection test. */
const { manifest } = mockChannel(
  'mock',
  { send: ['text', 'image', 'file', 'link'], replyWindow: true },
  {
    receive(request, inbox) {
      if (request.headers['x-mock-secret'] !== inbox.settings.secret) throw new HubError('HUB_CHANNEL_UNVERIFIED', 'The signature is wrong')
      const { id, from, text, type } = JSON.parse(request.body.toString('utf8')) as { id: string; from: string; text: string; type?: string }
      if (typeof id !== 'string' || typeof from !== 'string') throw new HubError('HUB_REQUEST_INVALID', 'id and from are needed')
      const base = { externalId: id, from: { externalId: from } }
      const parts = type === 'hologram' ? [{ type: 'unsupported' as const, raw: { type, text } }] : [{ type: 'text' as const, text }]
      if (type === 'echo') return { events: [{ kind: 'echo', ...base, parts }], reply: { body: 'success' } }
      return { events: [{ kind: 'message', ...base, parts, grant: { name: 'message', count: 5, ms: 3_600_000 } }], reply: { body: 'success' } }
    },
    async send(message) {
      if (failure) throw new SendError('mock-failure', { retry: retryOf[failure], retryAfterMs: 1 })
      sent.push({ to: message.to, text: textOf(message.parts) })
      await pass()
      return { externalId: `p-${message.id}` }
    },
    async probe({ settings }) {
      const ok = settings.secret === secret
      return [{ label: { zh: '密钥', en: 'Secret' }, ok, ...(ok ? {} : { detail: { zh: '密钥不对', en: 'The secret is wrong' } }) }]
    },
  },
)

const request = (said: Said, type?: string, key = secret) => ({
  headers: { 'x-mock-secret': key },
  body: JSON.stringify({ ...said, ...(type ? { type } : {}) }),
})

await channelConformance({
  manifest,
  settings: () => ({ secret }),
  brokenSettings: { secret: 'another' },
  webhook: {
    text: (said) => request(said),
    forged: (said) => request(said, undefined, 'guessed'),
    signed: (body) => ({ headers: { 'x-mock-secret': secret }, body }),
    unknown: (said) => request(said, 'hologram'),
    echo: (said) => request(said, 'echo'),
  },
  platform: {
    sent: () => sent,
    fail(how) {
      failure = how
    },
    hold,
  },
})

/** Signs as a site's backend does for who is logged in there (HS256). */
function identityOf(user: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: user, exp: Math.floor(Date.now() / 1_000) + 300 })}`
  return `${body}.${createHmac('sha256', siteSecret).update(body).digest('base64url')}`
}

/** A browser opens its session once, and an address may open sixty a minute. */
const sessions = new Map<string, Promise<string>>()
function sessionOf(url: string, inboxId: string, from: string): Promise<string> {
  const open = async () => {
    const { status, body } = await call(url, 'POST', `/api/x/website/inboxes/${inboxId}/session`, { identity: identityOf(from) })
    if (status !== 200) throw new Error(`no session: ${status} ${JSON.stringify(body)}`)
    return body.token as string
  }
  const key = `${url} ${inboxId} ${from}`
  const session = sessions.get(key) ?? open()
  sessions.set(key, session)
  return session
}

await channelConformance({
  manifest: website,
  dir: resolve(import.meta.dirname, '../../plugins/website'),
  settings: () => ({ identitySecret: siteSecret }),
  async write({ url, inboxId }, { id, from, text }) {
    const authorization = `Bearer ${await sessionOf(url, inboxId, from)}`
    const answer = await call(url, 'POST', '/api/x/website/messages', { clientId: id, parts: [{ type: 'text', text }] }, { authorization })
    if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
  },
})
