/** The API’s page: every operation stands under its noun, says what it does and who may use it. Needs the bundled plugins. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newId } from '../../core/src/db/types.ts'
import { bundled } from '../support/bundled.ts'
import { call, onEveryProfile } from '../support/world.ts'

interface Shape {
  properties?: Record<string, Shape>
  patternProperties?: Record<string, Shape>
  additionalProperties?: unknown
  items?: Shape
  required?: string[]
  anyOf?: Shape[]
  allOf?: Shape[]
}

interface Operation {
  requestBody?: { content: Record<string, { schema: Shape }> }
  parameters?: { in: string; required?: boolean }[]
  tags?: string[]
  summary?: string
  description?: string
}

/** Opened by the redirect of somebody else's server. */
const called = new Set(['/api/x/email/oauth/callback'])

/** Where a schema would take a name that it does not say. A combination of schemas cannot be closed, and is not used. */
function openIn(shape: Shape | undefined, at = 'body'): string[] {
  if (!shape) return []
  return [
    ...(shape.properties && shape.additionalProperties !== false && !shape.patternProperties ? [at] : []),
    ...(shape.allOf ? [at] : []),
    ...Object.entries({ ...shape.properties, ...shape.patternProperties }).flatMap(([name, one]) => openIn(one, `${at}/${name}`)),
    ...openIn(shape.items, `${at}/*`),
    ...(shape.anyOf ?? []).flatMap((one) => openIn(one, at)),
  ]
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

  test('what a route does not name in its body or its query is refused', async () => {
    const owner = await world().person('老板', 'owner')
    const id = newId()
    let tried = 0
    for (const { at, path, operation } of await read()) {
      const [method = '', url] = [
        at.split(' ')[0]?.toUpperCase(),
        path
          .replaceAll('{token}', 'x'.repeat(43))
          .replaceAll('{part}', '0')
          .replace(/\{\w+\}/g, id),
      ]
      const body = operation.requestBody?.content['application/json']?.schema
      const inQuery = operation.parameters?.filter((parameter) => parameter.in === 'query') ?? []
      assert.deepEqual(openIn(body), [], at)
      // Above what it takes; those that someone else's server calls with more than they know are open, and say so.
      if (body?.properties) {
        const answer = await owner.call(method, url, { unheardOf: 1 })
        assert.deepEqual([answer.status, answer.body.code], [400, 'HUB_REQUEST_INVALID'], at)
        if (!body.required)
          assert.deepEqual(answer.body.details.faults, [{ path: 'body/unheardOf', rule: 'unknownField', message: 'must NOT have additional properties' }], at)
        tried++
      }
      if (inQuery.length > 0 && !called.has(path)) {
        const answer = await owner.call(method, `${url}?unheardOf=1`, body && {})
        assert.deepEqual([answer.status, answer.body.code], [400, 'HUB_REQUEST_INVALID'], at)
        if (!body && inQuery.every(({ required }) => !required)) assert.equal(answer.body.details.faults[0].rule, 'unknownField', at)
        tried++
      }
    }
    assert.ok(tried > 80, `${tried} tried`)
  })

  test('the page is the hub’s', async () => {
    const page = await call(world().url, 'GET', '/api/docs/')
    assert.match(page.body, /<title>Huike API<\/title>/)
  })
})
