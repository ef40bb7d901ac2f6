/**
 * Runs plugins. The kernel knows clauses, not nouns: the core tells it how each clause of a manifest is put in
 * place (`clause`), each installer returns its removal, and switching a plugin off is running the removals in
 * reverse. A plugin that throws is shown as broken, with its error; the hub and the other plugins go on.
 */
import { createHmac, createSecretKey, hkdfSync } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { TSchema } from 'typebox'
import { HubError } from '../../sdk/errors.ts'
import type { HubEvent, HubEventName, HubHookName, HubHooks } from '../../sdk/events.ts'
import type { Logger, PluginContext, PluginManifest } from '../../sdk/plugin.ts'
import { inTime } from '../in-time.ts'
import type { LoadedPlugin, RefusedPlugin } from './load.ts'
import { type PluginFault, PluginFaults } from './plugin-faults.ts'
import { mergeSecrets, openMost, openSettings, parseSettings, redactSettings, sealSettings, Vault } from './settings.ts'

export type Undo = () => void | Promise<void>
export type Installer = (plugin: LoadedPlugin, ctx: PluginContext) => Undo | void | Promise<Undo | void>

/** What is stored of a plugin: is it on, and with which settings. */
export interface StoredState {
  enabled: boolean
  settings: Record<string, unknown>
}
export interface StateStore {
  load(): Promise<Map<string, StoredState>>
  /** Keeps what is given and nothing else: the rest may be another process's newer word. `told`: events of it, owed in the same transaction. */
  save(id: string, state: Partial<StoredState>, told?: readonly Pick<HubEvent, 'name' | 'data'>[]): Promise<void>
}

export interface PluginStatus {
  id: string
  dir: string
  manifest: PluginManifest | undefined
  enabled: boolean
  state: 'running' | 'off' | 'broken'
  error: HubError | undefined
  /** A start that failed is tried again then. */
  retryAt: Date | undefined
  /** While it runs: what of it failed last. */
  fault: PluginFault | undefined
}

interface Entry extends LoadedPlugin {
  ctx: PluginContext
  stored: StoredState
  settings: Record<string, unknown>
  state: 'running' | 'off' | 'broken'
  error: HubError | undefined
  undo: Undo[]
  /** Starts and stops that took too long and have not ended yet. */
  late: Set<Promise<void>>
  /** Fails since it last ran, and the next try. */
  failures: number
  retryAt: Date | undefined
  retryTimer: NodeJS.Timeout | undefined
}

export interface KernelOptions {
  log: Logger
  vault: Vault
  secret: string
  store: StateStore
  /** Fills a context with what the core offers. */
  context(base: Pick<PluginContext, 'id' | 'settings' | 'log' | 'sign' | 'seal' | 'unseal'>): PluginContext
  /** For tests that cannot wait. */
  startTimeoutMs?: number
  undoTimeoutMs?: number
  listenerTimeoutMs?: number
  retryMs?: number
}

/** How long a hook may take before what it holds up goes on without an answer. */
const hookTimeoutMs = 2_000
/** How long a plugin may take to start before it is shown as broken: it must not hold up the hub. */
const startTimeoutMs = 10_000
/** How long a plugin may take to take one thing back before the others go on without it. */
const undoTimeoutMs = 10_000
/** How long a listener may take before it counts as failed and is told again: less than others wait before they tell it in our place. */
const listenerTimeoutMs = 45_000
/** A start that failed is tried again after this long, twice as long each time, at most … */
const retryMs = 5_000
const longestRetryMs = 300_000

export class Kernel {
  /** What fails of plugins that run. */
  readonly faults = new PluginFaults()
  readonly #options: KernelOptions
  readonly #entries = new Map<string, Entry>()
  readonly #refused: RefusedPlugin[]
  readonly #installers: { clause: keyof PluginManifest; install: Installer }[] = []
  readonly #spoiled = new Map<string, unknown>()
  readonly #watchers = new Set<(id: string, running: boolean) => void>()
  /** Switching is one at a time: on, off and on again must end as on. */
  #turn: Promise<unknown> = Promise.resolve()
  #stopped = false

  constructor(loaded: readonly LoadedPlugin[], refused: readonly RefusedPlugin[], options: KernelOptions) {
    this.#options = options
    this.#refused = [...refused]
    for (const plugin of loaded) this.#entries.set(plugin.manifest.id, this.#entry(plugin))
  }

  #entry(plugin: LoadedPlugin): Entry {
    const { id } = plugin.manifest
    const log = prefixed(this.#options.log, id)
    const sign = signerOf(this.#options.secret, id)
    const vault = new Vault(this.#options.secret, `plugin-seal:${id}`)
    const kernel = this
    const entry: Entry = {
      ...plugin,
      stored: { enabled: true, settings: {} },
      settings: {},
      state: 'off',
      error: undefined,
      undo: [],
      late: new Set(),
      failures: 0,
      retryAt: undefined,
      retryTimer: undefined,
      ctx: undefined as unknown as PluginContext,
    }
    entry.ctx = this.#options.context({
      id,
      get settings() {
        return kernel.#entries.get(id)?.settings ?? {}
      },
      log,
      sign,
      seal: (text: string) => vault.seal(text),
      unseal(sealed: string) {
        try {
          return vault.open(sealed)
        } catch {
          return undefined
        }
      },
    })
    return entry
  }

  /** Tells how a clause is put in place. Clauses are installed in the order they are told, removed in reverse. */
  clause(clause: keyof PluginManifest, install: Installer): void {
    this.#installers.push({ clause, install })
  }

  /** Called after a plugin has begun or ceased to run in this process, for whatever reason but the hub's own end. */
  onSwitched(watcher: (id: string, running: boolean) => void): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  #become(entry: Entry, state: Entry['state']): void {
    const was = entry.state === 'running'
    const running = state === 'running'
    entry.state = state
    if (was !== running && !this.#stopped) for (const watcher of this.#watchers) watcher(entry.manifest.id, running)
  }

  /** Starts every plugin that is switched on. Never throws for a plugin's sake. */
  async start(): Promise<void> {
    const stored = await this.#options.store.load()
    for (const [id, entry] of this.#entries) {
      this.#take(entry, stored.get(id) ?? { enabled: true, settings: {} })
      if (entry.stored.enabled) await this.#switchOn(entry)
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#turn
    for (const entry of [...this.#entries.values()].reverse()) await this.#switchOff(entry)
  }

  #take(entry: Entry, stored: StoredState): void {
    entry.stored = stored
    try {
      entry.settings = openSettings(entry.manifest.settings, stored.settings, this.#options.vault)
    } catch (error) {
      // Sealed with another secret than the hub has now: `#switchOn` says so.
      this.#options.log.warn({ plugin: entry.manifest.id, err: error }, 'settings cannot be opened')
    }
  }

  async #switchOn(entry: Entry): Promise<void> {
    if (entry.state === 'running') return
    entry.error = undefined
    this.#forgetRetry(entry)
    // What is missing, spoiled or sealed will be no better in a moment; what a plugin does while it starts may be.
    let startedTrying = false
    try {
      if (this.#spoiled.has(entry.manifest.id)) throw this.#spoiled.get(entry.manifest.id)
      for (const needed of Object.keys(entry.manifest.requires?.plugins ?? {}))
        if (this.#entries.get(needed)?.state !== 'running')
          throw new HubError('HUB_PLUGIN_MISSING', `${entry.manifest.id} needs ${needed}, which is not running`)
      entry.settings = openSettings(entry.manifest.settings, entry.stored.settings, this.#options.vault)
      startedTrying = true
      await this.#settleLate(entry)
      for (const { clause, install } of this.#installers)
        if (entry.manifest[clause] !== undefined) await this.#putInPlace(entry, clause, async () => install(entry, entry.ctx))
      await this.#putInPlace(entry, 'start', async () => entry.manifest.start?.(entry.ctx))
      entry.failures = 0
      this.faults.forget(entry.manifest.id)
      this.#become(entry, 'running')
      this.#options.log.info({ plugin: entry.manifest.id, version: entry.manifest.version }, 'plugin running')
    } catch (error) {
      await this.#unwind(entry)
      this.breakPlugin(entry.manifest.id, error)
      const refused = error instanceof HubError && !error.kind.retry
      if (startedTrying && !refused) this.#retryLater(entry)
    }
  }

  /** Does one thing of a start. What ends after its time is taken back as soon as it ends: nobody else would. */
  async #putInPlace(entry: Entry, what: string, work: () => Promise<Undo | void>): Promise<void> {
    const working = work()
    try {
      const undo = await inTime(working, this.#startTimeoutMs, `${entry.manifest.id} ${what}`)
      if (undo) entry.undo.push(undo)
    } catch (error) {
      this.#keepLate(
        entry,
        working.then((undo) => (undo ? this.#takeBack(entry, undo) : undefined)),
      )
      throw error
    }
  }

  #keepLate(entry: Entry, work: Promise<unknown>): void {
    const late = work.then(
      () => undefined,
      () => undefined,
    )
    entry.late.add(late)
    void late.finally(() => entry.late.delete(late))
  }

  /** Two starts of a plugin at once would undo each other's work. */
  async #settleLate(entry: Entry): Promise<void> {
    await inTime(Promise.all(entry.late), this.#startTimeoutMs, `${entry.manifest.id}: an earlier start or stop`)
  }

  #retryLater(entry: Entry): void {
    if (this.#stopped) return
    const ms = Math.min((this.#options.retryMs ?? retryMs) * 2 ** entry.failures, longestRetryMs)
    entry.failures++
    entry.retryAt = new Date(Date.now() + ms)
    entry.retryTimer = setTimeout(() => {
      void this.#inTurn(async () => {
        if (entry.retryAt && entry.stored.enabled && !this.#stopped) await this.#bringUp(entry)
      })
    }, ms)
    entry.retryTimer.unref()
  }

  #forgetRetry(entry: Entry): void {
    clearTimeout(entry.retryTimer)
    entry.retryAt = undefined
  }

  get #startTimeoutMs(): number {
    return this.#options.startTimeoutMs ?? startTimeoutMs
  }

  async #switchOff(entry: Entry): Promise<void> {
    this.#forgetRetry(entry)
    entry.failures = 0
    this.faults.forget(entry.manifest.id)
    await this.#unwind(entry)
    entry.error = undefined
    this.#become(entry, 'off')
  }

  /** Switches on, and after it who waits for it, however far away. */
  async #bringUp(entry: Entry): Promise<void> {
    await this.#switchOn(entry)
    if (entry.state === 'running') for (const other of this.#needing(entry)) if (other.stored.enabled) await this.#bringUp(other)
  }

  /** Switches off, and before it who needs it, however far away. */
  async #takeDown(entry: Entry): Promise<void> {
    const { id } = entry.manifest
    for (const other of this.#needing(entry).reverse()) {
      if (other.state !== 'running') continue
      await this.#takeDown(other)
      this.breakPlugin(other.manifest.id, new HubError('HUB_PLUGIN_MISSING', `${other.manifest.id} needs ${id}, which is switched off`))
    }
    await this.#switchOff(entry)
  }

  #needing({ manifest }: Entry): Entry[] {
    return [...this.#entries.values()].filter((other) => other.manifest.requires?.plugins?.[manifest.id] !== undefined)
  }

  async #unwind(entry: Entry): Promise<void> {
    for (const undo of entry.undo.splice(0).reverse()) await this.#takeBack(entry, undo)
  }

  /** One that fails or hangs is shown; it holds up nobody else's. What hangs must end before the plugin is started again. */
  async #takeBack(entry: Entry, undo: Undo): Promise<void> {
    const { id } = entry.manifest
    const undoing = (async () => undo())()
    try {
      await inTime(undoing, this.#options.undoTimeoutMs ?? undoTimeoutMs, `${id} stop`)
    } catch (error) {
      this.#keepLate(entry, undoing)
      this.#options.log.error({ plugin: id, err: error }, 'a plugin failed to take something back')
      this.faults.note(id, 'stop', (error as Error)?.message ?? String(error))
    }
  }

  /** A clause that was put in place before the start failed: the plugin will not be started. */
  spoil(id: string, error: unknown): void {
    this.#spoiled.set(id, error)
  }

  /** Shows a plugin as broken. */
  breakPlugin(id: string, error: unknown): void {
    const entry = this.#entries.get(id)
    if (!entry) return
    entry.error = error instanceof HubError ? error : new HubError('HUB_PLUGIN_BROKEN', (error as Error)?.message ?? String(error))
    this.#options.log.error({ plugin: id, err: error }, 'plugin broken')
    this.#become(entry, 'broken')
  }

  /** Reads what is stored and follows it: another process may have switched or configured something. */
  async refresh(): Promise<void> {
    await this.#inTurn(async () => {
      const stored = await this.#options.store.load()
      for (const [id, entry] of this.#entries) {
        const next = stored.get(id)
        if (!next) continue
        const was = entry.stored
        const changed = !isDeepStrictEqual(was, next)
        if (changed) this.#take(entry, next)
        if (was.enabled && !next.enabled) await this.#takeDown(entry)
        // What was wrong may have been a setting, and another process was told the right one.
        if (next.enabled && changed && entry.state !== 'running') await this.#bringUp(entry)
      }
    })
  }

  /** Switches a plugin on or off and remembers it. Who needs it goes off, and comes back, with it. */
  async switch(id: string, enabled: boolean): Promise<void> {
    const entry = this.#require(id)
    await this.#inTurn(async () => {
      await this.#options.store.save(id, { enabled })
      entry.stored = { ...entry.stored, enabled }
      await (enabled ? this.#bringUp(entry) : this.#takeDown(entry))
    })
  }

  /** Checks and keeps settings, and owes what is told of it with them. Throws HUB_SETTINGS_INVALID with the faults by field. */
  async configure(id: string, input: Record<string, unknown>, told: readonly Pick<HubEvent, 'name' | 'data'>[] = []): Promise<void> {
    const entry = this.#require(id)
    const schema = entry.manifest.settings as TSchema | undefined
    const values = parseSettings(schema, mergeSecrets(schema, input, openMost(schema, entry.stored.settings, this.#options.vault)))
    await this.#inTurn(async () => {
      const stored = { ...entry.stored, settings: sealSettings(schema, values, this.#options.vault) }
      await this.#options.store.save(id, { settings: stored.settings }, told)
      this.#take(entry, stored)
      // What was wrong may have been a setting.
      if (entry.state === 'broken' && stored.enabled) await this.#bringUp(entry)
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work, work)
    this.#turn = result.catch(() => undefined)
    return result
  }

  #require(id: string): Entry {
    const entry = this.#entries.get(id)
    if (!entry) throw new HubError('HUB_NOT_FOUND', `There is no plugin ${id}`)
    return entry
  }

  isRunning(id: string): boolean {
    return this.#entries.get(id)?.state === 'running'
  }

  /** Loaded plugins, running or not, in load order. */
  all(): readonly (LoadedPlugin & { ctx: PluginContext })[] {
    return [...this.#entries.values()]
  }

  running(): readonly (LoadedPlugin & { ctx: PluginContext })[] {
    return [...this.#entries.values()].filter((entry) => entry.state === 'running')
  }

  get(id: string): (LoadedPlugin & { ctx: PluginContext }) | undefined {
    const entry = this.#entries.get(id)
    return entry?.state === 'running' ? entry : undefined
  }

  status(): PluginStatus[] {
    const loaded = [...this.#entries.values()].map((entry) => ({
      id: entry.manifest.id,
      dir: entry.dir,
      manifest: entry.manifest,
      enabled: entry.stored.enabled,
      state: entry.state,
      error: entry.error,
      retryAt: entry.retryAt,
      fault: this.faults.of(entry.manifest.id),
    }))
    const refused = this.#refused.map(({ id, dir, error }) => ({
      id,
      dir,
      manifest: undefined,
      enabled: true,
      state: 'broken' as const,
      error,
      retryAt: undefined,
      fault: undefined,
    }))
    return [...loaded, ...refused]
  }

  /** Settings for the admin: no secret is read back. */
  settingsFor(id: string): Record<string, unknown> {
    const entry = this.#require(id)
    return redactSettings(entry.manifest.settings, entry.stored.settings)
  }

  /**
   * Runs a hook through the running plugins, in load order; each may change what the next one gets. A HubError
   * is a refusal and goes on to the caller; any other error, or a hook that takes too long, fails the attempt with
   * HUB_PLUGIN_BROKEN.
   */
  async hook<N extends HubHookName>(name: N, input: HubHooks[N]): Promise<HubHooks[N]> {
    let value = input
    for (const entry of this.#entries.values()) {
      const hook = entry.state === 'running' ? entry.manifest.hooks?.[name] : undefined
      if (!hook) continue
      const before = value
      const run = async () => (await inTime(Promise.resolve(hook(before, entry.ctx)), hookTimeoutMs, `${entry.manifest.id} ${name}`)) ?? before
      value = await this.faults.watched(entry.manifest.id, name, run).catch((error) => {
        if (error instanceof HubError) throw error
        this.#options.log.error({ plugin: entry.manifest.id, hook: name, err: error }, 'a hook failed')
        throw new HubError('HUB_PLUGIN_BROKEN', `The plugin ${entry.manifest.id} failed`, { plugin: entry.manifest.id })
      })
    }
    return value
  }

  hasHook(name: HubHookName): boolean {
    for (const { state, manifest } of this.#entries.values()) if (state === 'running' && manifest.hooks?.[name]) return true
    return false
  }

  /**
   * Does a plugin hear of what it is owed: now, later (it is broken, or only another process knows it: what it is owed
   * waits), or not any more?
   */
  hears(id: string): 'now' | 'later' | 'never' {
    const entry = this.#entries.get(id)
    if (entry?.state === 'running') return 'now'
    return entry && !entry.stored.enabled ? 'never' : 'later'
  }

  /** Plugins that are to hear of an event; those whose start is tried again, when they are up. */
  listeners(name: HubEventName): string[] {
    return [...this.#entries.values()]
      .filter(({ state, stored, failures }) => state === 'running' || (stored.enabled && failures > 0))
      .filter(({ manifest }) => (manifest.on?.[name] ?? manifest.on?.['*'] ?? false) !== false)
      .map(({ manifest }) => manifest.id)
  }

  /** Tells one plugin of one event. Throws what the listener throws, or that it took too long. Returns false when it is not running. */
  async tell(id: string, event: HubEvent): Promise<boolean> {
    const entry = this.#entries.get(id)
    if (entry?.state !== 'running') return false
    const on = entry.manifest.on as Record<string, ((event: HubEvent, ctx: PluginContext) => unknown) | false | undefined> | undefined
    const own = on?.[event.name]
    if (own === false) return true
    const listen = async () => {
      await own?.(event, entry.ctx)
      if (on?.['*']) await on['*'](event, entry.ctx)
    }
    const ms = this.#options.listenerTimeoutMs ?? listenerTimeoutMs
    await this.faults.watched(id, event.name, () => inTime(listen(), ms, `${id} ${event.name}`))
    return true
  }
}

/** Signs with a key that only this plugin on this hub has. */
export function signerOf(secret: string, id: string): PluginContext['sign'] {
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', secret, 'huike', `plugin:${id}`, 32)))
  return (text) => createHmac('sha256', key).update(text).digest('base64url')
}

function prefixed(log: Logger, plugin: string): Logger {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (data: object, message?: string): void =>
      log[level]({ plugin, ...data }, message)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
