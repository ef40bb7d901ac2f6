/** `routes`, `assets`: a scope of one's own under /api/x/<id>; 404 while off, back when on, no restart. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { HubError } from '../../core/sdk/errors.ts'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { call, found, onEveryProfile } from '../support/world.ts'

const desk = (id: string) =>
  definePlugin({
    id,
    version: '1.0.0',
    label: { zh: '问询台', en: 'Desk' },
    routes(app, ctx) {
      // Stays in this plugin's scope: the other one's answers must not carry it.
      app.addHook('onSend', async (_request, reply) => void reply.header('x-desk', ctx.id))
      const Echo = Type.Object({ text: Type.String({ maxLength: 10 }) })
      app.post('/echo', { config: { access: 'public' }, schema: { body: Echo } }, async (request) => ({ from: ctx.id, ...(request.body as object) }))
      app.get('/refuse', { config: { access: 'public' } }, () => {
        throw new HubError('DESK_EMPTY', 'Nobody is at the desk', { desk: ctx.id }, { status: 410, reader: 'user', retry: false })
      })
      app.get('/crash', { config: { access: 'public' } }, () => {
        throw new Error('secret detail: /etc/passwd')
      })
    },
    assets: [{ path: `/${id}.txt`, file: 'with-routes.test.ts', type: 'text/plain; charset=utf-8', embeddable: true }],
  })

await onEveryProfile(
  'routes',
  ['front', 'back'].map((id) => found(desk(id), import.meta.dirname)),
  (world) => {
    const echo = (id: string, text = '有人吗') => call(world().url, 'POST', `/api/x/${id}/echo`, { text })

    test('each plugin answers under its own address, in its own scope', async () => {
      const answers = await Promise.all([echo('front'), echo('back')])
      assert.deepEqual(
        answers.map(({ body, headers }) => [body.from, headers.get('x-desk')]),
        [
          ['front', 'front'],
          ['back', 'back'],
        ],
      )
      assert.equal((await call(world().url, 'GET', '/healthz')).headers.get('x-desk'), null)
    })

    test('its schema is held like the core’s', async () => {
      const { status, body } = await echo('front', '这句话比十个字长得多了吧')
      assert.deepEqual([status, body.code], [400, 'HUB_REQUEST_INVALID'])
    })

    test('a HubError of its own goes on the wire; another error shows nothing of the inside', async () => {
      const refused = await call(world().url, 'GET', '/api/x/front/refuse')
      assert.deepEqual([refused.status, refused.body.code, refused.body.details], [410, 'DESK_EMPTY', { desk: 'front' }])
      const crashed = await call(world().url, 'GET', '/api/x/front/crash')
      assert.deepEqual([crashed.status, crashed.body.code], [500, 'HUB_INTERNAL'])
      assert.doesNotMatch(JSON.stringify(crashed.body), /secret detail/)
    })

    test('off: routes and assets are not there, others are; on: back, without a restart', async () => {
      const owner = await world().person('小魏', 'owner')
      const flip = async (enabled: boolean) => assert.equal((await owner.call('POST', '/api/plugins/front/switch', { enabled })).status, 200)
      const statuses = async () => [(await echo('front')).status, (await call(world().url, 'GET', '/front.txt')).status, (await echo('back')).status]
      assert.deepEqual(await statuses(), [200, 200, 200])
      await flip(false)
      assert.deepEqual(await statuses(), [404, 404, 200])
      assert.equal((await echo('front')).body.code, 'HUB_NOT_FOUND')
      await flip(true)
      assert.deepEqual(await statuses(), [200, 200, 200])
    })

    test('an asset is served as its type, to other people’s pages when it says so', async () => {
      const { headers, body } = await call(world().url, 'GET', '/back.txt')
      assert.equal(headers.get('content-type'), 'text/plain; charset=utf-8')
      assert.equal(headers.get('cross-origin-resource-policy'), 'cross-origin')
      assert.match(body, /an asset is served as its type/)
    })

    test('only who may manage plugins may switch them', async () => {
      const agent = await world().person('小陶')
      assert.equal((await agent.call('POST', '/api/plugins/front/switch', { enabled: false })).status, 403)
      assert.equal((await echo('front')).status, 200)
    })
  },
)
