/** Which of the found plugins may load, and in which order. Every refusal has its code; a refused one drags down who needs it, nobody else. */
import semver from 'semver'
import { HubError } from '../../sdk/errors.ts'
import type { PluginManifest } from '../../sdk/plugin.ts'
import { hubVersion } from '../config/version.ts'
import type { FoundPlugin } from './discover.ts'
import { foreignTo } from './plugin-statements.ts'

export interface LoadedPlugin {
  manifest: PluginManifest
  dir: string
}
export interface RefusedPlugin {
  id: string
  dir: string
  error: HubError
}

/** @param taken ids that would collide with the core's own tables, permissions, events or addresses */
export function loadOrder(found: readonly FoundPlugin[], taken: ReadonlySet<string>): { loaded: LoadedPlugin[]; refused: RefusedPlugin[] } {
  const refused: RefusedPlugin[] = []
  const candidates = new Map<string, LoadedPlugin>()
  for (const { dir, manifest, error, nameHint } of found) {
    const refuse = (code: HubError) => refused.push({ id: manifest?.id ?? nameHint, dir, error: code })
    if (!manifest) refuse(new HubError('HUB_PLUGIN_INVALID', error?.message ?? 'The manifest could not be read'))
    else if (candidates.has(manifest.id))
      refuse(new HubError('HUB_PLUGIN_DUPLICATE', `Another plugin is called ${manifest.id}: ${candidates.get(manifest.id)?.dir}`))
    else {
      const fault = faultOf(manifest, taken)
      if (fault) refuse(fault)
      else candidates.set(manifest.id, { manifest, dir })
    }
  }

  const loaded: LoadedPlugin[] = []
  const state = new Map<string, 'visiting' | 'loaded' | 'refused'>()
  const visit = (id: string, path: readonly string[]): boolean => {
    const plugin = candidates.get(id)
    if (!plugin || state.get(id) === 'refused') return false
    if (state.get(id) === 'loaded') return true
    const refuse = (error: HubError) => {
      state.set(id, 'refused')
      refused.push({ id, dir: plugin.dir, error })
      return false
    }
    if (state.get(id) === 'visiting') return refuse(new HubError('HUB_PLUGIN_CYCLE', `These plugins need each other: ${[...path, id].join(' → ')}`))
    state.set(id, 'visiting')
    for (const [needed, range] of Object.entries(plugin.manifest.requires?.plugins ?? {})) {
      const other = candidates.get(needed)
      if (other && !semver.satisfies(other.manifest.version, range))
        return refuse(new HubError('HUB_PLUGIN_VERSION', `${id} needs ${needed} ${range}, there is ${other.manifest.version}`))
      const ok = visit(needed, [...path, id])
      // Within a cycle the inner visit has refused us already.
      if (state.get(id) === 'refused') return false
      if (!ok) return refuse(new HubError('HUB_PLUGIN_MISSING', `${id} needs ${needed} ${range}, which is not loaded`))
    }
    state.set(id, 'loaded')
    loaded.push(plugin)
    return true
  }
  for (const id of candidates.keys()) visit(id, [])
  return { loaded, refused }
}

/** Why nothing can be called that; undefined when it can. */
export function idFault(id: string, taken: ReadonlySet<string>): string | undefined {
  if (!/^[a-z][a-z0-9]{1,30}$/.test(id)) return `"${id}" cannot be a plugin's id: lower-case letters and digits`
  return taken.has(id) ? `"${id}" cannot be a plugin's id: it is a word of the core's` : undefined
}

function faultOf(manifest: PluginManifest, taken: ReadonlySet<string>): HubError | undefined {
  const wrongId = idFault(manifest.id, taken)
  if (wrongId) return new HubError('HUB_PLUGIN_INVALID', wrongId)
  if (!semver.valid(manifest.version)) return new HubError('HUB_PLUGIN_INVALID', `"${manifest.version}" is not a version`)
  const range = manifest.requires?.hub
  if (range && !semver.satisfies(hubVersion, range)) return new HubError('HUB_PLUGIN_VERSION', `${manifest.id} needs Huike ${range}, this is ${hubVersion}`)
  for (const entity of manifest.entities ?? []) {
    const table = entity.meta.tableName ?? entity.meta.collection ?? ''
    if (!table.startsWith(`${manifest.id}_`))
      return new HubError('HUB_PLUGIN_TABLE', `The table ${table || entity.meta.className} of ${manifest.id} must be called ${manifest.id}_…`)
  }
  for (const migration of manifest.migrations ?? []) {
    for (const statement of [...migration.mysql, ...migration.sqlite]) {
      const foreign = foreignTo(`${manifest.id}_`, statement)
      const refuse = (why: string) => new HubError('HUB_PLUGIN_TABLE', `The migration ${migration.name} of ${manifest.id} ${why}`)
      if (foreign === null) return refuse(`holds a statement that the hub does not understand: ${statement.slice(0, 80)}`)
      if (foreign) return refuse(`touches ${foreign}: only ${manifest.id}_… is its own`)
    }
  }
  return undefined
}
