/** Documentation that cannot drift: tables are held to the code, sentences to the codes, commands to the scripts. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { en as adminEn } from '../../admin-ui/src/locales/en.ts'
import { zh as adminZh } from '../../admin-ui/src/locales/zh.ts'
import { errorKinds } from '../../core/sdk/errors.ts'
import { corePermissions } from '../../core/src/access/permissions.ts'
import { envFields } from '../../core/src/config/env.ts'
import { faultKinds } from '../../core/src/storage/storage-fault.ts'
import { en as kitEn } from '../../core/ui-kit/locales/en.ts'
import { zh as kitZh } from '../../core/ui-kit/locales/zh.ts'
import { en as workbenchEn } from '../../workbench-ui/src/locales/en.ts'
import { zh as workbenchZh } from '../../workbench-ui/src/locales/zh.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
/** The cells of each line of a table. */
const rows = (path: string) =>
  read(path)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .slice(2, -2)
        .split(' | ')
        .map((cell) => cell.replace(/^`|`$/g, '')),
    )

test('errors.md tells every code, its status, reader and retry, and no other', () => {
  const documented = rows('core/docs/errors.md').map(([code, status, reader, retry]) => [code, Number(status), reader, retry === 'yes'])
  assert.deepEqual(
    documented,
    Object.entries(errorKinds).map(([code, kind]) => [code, kind.status, kind.reader, kind.retry]),
  )
})

/** What stands in the server's code, tests left out. */
function* sources(...folders: string[]): Generator<string> {
  for (const folder of folders)
    for (const file of globSync(`${folder}/**/*.ts`, { cwd: root, exclude: (name) => name === 'node_modules' || name === 'dist' }))
      if (!file.endsWith('.test.ts')) yield read(file)
}

// A channel's own code is a plugin's to throw.
test('every code is thrown somewhere', { skip: !existsSync(join(root, 'plugins')) }, () => {
  const code = [...sources('core/src', 'plugins')].join('\n')
  assert.deepEqual(
    Object.keys(errorKinds).filter((name) => !new RegExp(`(?:HubError\\(\\s*|super\\()'${name}'`).test(code)),
    [],
  )
})

test('every event that a plugin can listen to is told somewhere', () => {
  const [, declared = ''] = read('core/sdk/events.ts').match(/export interface HubEvents \{\n([\s\S]*?)\n\}/) ?? []
  const names = [...declared.matchAll(/^ {2}'([\w.]+)':/gm)].map(([, name]) => name as string)
  assert.ok(names.length > 40)
  const code = [...sources('core/src')].join('\n')
  assert.deepEqual(
    names.filter((name) => !new RegExp(`(?:name: |event\\(|\\? |: )'${name.replace('.', '\\.')}'`).test(code)),
    [],
  )
})

test('every error has a sentence in both languages', () => {
  for (const code of Object.keys(errorKinds)) for (const words of [kitZh.errors, kitEn.errors] as Record<string, string>[]) assert.ok(words[code], code)
})

test('every fault of the storage has its words in the admin, in both languages', () => {
  for (const words of [adminZh, adminEn]) assert.deepEqual(Object.keys(words.system.storage), ['s3', 'local', ...faultKinds])
})

test('env.md tells every variable, its default and meaning, and no other', () => {
  assert.deepEqual(
    rows('core/docs/env.md'),
    envFields.map(({ name, default: value, doc }) => [name, value === '' ? '—' : value, doc]),
  )
})

test('the guide for plugins lists every slot of the interfaces, in their order', { skip: !existsSync(join(root, 'plugins')) }, () => {
  const [, declared = ''] = /export type SlotName =\n([\s\S]*?)\n\n/.exec(read('core/sdk/ui.ts')) ?? []
  const [, listed = ''] = /\nSlots: ([\s\S]*?)\.\n/.exec(read('plugins/README.md')) ?? []
  const slots = [...declared.matchAll(/^ {2}\| '([^']+)'/gm)].map(([, name]) => name)
  assert.ok(slots.length >= 9)
  assert.deepEqual(
    [...listed.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
    slots,
  )
})

test('permissions.md tells every permission and who has it', () => {
  const shown = (grant: string | true | undefined) => (grant === undefined ? '—' : grant === true ? 'yes' : grant)
  assert.deepEqual(
    rows('core/docs/permissions.md').map(([name, zh, en, reach, , ...grants]) => [name, zh, en, reach, ...grants]),
    corePermissions.map(({ name, label, scopes, inboxes, grants }) => [
      name,
      label.zh,
      label.en,
      scopes.length > 0 ? 'yes' : inboxes ? 'line' : '—',
      ...[grants.admin, grants.supervisor, grants.agent].map(shown),
    ]),
  )
})

test('both languages say the same things, and the Chinese one has no English sentence', () => {
  const flat = (words: object, path = ''): [string, string][] =>
    Object.entries(words).flatMap(([key, value]) =>
      typeof value === 'string' ? [[path + key, value] as [string, string]] : flat(value as object, `${path}${key}.`),
    )
  for (const [zh, en] of [
    [kitZh, kitEn],
    [adminZh, adminEn],
    [workbenchZh, workbenchEn],
  ] as const) {
    assert.deepEqual(
      flat(zh).map(([key]) => key),
      flat(en).map(([key]) => key),
    )
    for (const [key, text] of flat(zh)) assert.doesNotMatch(text.replace(/\{\w+\}/g, ''), /[A-Za-z]+ [a-z]+ [a-z]+/, key)
  }
})

test('every npm command a document names exists, and every script has its file', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  for (const document of ['README.md', 'README.zh.md', 'CONTRIBUTING.md', 'plugins/README.md', 'migrations/README.md'].filter((path) =>
    existsSync(join(root, path)),
  ))
    for (const [, name] of read(document).matchAll(/npm run ([\w:]+)/g)) assert.ok(scripts[name as string], `${document}: npm run ${name}`)
  for (const [name, command] of Object.entries(scripts)) {
    const file = command.split(' ').find((word) => /\.(ts|mjs)$/.test(word) && word !== 'core/bin/run.mjs')
    if (file) assert.ok(existsSync(join(root, file)), `${name}: ${file}`)
  }
})
