/** `ui`: modules for the two apps, served from the plugin's folder; away while it is off, and nothing else of the folder ever. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { call, found, onEveryProfile, type Person } from '../support/world.ts'

const home = mkdtempSync(join(tmpdir(), 'huike-ui-'))
after(() => rmSync(home, { recursive: true, force: true }))
const files = {
  'panel/ui/workbench.js': "import './parts/piece.js'; export default {}",
  'panel/ui/parts/piece.js': 'export const piece = 1',
  'panel/ui/style.css': '.panel { color: red }',
  'panel/ui/notes.txt': 'not for browsers',
  'panel/server.js': 'const secret = "of the server"',
  'panel/ui-kept/old.js': 'const secret = "beside the folder"',
  'panelists/other.js': 'const secret = "of another plugin"',
  'outside.js': 'const secret = "of the machine"',
  'pages/dist/desk.mjs': 'export default { desk: true }',
  'pages/dist/office.mjs': 'export default { office: true }',
  'silent/ui/module.js': 'export default {}',
}
for (const [name, text] of Object.entries(files)) {
  mkdirSync(dirname(join(home, name)), { recursive: true })
  writeFileSync(join(home, name), text)
}
const plugin = (id: string, ui?: { workbench?: string; admin?: string }) =>
  found(definePlugin({ id, version: '1.0.0', label: { zh: '面板', en: 'Panel' }, ...(ui ? { ui } : {}) }), join(home, id))

await onEveryProfile(
  'ui',
  [plugin('panel', { workbench: 'ui/workbench.js' }), plugin('pages', { workbench: 'dist/desk.mjs', admin: 'dist/office.mjs' }), plugin('silent')],
  (world) => {
    const listed = async (person: Person) =>
      Object.fromEntries((await person.call('GET', '/api/me')).body.plugins.map(({ id, workbench, admin }: Record<string, string>) => [id, [workbench, admin]]))
    const at = (path: string) => `/api/plugins/${path}`
    /** The address as it is written: `fetch` and browsers would shorten it. */
    const asWritten = (person: Person, path: string) =>
      new Promise<number>((resolve, reject) => {
        const { hostname, port } = new URL(world().url)
        get({ hostname, port, path, headers: { cookie: person.cookie } }, (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        }).once('error', reject)
      })

    test('whoever is signed in is told of the modules, and gets them under the plugin’s own address', async () => {
      const agent = await world().person('小金', 'agent')
      assert.deepEqual(await listed(agent), {
        panel: [at('panel/ui/workbench.js'), null],
        pages: [at('pages/ui/workbench.js'), at('pages/ui/admin.js')],
        silent: [null, null],
      })
      for (const [path, file, type] of [
        ['panel/ui/workbench.js', 'panel/ui/workbench.js', 'text/javascript'],
        ['panel/ui/parts/piece.js', 'panel/ui/parts/piece.js', 'text/javascript'],
        ['panel/ui/style.css', 'panel/ui/style.css', 'text/css'],
        ['pages/ui/workbench.js', 'pages/dist/desk.mjs', 'text/javascript'],
        ['pages/ui/admin.js', 'pages/dist/office.mjs', 'text/javascript'],
      ] as const) {
        const { status, body, headers } = await call(world().url, 'GET', at(path), undefined, { cookie: agent.cookie })
        assert.deepEqual([path, status, body, headers.get('cache-control')], [path, 200, files[file], 'no-cache'])
        assert.match(headers.get('content-type') ?? '', new RegExp(`^${type}`))
      }
      assert.equal((await call(world().url, 'GET', at('panel/ui/workbench.js'))).status, 401)
      assert.equal((await call(world().url, 'GET', '/api/me')).status, 401)
    })

    test('what was not declared, is no module, or lies elsewhere is not there', async () => {
      const owner = await world().person('老金', 'owner')
      for (const path of [
        'panel/ui/admin.js',
        'panel/ui/notes.txt',
        'panel/ui/none.js',
        'silent/ui/workbench.js',
        'silent/ui/module.js',
        'nobody/ui/workbench.js',
      ])
        assert.equal((await owner.call('GET', at(path))).status, 404, path)
      for (const climb of [
        '../server.js',
        '../ui-kept/old.js',
        '../../outside.js',
        '../../panelists/other.js',
        'parts/../../server.js',
        `..${'/..'.repeat(9)}${home}/outside.js`,
      ])
        for (const path of [climb, climb.replaceAll('/', '%2f'), climb.replaceAll('..', '%2e%2e'), climb.replaceAll('/', '%5c')]) {
          const status = await asWritten(owner, at(`panel/ui/${path}`))
          assert.ok(status === 404 || status === 400, `${path}: ${status}`)
        }
    })

    test('off: neither listed nor served, the other one is; on: back, without a restart', async () => {
      const owner = await world().person('老金', 'owner')
      const flip = async (enabled: boolean) => assert.equal((await owner.call('POST', at('panel/switch'), { enabled })).status, 200)
      const there = async () => [
        'panel' in (await listed(owner)),
        (await owner.call('GET', at('panel/ui/workbench.js'))).status,
        (await owner.call('GET', at('panel/ui/style.css'))).status,
        (await owner.call('GET', at('pages/ui/workbench.js'))).status,
      ]
      assert.deepEqual(await there(), [true, 200, 200, 200])
      await flip(false)
      assert.deepEqual(await there(), [false, 404, 404, 200])
      await flip(true)
      assert.deepEqual(await there(), [true, 200, 200, 200])
    })
  },
)
