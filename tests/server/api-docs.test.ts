/** The API’s page: every operation stands under its noun, says what it does and who may use it. Needs the bundled plugins. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bundled } from '../support/bundled.ts'
import { call, onEveryProfile } from '../support/world.ts'

interface Operation {
  tags?: string[]
  summary?: string
  description?: string
}

await onEveryProfile('the API’s page', bundled, (world) => {
  const read = async () => {
    const { paths } = (await call(world().url, 'GET', '/api/docs/json')).body as { paths: Record<string, Record<string, Operation>> }
    return Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ at: `${method} ${path}`, path, operation })),
    )
  }

  test('every operation has a tag, a summary and the access it needs', async () => {
    const operations = await read()
    assert.ok(operations.length > 200, `${operations.length} operations`)
    for (const { at, path, operation } of operations) {
      const [, , noun = '', plugin] = path.split('/')
      assert.deepEqual(operation.tags, [noun === 'x' ? `plugin: ${plugin}` : noun.replaceAll('-', ' ')], at)
      assert.match(operation.summary ?? '', /^[A-Z][a-z]+( \S.*[^.])?$/, at)
      assert.match(operation.description ?? '', /^\*\*Access:\*\* \S.*\.$/m, at)
    }
  })

  test('the access is the route’s own, and so is a summary that it has', async () => {
    const of = new Map((await read()).map(({ at, operation }) => [at, operation]))
    assert.match(of.get('post /api/login')?.description ?? '', /public/)
    assert.match(of.get('get /api/me/sessions')?.description ?? '', /not with an API token/)
    assert.match(of.get('post /api/roles')?.description ?? '', /`role\.manage`/)
    assert.match(of.get('get /api/conversations')?.description ?? '', /any agent who is signed in;/)
    assert.equal(of.get('post /api/login')?.summary, 'Sign in')
    assert.equal(of.get('post /api/tags')?.summary, 'Create a tag')
  })

  test('the page is the hub’s', async () => {
    const page = await call(world().url, 'GET', '/api/docs/')
    assert.match(page.body, /<title>Huike API<\/title>/)
  })
})
