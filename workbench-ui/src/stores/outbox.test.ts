import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import type { Message } from '../../../core/sdk/wire/conversation.ts'
import { ApiError } from '../../../core/ui-kit/api.ts'
import { createOutbox } from './outbox.ts'

const kept = new Map<string, string>()
Object.defineProperty(globalThis, 'sessionStorage', {
  value: { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) },
})
/** What was posted, and what the hub says to it. */
const posted: { clientId: string; parts: { text: string }[] }[] = []
let answer: () => Promise<Response>
globalThis.fetch = (_path, options) => {
  posted.push(JSON.parse(String(options?.body)))
  return answer()
}
const says = (status: number, body: object) => async () => new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

beforeEach(() => {
  kept.clear()
  posted.length = 0
})

/** A tab of one agent, as it is after it was loaded. */
function openTab() {
  const stored: Message[] = []
  const outbox = createOutbox((message) => stored.push(message))
  return { outbox, stored, close: outbox.keep('me') }
}

test('what the hub refused stays where it is over a reload, with its reason, until the agent sends it again', async () => {
  answer = says(409, { code: 'HUB_REPLY_WINDOW', message: 'The window is closed', details: { hours: 48 } })
  const before = openTab()
  before.outbox.send('c1', [{ type: 'text', text: '旧话' }])
  await until(() => before.outbox.pending.get('c1')?.[0]?.state === 'failed')
  before.close()

  answer = says(201, { id: 'm', conversationId: 'c1', seq: 1 })
  const after = openTab()
  assert.equal(posted.length, 1)
  const [refused] = after.outbox.pending.get('c1') ?? []
  assert.ok(refused?.error instanceof ApiError)
  assert.deepEqual([refused.state, refused.error.code, refused.error.status, refused.error.details], ['failed', 'HUB_REPLY_WINDOW', 409, { hours: 48 }])

  await after.outbox.transmit(refused)
  assert.deepEqual([posted.length, posted[1]?.clientId, after.stored.length], [2, posted[0]?.clientId, 1])
  after.close()
  assert.equal(openTab().outbox.pending.get('c1'), undefined)
})

test('what did not reach the hub goes out by itself after a reload, under its own id', async () => {
  answer = () => Promise.reject(new Error('no line'))
  const before = openTab()
  before.outbox.send('c1', [{ type: 'text', text: '在吗' }])
  await until(() => before.outbox.pending.get('c1')?.[0]?.state === 'waiting')
  before.close()

  answer = says(201, { id: 'm', conversationId: 'c1', seq: 1 })
  const after = openTab()
  await until(() => after.stored.length > 0)
  assert.deepEqual([posted.length, posted[1]?.clientId, after.stored.length], [2, posted[0]?.clientId, 1])
})
