/** The core never knows a plugin's name: bundled plugins live by the contract, not by a mention in the core. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'

const root = resolve(import.meta.dirname, '../..')
const folder = join(root, 'plugins')
const names = (existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []).filter((entry) => entry.isDirectory()).map((entry) => entry.name)

/**
 * Words that are also plain words of the domain: as a name they would stand in a string of their own. A WeChat id is a
 * personal field of a contact as a mail address is, whether there is such a channel or not.
 */
const plain = new Set(['email', 'export', 'audit', 'extraction', 'app', 'wechat'])

/** A browser tells its own name; that it is a plugin's too is no knowledge of the plugin. */
const browser = /\[\/MicroMessenger\/i, '\w+'\]/

/** Brands that everybody writes, so that none is taken for somebody's account. */
const brands = / google douyin taobao /

const code = (source: string): string => source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')

/** Where `name` stands in code as an identifier, a part of one, or a string. */
function mentions(source: string, name: string): string[] {
  const pattern = plain.has(name)
    ? new RegExp(`plugins?/${name}|(?:plugin|channel|manifest\\.id|get|isRunning)\\W{1,8}['"\`]${name}['"\`]`, 'i')
    : new RegExp(name, 'i')
  return code(source)
    .split('\n')
    .filter((line) => pattern.test(line.replace(browser, '').replace(brands, '')))
}

const sources = globSync(['core/src/**/*.{ts,vue}', 'core/sdk/**/*.{ts,vue}', 'core/bin/**/*', 'migrations/**/*.ts'], {
  cwd: root,
  // A simulator is of a platform, which has its name from elsewhere; it knows no plugin, and nothing of the core runs it.
  exclude: (path) => path.includes('.test.') || path.startsWith('core/sdk/simulators'),
}).map((path) => ({ path, source: /\.\w+$/.test(path) ? readFileSync(join(root, path), 'utf8') : '' }))

test('there is something to look at', () => {
  assert.ok(sources.length > 50, `${sources.length} files`)
})

for (const name of names)
  test(`${name} is not named in the core`, () => {
    assert.deepEqual(
      sources.flatMap(({ path, source }) => mentions(source, name).map((line) => `${path}: ${line.trim()}`)),
      [],
    )
  })

test('the simulators are the sdk’s testing entry’s alone', () => {
  const imports = sources.filter(({ source }) => /['"][^'"]*simulators\//.test(code(source))).map(({ path }) => path)
  assert.deepEqual(imports, ['core/sdk/testing.ts'])
})

test('nothing in the core imports from plugins/', () => {
  const imports = sources.flatMap(({ path, source }) =>
    [...code(source).matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]*plugins\/[^'"]*)['"]/g)].map((match) => `${path}: ${match[1]}`),
  )
  assert.deepEqual(imports, [])
})

test('a mention would be seen, a comment would not', () => {
  assert.deepEqual(mentions("if (channel === 'website') open()", 'website').length, 1)
  assert.deepEqual(mentions('const websiteInbox = 1', 'website').length, 1)
  assert.deepEqual(mentions("hub.kernel.get('email')", 'email').length, 1)
  assert.deepEqual(mentions('// as on a website\n/** a website */ const email = 1', 'website'), [])
  assert.deepEqual(mentions("p.string().length(190) // email\nconst fields = ['name', 'phone', 'email']", 'email'), [])
})
