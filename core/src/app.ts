/** The whole server, in order. */
import { createHash, randomBytes } from 'node:crypto'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer as createProbe } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger as Pino } from 'pino'
import { Server as SocketServer } from 'socket.io'
import { HubError } from '../sdk/errors.ts'
import { AccessCache } from './access/access-cache.ts'
import { takenWords } from './access/taken-words.ts'
import type { Env } from './config/env.ts'
import { holdFolder } from './config/only-one.ts'
import { StartFault } from './config/start-fault.ts'
import { coreHistory } from './db/history.ts'
import { migrate } from './db/migrate.ts'
import { openOrm } from './db/open-orm.ts'
import { dialectOf, type Em } from './db/orm.ts'
import { keepStatements } from './db/statements.ts'
import { newId } from './db/types.ts'
import { waitForDatabase } from './db/wait-for-database.ts'
import { agentRoutes } from './domain/agent/agent.routes.ts'
import { createOwner, ownerExists } from './domain/agent/create-owner.ts'
import { assignmentRoutes } from './domain/assignment/assignment.routes.ts'
import { categoryRoutes } from './domain/category/category.routes.ts'
import { contactRoutes } from './domain/contact/contact.routes.ts'
import { mergeRoutes } from './domain/contact/merge.routes.ts'
import { revealRoutes } from './domain/contact/reveal.routes.ts'
import { timelineRoutes } from './domain/contact/timeline.routes.ts'
import { conversationRoutes } from './domain/conversation/conversation.routes.ts'
import { createDesk } from './domain/customer/desk.ts'
import { departmentRoutes } from './domain/department/department.routes.ts'
import { fileRoutes } from './domain/file/file.routes.ts'
import { spoolDir, sweepSpool } from './domain/file/spool.ts'
import { adapterFor } from './domain/inbox/channels.ts'
import { inboxRoutes } from './domain/inbox/inbox.routes.ts'
import { pluginContext } from './domain/inbox/plugin-context.ts'
import { letterRoutes } from './domain/message/letter.routes.ts'
import { noticeRoutes } from './domain/notice/notice.routes.ts'
import { keepProcess } from './domain/process/keep-process.ts'
import { attachmentRoutes } from './domain/record/attachments.routes.ts'
import { batchRoutes } from './domain/record/batch.routes.ts'
import { findRoutes } from './domain/record/find/find.routes.ts'
import { recordRoutes } from './domain/record/record.routes.ts'
import { viewRoutes } from './domain/record/view.routes.ts'
import { reportRoutes } from './domain/report/report.routes.ts'
import { retentionRoutes } from './domain/retention/retention.routes.ts'
import { previewRoutes } from './domain/role/preview.routes.ts'
import { roleRoutes } from './domain/role/role.routes.ts'
import { seedRoles } from './domain/role/seed-roles.ts'
import { accountRoutes } from './domain/session/account.routes.ts'
import { sessionRoutes } from './domain/session/session.routes.ts'
import { tokenRoutes } from './domain/session/token.routes.ts'
import { pluginRoutes } from './domain/setting/plugin.routes.ts'
import { pluginStateStore } from './domain/setting/plugin-state.ts'
import { tagRoutes } from './domain/tag/tag.routes.ts'
import { visitRoutes } from './domain/visit/visit.routes.ts'
import { appRoutes } from './http/apps.ts'
import { channelRoutes } from './http/channel.routes.ts'
import { healthRoutes } from './http/health.ts'
import { createMetrics } from './http/metrics.ts'
import { type App, createServer } from './http/server.ts'
import { systemRoute } from './http/system.ts'
import type { Hub } from './hub.ts'
import { discoverPlugins, type FoundPlugin } from './kernel/discover.ts'
import { Kernel } from './kernel/kernel.ts'
import { loadOrder } from './kernel/load.ts'
import { registerPluginRoutes } from './kernel/routes.ts'
import { Vault } from './kernel/settings.ts'
import { createLog } from './log.ts'
import { Door } from './pipeline/accept.ts'
import { startListening } from './pipeline/listen.ts'
import { startWorkers } from './queue/due.ts'
import { inProcessQueue } from './queue/in-process.ts'
import { schedulePeriodic } from './queue/jobs.ts'
import { localBus } from './realtime/bus.ts'
import { DeliveredMarks } from './realtime/delivered-marks.ts'
import { startGateway } from './realtime/gateway.ts'
import { installSockets, startPluginPushes } from './realtime/plugin-sockets.ts'
import { loadIndexKey } from './sealing/index-key.ts'
import { keysOf } from './sealing/sealed-columns.ts'
import { openFileStore } from './storage/open-file-store.ts'
import { sealedStore } from './storage/sealed-store.ts'

export interface RunningHub {
  hub: Hub
  app: App
  /** Where it listens. */
  url: string
  /** Does now, in this process, what is due. */
  sweep(): Promise<void>
  /**
   * Finishes what is on its way, then ends. For `lingerMs` it goes on answering first, and each answer ends its
   * connection: what was written into a kept one just before would else meet a closed door.
   */
  stop(lingerMs?: number): Promise<void>
}

export interface StartOptions {
  log?: Pino | undefined
  /** Instead of looking for plugins: tests bring their own. */
  plugins?: readonly FoundPlugin[]
}

export async function startHub(env: Env, options: StartOptions = {}): Promise<RunningHub> {
  // Before anything is migrated or sent: a second start beside a hub that runs must not touch what that one works on.
  await checkPort(env)
  const secret = prepareData(env)
  const letGo = dialectOf(env) === 'sqlite' ? await holdFolder(env.dataDir) : async () => undefined
  try {
    return await openHub(env, secret, letGo, options)
  } catch (error) {
    await letGo()
    throw error
  }
}

async function openHub(env: Env, secret: string, letGo: () => Promise<void>, options: StartOptions): Promise<RunningHub> {
  const log = options.log ?? createLog(env)
  await sweepSpool(env)

  // 1. Which plugins there are, and in which order they load.
  const { loaded, refused } = loadOrder(options.plugins ?? (await discoverPlugins(env)), takenWords)
  for (const { id, error } of refused) log.error({ plugin: id, code: error.code }, error.message)

  // 2. The database, with the core's tables and theirs.
  const dialect = dialectOf(env)
  const orm = await openOrm(
    { ...env, secret },
    loaded.flatMap(({ manifest }) => manifest.entities ?? []),
  )
  if (dialect === 'mysql')
    await waitForDatabase(orm, env, log).catch(async (error) => {
      await orm.close(true)
      throw error
    })
  const histories = [coreHistory, ...loaded.map(({ manifest }) => ({ owner: manifest.id, migrations: manifest.migrations ?? [] }))]
  const unmigrated = new Map<string, unknown>()
  await keepStatements(orm, dialect)
  await migrate(orm, dialect, histories, log, (owner, error) => unmigrated.set(owner, error))

  // What is sealed with a key that is not here stays shut; all else works.
  await loadIndexKey(orm.em.fork() as Em).catch((error) => {
    if (!(error instanceof HubError && error.code === 'HUB_DATA_SEALED')) throw error
    log.error({ code: error.code }, error.message)
  })

  // 3. What everything holds in its hand.
  const em = () => orm.em.fork() as Em
  const prefix = `huike:${createHash('sha256')
    .update(new URL(env.databaseUrl || 'file:').pathname + secret)
    .digest('hex')
    .slice(0, 12)}`
  let url = ''
  const metrics = createMetrics()
  const hub: Hub = {
    env,
    log,
    secret,
    vault: new Vault(secret),
    orm,
    dialect,
    // Loaded only where there is a Redis: the embedded hub is lighter by it.
    bus: env.redisUrl ? (await import('./realtime/redis-bus.ts')).redisBus(env.redisUrl, prefix, log) : localBus(log),
    queue: env.redisUrl ? (await import('./queue/bull.ts')).bullQueue(env.redisUrl, prefix, log) : inProcessQueue(log),
    access: new AccessCache(em),
    files: sealedStore(openFileStore(env, metrics), keysOf(em()), spoolDir(env)),
    metrics,
    closing: false,
    nodeId: newId(),
    em,
    publicUrl: () => env.publicUrl || url,
    kernel: undefined as unknown as Kernel,
    intake: undefined as unknown as Door,
    delivered: undefined as unknown as DeliveredMarks,
  }
  hub.intake = new Door(hub)
  hub.delivered = new DeliveredMarks(hub)
  const desk = createDesk(hub)
  hub.kernel = new Kernel(loaded, refused, {
    log,
    vault: hub.vault,
    secret,
    store: pluginStateStore(hub),
    context: (base) => pluginContext(hub, desk, base),
  })
  for (const [id, error] of unmigrated) hub.kernel.spoil(id, error)

  // 4. Who may do what.
  await seedRoles(hub)

  // 5. The HTTP server: the core's routes, the plugins', the apps.
  const app = await createServer(hub, log)
  healthRoutes(app, hub)
  systemRoute(app, hub)
  sessionRoutes(app, hub)
  accountRoutes(app, hub)
  tokenRoutes(app, hub)
  agentRoutes(app, hub)
  departmentRoutes(app, hub)
  roleRoutes(app, hub)
  previewRoutes(app, hub)
  conversationRoutes(app, hub)
  categoryRoutes(app, hub)
  batchRoutes(app, hub)
  findRoutes(app, hub)
  attachmentRoutes(app, hub)
  recordRoutes(app, hub)
  viewRoutes(app, hub)
  reportRoutes(app, hub)
  retentionRoutes(app, hub)
  contactRoutes(app, hub)
  timelineRoutes(app, hub)
  mergeRoutes(app, hub)
  revealRoutes(app, hub)
  visitRoutes(app, hub)
  noticeRoutes(app, hub)
  tagRoutes(app, hub)
  inboxRoutes(app, hub)
  assignmentRoutes(app, hub)
  fileRoutes(app, hub)
  letterRoutes(app, hub)
  pluginRoutes(app, hub)
  app.get('/api/openapi.json', { config: { access: 'public' }, schema: { hide: true } }, async () => app.swagger())
  await app.register(channelRoutes, { hub })
  await appRoutes(app, hub)
  // Last: an address that is taken breaks the plugin, not the hub.
  await registerPluginRoutes(app, hub.kernel)
  // Hooks that plugins wait for this with run now: what breaks there is known before the plugin is started.
  await app.ready()

  // 6. Sockets, the plugins' clauses that come and go, and the first owner.
  const io = new SocketServer(app.server, { path: '/socket', serveClient: false, maxHttpBufferSize: 64_000, pingInterval: 20_000, pingTimeout: 20_000 })
  io.engine.use((_request: unknown, _response: unknown, next: () => void) => void hub.bus.follow().then(next))
  hub.kernel.clause('channel', ({ manifest }, ctx) => void adapterFor(manifest, ctx))
  hub.kernel.clause('sockets', (plugin, ctx) => installSockets(hub, io, plugin, ctx))
  if (env.roles.worker) hub.kernel.clause('jobs', ({ manifest }) => schedulePeriodic(hub, manifest.id))
  await hub.kernel.start()
  if (env.ownerEmail && !(await ownerExists(em())))
    await createOwner(hub, {
      email: env.ownerEmail,
      password: env.ownerPassword,
      locale: env.ownerLocale,
      name: env.ownerEmail.split('@')[0] ?? 'Owner',
    }).catch((error) => {
      if (error instanceof HubError && error.code === 'HUB_PASSWORD_WEAK')
        throw new StartFault('HUB_OWNER_PASSWORD is too easy to guess: at least ten characters, not the name in the address, no common phrase.')
      // Another process that starts at the same time makes it.
      if (!(error instanceof HubError && error.code === 'HUB_SETUP_DONE')) throw error
    })
  const undo = [
    startPluginPushes(hub, io),
    hub.bus.subscribe('plugin.switched', () => refresh(hub)),
    // Each process says when it is so there: an app that hears of it asks at once what there is now, and any of them may answer.
    hub.kernel.onSwitched((id, running) => hub.bus.publish('plugin.running', { id, running })),
    hub.kernel.faults.onChange((id, what, message) => hub.bus.publish('plugin.fault', { id, what, message })),
    hub.bus.subscribe('plugin.fault', (data) => {
      const { id, what, message } = data as { id: string; what: string; message: string | null }
      hub.kernel.faults.note(id, what, message)
    }),
    hub.bus.subscribe('plugin.configured', () => refresh(hub)),
    hub.bus.subscribe('inbox.changed', () => hub.intake.forgetInboxes()),
    every(5_000, () => refresh(hub)),
  ]
  const gateway = startGateway(hub, io)
  const endProcess = await keepProcess(hub)

  // 7. Background work, and open for business.
  const workers = env.roles.worker ? startWorkers(hub) : undefined
  const intakes = env.roles.worker ? startListening(hub) : undefined
  await app.listen({ host: env.host, port: env.port }).catch((error) => {
    throw cannotListen(env, error)
  })
  const address = app.server.address()
  url = `http://${env.host === '0.0.0.0' || env.host === '::' ? 'localhost' : env.host}:${typeof address === 'object' ? address?.port : env.port}`
  log.info({ url, profile: dialect === 'sqlite' ? 'embedded' : 'served', roles: env.roles }, 'the hub is open')

  let stopping: Promise<void> | undefined
  const stop = async (lingerMs: number) => {
    hub.closing = true
    await Promise.all([intakes?.stop(), lingerMs > 0 ? pause(lingerMs) : undefined])
    for (const take of undo) take()
    gateway.close()
    io.disconnectSockets(true)
    // Takes no new requests, answers those it has.
    // A connection that was busy falls idle later: Node does not close it then, and would wait for its keep-alive time.
    const closeIdle = every(100, () => app.server.closeIdleConnections())
    // One that a browser opened ahead of need, and has not asked anything on, counts as busy for a minute.
    const closeAll = setTimeout(() => app.server.closeAllConnections(), answerWithinMs)
    await new Promise<void>((resolve) => void io.close(() => resolve()))
    closeIdle()
    clearTimeout(closeAll)
    await app.close()
    await hub.intake.idle()
    await hub.delivered.idle()
    await endProcess()
    await workers?.stop()
    // What a hint began needs its plugin.
    await hub.queue.close()
    await hub.kernel.stop()
    await hub.bus.close()
    await orm.close()
    await letGo()
  }
  return {
    hub,
    app,
    url,
    sweep: async () => {
      await workers?.sweep()
      await intakes?.look()
    },
    stop: (lingerMs = 0) => (stopping ??= stop(lingerMs)),
  }
}

/** What has not been answered by then is asked again of the next process. */
const answerWithinMs = 5_000

const refresh = (hub: Hub): void => void hub.kernel.refresh().catch((error) => hub.log.warn({ err: error }, 'plugin states could not be read'))

function every(ms: number, work: () => void): () => void {
  const timer = setInterval(work, ms)
  return () => clearInterval(timer)
}

const cannotListen = ({ host, port }: Env, error: unknown): StartFault =>
  new StartFault(`The hub cannot listen at ${host}:${port} (${(error as { code?: string }).code ?? (error as Error).message}): choose another HOST or PORT.`)

async function checkPort(env: Env): Promise<void> {
  if (env.port === 0) return
  const probe = createProbe()
  await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(env.port, env.host, resolve)).catch((error) => {
    throw cannotListen(env, error)
  })
  await new Promise((resolve) => probe.close(resolve))
}

/** The data folder, there and writable; returns the hub's secret. */
export function prepareData(env: Env): string {
  try {
    mkdirSync(env.dataDir, { recursive: true })
    accessSync(env.dataDir, constants.R_OK | constants.W_OK)
    return env.secret || keptSecret(env.dataDir)
  } catch (error) {
    if (error instanceof StartFault) throw error
    throw new StartFault(
      `The folder ${env.dataDir} cannot be used (${(error as NodeJS.ErrnoException).code}): make it writable for this user, or point HUB_DATA elsewhere.`,
    )
  }
}

/** Made once and kept with the data, readable by the owner only. */
function keptSecret(dataDir: string): string {
  const file = join(dataDir, 'secret.key')
  if (!existsSync(file)) {
    // Whole or not at all: half of one would sign and seal as well, and be guessed.
    const fresh = `${file}.${randomBytes(6).toString('hex')}`
    writeFileSync(fresh, randomBytes(48).toString('base64url'), { mode: 0o600, flag: 'wx', flush: true })
    renameSync(fresh, file)
  }
  const secret = readFileSync(file, 'utf8').trim()
  if (secret.length < 32) throw new StartFault(`${file} is damaged: it has ${secret.length} characters instead of 64. Put back the one of your backup.`)
  return secret
}
