/**
 * Brings a checkout to the point where the hub can run: packages installed, browser bundles built. Plain JavaScript
 * that any Node from 20 on can run; the hub itself runs on the Node that npm installed beside it.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
/** The pinned Node. */
export const node = join(root, 'node_modules/.bin/node')
/**
 * How the hub's process is run. Left to itself V8 takes some 60 MB more for young objects; with half of this it moves
 * so many of them to the old ones that the slowest hundredth of all messages is twice as slow (ADR 49). Nor does it forget
 * what it has compiled while nobody writes: the next messages cost half as much again (ADR 72).
 */
export const hubFlags = ['--max-semi-space-size=16', '--heap-growing-percent=50', '--expose-gc', '--no-flush-bytecode']
/**
 * And with which environment. Once a large buffer was freed, glibc serves all up to its size from memory that it then
 * keeps in pieces: a hundred megabytes after an export. A bound that is said does not move.
 */
export const hubEnv = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '32768', MALLOC_TRIM_THRESHOLD_: '1048576' }
const stamps = join(root, 'node_modules/.huike')

const hash = (text) => createHash('sha256').update(text).digest('hex')
const stampOf = (name) => join(stamps, name)
const stamped = (name) => (existsSync(stampOf(name)) ? readFileSync(stampOf(name), 'utf8') : '')
function stamp(name, value) {
  mkdirSync(stamps, { recursive: true })
  writeFileSync(stampOf(name), value)
}

/** What was built is changed by somebody else: the next start builds it anew. */
export function forgetBuild(name) {
  rmSync(stampOf(name), { force: true })
}

export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

/** Installs what the lock file names, when it is not installed yet. */
export function install() {
  const lock = hash(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  if (stamped('lock') === lock && existsSync(node)) return
  console.log('Installing packages…')
  run('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'])
  if (!existsSync(node)) {
    console.error('npm did not install the pinned Node. Is its install script allowed? Try: npm rebuild node')
    process.exit(1)
  }
  stamp('lock', lock)
}

function* sources(path) {
  if (statSync(path).isFile()) {
    yield path
    return
  }
  for (const name of readdirSync(path).sort()) if (name !== 'dist' && name !== 'node_modules') yield* sources(join(path, name))
}
const contents = (paths) => hash(paths.flatMap((path) => [...sources(join(root, path))].map((file) => file + hash(readFileSync(file)))).join('\n'))

const vite = (config, env = {}) =>
  run(node, ['node_modules/vite/bin/vite.js', 'build', ...(config.includes('widget') ? [] : [dirname(config)]), '-c', config, '--logLevel', 'warn'], {
    env: { ...process.env, ...env },
  })
const kit = ['core/ui-kit', 'core/sdk', 'package-lock.json']
const bundles = [
  { name: 'workbench', from: ['workbench-ui', ...kit], to: 'workbench-ui/dist/index.html', build: () => vite('workbench-ui/vite.config.ts') },
  { name: 'admin', from: ['admin-ui', ...kit], to: 'admin-ui/dist/index.html', build: () => vite('admin-ui/vite.config.ts') },
]

/** Plugins build what they serve to browsers themselves: `"build"` in the `package.json` of their folder. */
function pluginBundles() {
  const plugins = join(root, 'plugins')
  if (!existsSync(plugins)) return []
  return readdirSync(plugins, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(plugins, entry.name, 'package.json')))
    .map((entry) => ({ id: entry.name, manifest: JSON.parse(readFileSync(join(plugins, entry.name, 'package.json'), 'utf8')) }))
    .filter(({ manifest }) => manifest.scripts?.build)
    .map(({ id }) => ({
      name: `plugin-${id}`,
      from: [`plugins/${id}`, ...kit],
      to: existsSync(join(plugins, id, 'ui')) ? `plugins/${id}/ui/dist` : `plugins/${id}/package.json`,
      build: () =>
        run('npm', ['run', '--silent', 'build', '--workspace', `plugins/${id}`], {
          env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` },
        }),
    }))
}

/** Builds the browser bundles whose sources changed, and compresses what lies there uncompressed. */
export function build() {
  for (const bundle of [...bundles, ...pluginBundles()]) {
    const now = contents(bundle.from)
    const built = stamped(bundle.name) === now && existsSync(join(root, bundle.to))
    if (!built) {
      console.log(`Building ${bundle.name}…`)
      bundle.build()
      stamp(bundle.name, now)
    }
    // Without a stamp: whoever ran Vite by hand, or a version that did not compress, left them plain.
    for (const dist of dists(join(root, bundle.from[0]))) compress(dist)
  }
}

function* dists(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === 'node_modules') continue
    if (entry.name === 'dist') yield join(dir, entry.name)
    else yield* dists(join(dir, entry.name))
  }
}

const compressible = new Set(['.js', '.css', '.html', '.svg', '.json'])
const codings = {
  '.br': (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }),
  '.gz': (bytes) => gzipSync(bytes, { level: 9 }),
}

/** Puts what browsers are sent beside every file of `dist` that it pays for, and takes away what belongs to none. */
export function compress(dist) {
  for (const name of readdirSync(dist, { recursive: true })) {
    const file = join(dist, name)
    const extension = extname(file)
    if (extension in codings && !existsSync(file.slice(0, -extension.length))) rmSync(file)
    if (!compressible.has(extension)) continue
    const { mtimeMs, size } = statSync(file)
    for (const [coding, pack] of Object.entries(codings)) {
      const packed = file + coding
      if (existsSync(packed) && statSync(packed).mtimeMs >= mtimeMs) continue
      rmSync(packed, { force: true })
      if (size < 1024) continue
      // Under another name first: a hub that runs sends no half of one.
      writeFileSync(`${packed}.part`, pack(readFileSync(file)))
      renameSync(`${packed}.part`, packed)
    }
  }
}
