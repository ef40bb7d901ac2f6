/** Finds plugins: the bundled folder's, and those the operator names (a folder or a package). Reads manifests, runs nothing of them. */
import { existsSync, readdirSync } from 'node:fs'
import { createRequire, registerHooks } from 'node:module'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { PluginManifest } from '../../sdk/plugin.ts'
import type { Env } from '../config/env.ts'

export interface FoundPlugin {
  /** The folder it stands in; its UI modules and assets are served from there. */
  dir: string
  /** The manifest, or why it could not be read. */
  manifest?: PluginManifest
  error?: Error
  /** The folder's name until the manifest tells. */
  nameHint: string
}

/** What a plugin shares with the hub wherever it stands: two copies of the ORM or the schemas would not know each other's objects. */
const shared = /^(?:@huike\/core|@mikro-orm\/core|typebox|fastify)(?:\/|$)/
const here = new URL('.', import.meta.url).href
let sharing = false

/** A plugin outside the hub's folder has no `node_modules` of the hub's above it: its shared imports are answered from here. */
function shareWithPlugins(): void {
  if (sharing) return
  sharing = true
  // With its end: `/opt/huike-plugins` is not inside of `/opt/huike`.
  const root = `${pathToFileURL(resolve(import.meta.dirname, '../../..')).href}/`
  registerHooks({
    resolve: (specifier, context, next) =>
      shared.test(specifier) && context.parentURL?.startsWith('file:') && !context.parentURL.startsWith(root)
        ? next(specifier, { ...context, parentURL: here })
        : next(specifier, context),
  })
}

export async function discoverPlugins(env: Pick<Env, 'pluginsDir' | 'extraPlugins'>): Promise<FoundPlugin[]> {
  shareWithPlugins()
  const dirs = existsSync(env.pluginsDir)
    ? readdirSync(env.pluginsDir, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => join(env.pluginsDir, entry.name))
        .filter((dir) => manifestFile(dir) !== undefined)
        .sort()
    : []
  return Promise.all([...dirs.map(readManifest), ...env.extraPlugins.map(readExtra)])
}

function manifestFile(dir: string): string | undefined {
  return ['plugin.ts', 'plugin.js', 'plugin.mjs'].map((name) => join(dir, name)).find((file) => existsSync(file))
}

/** A folder, or the name of a package. One that is not there is a broken plugin, and no fault of the hub's. */
async function readExtra(name: string): Promise<FoundPlugin> {
  try {
    return await readManifest(isAbsolute(name) || existsSync(resolve(name)) ? resolve(name) : packageDir(name))
  } catch (error) {
    return { dir: name, error: error as Error, nameHint: name.split('/').at(-1) || name }
  }
}

function packageDir(name: string): string {
  const require = createRequire(join(process.cwd(), 'package.json'))
  return dirname(require.resolve(`${name}/package.json`))
}

async function readManifest(dir: string): Promise<FoundPlugin> {
  const nameHint = dir.split('/').at(-1) ?? dir
  try {
    const file = manifestFile(dir)
    if (!file) throw new Error(`${dir} has no plugin.ts or plugin.js`)
    const module = (await import(pathToFileURL(file).href)) as { default?: PluginManifest }
    if (!module.default?.id) throw new Error(`${file} has no default export made by definePlugin`)
    return { dir, manifest: module.default, nameHint: module.default.id }
  } catch (error) {
    return { dir, error: error as Error, nameHint }
  }
}
