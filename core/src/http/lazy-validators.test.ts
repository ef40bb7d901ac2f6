import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import { lazyValidators } from './lazy-validators.ts'

const schema = { querystring: { type: 'object', properties: { limit: { type: 'integer', maximum: 3 } }, required: ['limit'] } }
const broken = { querystring: { type: 'object', properties: { limit: { type: 'figure' } } } }

function server(lazy: boolean) {
  const app = Fastify({
    ajv: { customOptions: { coerceTypes: true, removeAdditional: false } },
    ...(lazy ? { schemaController: { compilersFactory: { buildValidator: lazyValidators } } } : {}),
  })
  app.get('/', { schema }, async ({ query }) => query)
  return app
}

test('answers as Fastify’s own, every time', async () => {
  const own = server(false)
  const lazy = server(true)
  for (const url of ['/', '/?limit=2', '/?limit=4', '/?limit=many', '/?limit=3', '/']) {
    const [expected, got] = await Promise.all([own.inject(url), lazy.inject(url)])
    assert.deepEqual([got.statusCode, got.json()], [expected.statusCode, expected.json()])
  }
})

test('a schema that is none fails its route alone', async () => {
  const app = server(true)
  app.get('/broken', { schema: broken }, async () => 'never')
  assert.equal((await app.inject('/?limit=1')).statusCode, 200)
  assert.equal((await app.inject('/broken?limit=1')).statusCode, 500)
  assert.equal((await app.inject('/?limit=1')).statusCode, 200)
  await assert.rejects(async () => {
    const eager = server(false)
    eager.get('/broken', { schema: broken }, async () => 'never')
    await eager.ready()
  })
})
