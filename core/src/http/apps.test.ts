import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fastify from 'fastify'
import { appRoutes } from './apps.ts'
import type { App } from './server.ts'

const root = mkdtempSync(join(tmpdir(), 'huike-apps-'))
after(() => rmSync(root, { recursive: true, force: true }))

test('an app that is built while the hub runs is served as it is then', async (t) => {
  for (const app of ['workbench', 'admin']) for (const part of ['assets', 'shared']) mkdirSync(join(root, `${app}-ui/dist`, part), { recursive: true })
  const app = fastify()
  t.after(() => app.close())
  await appRoutes(app as unknown as App, { em: () => assert.fail('nobody asks for the first page') }, root)
  const page = async () => (await app.inject('/workbench/conversations')).body
  assert.match(await page(), /The workbench has not been built/)
  for (const build of ['one', 'two']) {
    writeFileSync(join(root, 'workbench-ui/dist/index.html'), `<script src="/workbench/assets/${build}.js"></script>`)
    writeFileSync(join(root, `workbench-ui/dist/assets/${build}.js`), build)
    assert.match(await page(), new RegExp(`${build}.js`))
    assert.equal((await app.inject(`/workbench/assets/${build}.js`)).body, build)
  }
})
