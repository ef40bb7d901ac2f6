/** The log: lines that a machine reads, with the request's id, and nothing of what people are called, wrote or signed in with. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SendError } from '../../core/sdk/channel.ts'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { startHub } from '../../core/src/app.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { createLog, loggedError } from '../../core/src/log.ts'
import { everyColumn } from '../support/every-table.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { call, envFor, eventually, found, World } from '../support/world.ts'

const personal = {
  name: '欧阳晓岚',
  phone: '13912345678',
  email: 'ouyang.xiaolan@shanye.cn',
  wechat: 'ouyang_lan88',
  address: '竹叶青路十二号',
  password: 'quiet-river-1987',
  said: '我的快递到了竹叶青路十二号没有',
}
const said = `${personal.said}，电话 ${personal.phone}，微信 ${personal.wechat}，${personal.email}`

/** A plugin that breaks in the ways that plugins do, each with somebody's words in its error. */
const clumsy = definePlugin({
  id: 'clumsy',
  label: { zh: '笨拙', en: 'Clumsy' },
  version: '1.0.0',
  on: {
    'message.received': async ({ data }) => {
      throw new Error(`cannot deal with "${JSON.stringify(data)}"`)
    },
  },
  routes: async (app) => {
    app.get('/parse', { config: { access: 'public' } }, async () => JSON.parse(`{"said": ${said}`))
    app.get('/quote', { config: { access: 'public' } }, async () => {
      throw new Error(`550 5.1.1 <${personal.email}>: ${personal.name} (${personal.phone}) is unknown here`)
    })
    app.get('/rest', { config: { access: 'public' } }, async () => {
      throw new Error('nothing was found', { cause: new Error(`looked for ${personal.email}`) })
    })
  },
})

for (const profile of await profiles())
  test(`what is logged [${profile}]`, async (t) => {
    const lines: string[] = []
    const { manifest, platform } = mockChannel()
    const place = await makePlace(profile)
    t.after(() => place.remove())
    const log = createLog({ logLevel: 'debug' }, { write: (line) => void lines.push(line) })
    const world = new World(place, await startHub(envFor(place), { log, plugins: [found(manifest), found(clumsy)] }))
    t.after(() => world.running.stop())
    const entries = () => lines.map((line) => JSON.parse(line) as Record<string, any>)

    const owner = await world.person(personal.name, 'owner', { email: personal.email })
    await call(world.url, 'POST', '/api/login', { email: personal.email, password: personal.password })
    await call(world.url, 'POST', '/api/login', { email: personal.email, password: { nested: personal.password } })
    const [accepted] = await world.say(await world.inbox('mock'), personal.wechat, said)
    const conversation = `/api/conversations/${accepted?.conversationId}`
    platform.fail = () => new SendError('refused', { retry: false, fault: { zh: `${personal.phone} 不收`, en: `${personal.phone} takes nothing` } })
    await world.reply(owner, accepted?.conversationId, said)
    platform.fail = () => {
      throw new Error(`what was said: ${said}`)
    }
    await world.reply(owner, accepted?.conversationId, said)
    await eventually(() => entries().some(({ msg }) => msg === 'an adapter failed'), 'the failed send')
    const contactId = (await owner.call('GET', conversation)).body.contact.id as string
    assert.ok(contactId)
    await owner.call('PATCH', `/api/contacts/${contactId}`, { name: personal.name, phone: personal.phone, wechat: personal.wechat, remark: personal.said })
    await owner.call('PATCH', `/api/contacts/${contactId}`, { phone: said.repeat(50) })
    await owner.call('GET', `/api/contacts?q=${encodeURIComponent(personal.phone)}`)
    await owner.call('GET', `/api/nowhere/${encodeURIComponent(personal.email)}`)
    await world.reply(owner, accepted?.conversationId, said, { clientId: said })

    // Requests that fail inside, and what the answer and the line have in common.
    for (const path of ['parse', 'quote', 'rest']) {
      const { status, body } = await call(world.url, 'GET', `/api/x/clumsy/${path}`)
      assert.deepEqual([status, body.code], [500, 'HUB_INTERNAL'])
      const line = entries().find(({ reqId, msg }) => reqId === body.requestId && msg === 'request failed')
      assert.ok(line?.err.stack?.includes('logs.test.ts'), `${path}: the line says where`)
    }
    assert.equal(entries().find(({ err }) => err?.cause)?.err.message, 'nothing was found')

    // A database quotes the values of the statement that failed.
    const em = world.hub.em()
    const twice = await em.insert(Agent, { ...owner.agent, id: `${owner.id.slice(0, -1)}x` }).catch((error: unknown) => error)
    const long = await em.nativeUpdate(Contact, { id: contactId }, { nickname: said.repeat(5) }).catch((error: unknown) => error)
    for (const error of profile === 'served' ? [twice, long] : [twice]) {
      assert.ok(error instanceof Error)
      world.hub.log.error({ err: error }, 'a statement failed')
    }
    assert.match(entries().find(({ msg }) => msg === 'a statement failed')?.err.type, /Exception/)

    const words = [...Object.values(personal), said, personal.name.slice(2), '没有', owner.cookie.split('=')[1] as string]
    for (const line of lines) for (const word of words) assert.ok(!line.includes(word), `${word} stands in ${line}`)
    // What failed is kept with its fault until it is tried again.
    const faults = async () =>
      [...(await everyColumn(world.hub.em(), profile === 'served'))].filter(([place, text]) => place.endsWith('.error') && text.trim() !== '')
    const kept = await eventually(async () => ((await faults()).length > 0 ? faults() : undefined), 'the fault of the listener')
    for (const [place, text] of kept) for (const word of words) assert.ok(!text.includes(word), `${word} stands in ${place}`)
    for (const { level, time, msg } of entries()) assert.ok(Number.isInteger(level) && Number.isInteger(time) && typeof msg === 'string')
  })

test('of an error only what cannot hold personal data is kept', () => {
  assert.deepEqual(loggedError('13912345678'), { type: 'string' })
  const { stack, ...rest } = loggedError(Object.assign(new TypeError('no such thing: "欧阳"'), { code: 'ERR_X', status: 404, sqlState: 'x', value: '欧阳' }))
  assert.deepEqual(rest, { type: 'TypeError', code: 'ERR_X', status: 404, message: 'no such thing: …' })
  assert.ok(stack?.startsWith('    at '))
  assert.equal(loggedError(Object.assign(new Error('Duplicate entry a@b.cn'), { sql: 'insert into agent' })).message, undefined)
})
