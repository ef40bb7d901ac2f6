/** What an app is told survives the end of every process, between the commit and the delivery and in the middle of one. Needs the bundled plugins. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../chaos/tools.ts'
import { AppBackend } from '../support/app-backend.ts'
import { HubProcess } from '../support/hub-process.ts'
import { makePlace, profiles } from '../support/profiles.ts'

const owner = { name: '周敏', email: 'zhou.min@shanye.cn', password: 'mountain-tea-2026' }

for (const profile of await profiles())
  test(`told once and in order, whatever was killed [${profile}]`, { timeout: 600_000 }, async (t) => {
    const place = await makePlace(profile)
    t.after(() => place.remove())
    const hub = await HubProcess.make(place, [])
    t.after(() => hub.end())
    await hub.start()
    const backend = await new AppBackend().start()
    t.after(() => backend.stop())

    let cookie = ''
    const call = async (method: string, path: string, body?: object) => {
      const response = await fetch(`${hub.url}${path}`, {
        method,
        headers: { cookie, ...(body ? { 'content-type': 'application/json' } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
      cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie
      assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`)
      return response.json() as Promise<any>
    }
    await call('POST', '/api/setup', owner)
    await call('PUT', '/api/plugins/app/settings', { allowPrivateAddresses: true })
    let inbox = { id: '' }
    // The other web may hear of the setting a moment later.
    await until('the setting in both webs', 30_000, async () => {
      inbox = await call('POST', '/api/inboxes', { channel: 'app', name: 'App', settings: { endpointUrl: backend.url, secret: backend.secret } })
      return true
    })
    const client = backend.connect(`${hub.url}/api/channels/app/${inbox.id}`)
    await backend.stop()
    await backend.start(backend.port)
    const { messageId } = await client.tell('message.created', backend.message('u-1', [{ type: 'text', text: '在吗' }]))
    assert.ok(messageId)
    /** The one that runs. */
    const running = async (): Promise<string> => {
      for (const group of ['open', 'queue']) for (const { id } of (await call('GET', `/api/conversations?group=${group}`)).items) return id
      throw new Error('No conversation runs')
    }
    const conversationId = await running()
    const write = (text: string) =>
      call('POST', `/api/conversations/${conversationId}/messages`, { clientId: crypto.randomUUID(), parts: [{ type: 'text', text }] })
    const types = () => backend.told.map(({ type }) => type)
    const kill = async () => {
      await hub.stop('SIGKILL')
      await hub.start()
    }

    const isSent = async (id: string, text: string) => {
      const { items } = await call('GET', `/api/conversations/${id}/messages`)
      return items.some(({ parts, status }: { parts: { text?: string }[]; status: string }) => parts[0]?.text === text && status === 'sent')
    }
    const first = await write('您好')
    await until('the first message', 60_000, () => isSent(conversationId, '您好'))
    // Taken back and closed while nobody answers: committed, not told; then every process ends.
    const comeBack = await backend.goDown()
    await call('POST', `/api/messages/${first.id}/recall`, {})
    await write('稍等')
    await call('POST', `/api/conversations/${conversationId}/close`, {})
    await hub.stop('SIGKILL')
    await comeBack()
    await hub.start()
    // Where the machine was slow they were tried twice in vain, and the third time is five minutes later.
    await until('what was owed', 360_000, async () => types().includes('conversation.closed') && backend.got.size === 2)
    assert.deepEqual(
      types().filter((type) => type !== 'conversation.assigned' && type !== 'message.read'),
      ['message.created', 'message.recalled', 'message.created', 'conversation.closed'],
    )

    // Taken, and the hub ends before it hears so: the same comes again and is known.
    await client.tell('message.created', backend.message('u-1', [{ type: 'text', text: '还在吗' }]))
    const again = await running()
    const release = backend.hold()
    await call('POST', `/api/conversations/${again}/messages`, { clientId: crypto.randomUUID(), parts: [{ type: 'text', text: '在的' }] })
    await until('it to be taken', 60_000, async () => backend.held === 1)
    await kill()
    release()
    await until('its fate', 200_000, () => isSent(again, '在的'))
    assert.equal(backend.got.size, 3)
    // Nothing is missing, nothing came behind what followed it.
    assert.deepEqual([...new Set(backend.told.map(({ order }) => order))], ['next'])
  })
