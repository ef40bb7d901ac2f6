/**
 * npm run new:plugin -- ID [--channel] [--dir FOLDER]
 * Writes a plugin that already passes the law: a feature with entities, a route, a listener and a job, or a channel with
 * both directions; either with its test.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { takenWords } from '../src/access/taken-words.ts'
import { discoverPlugins } from '../src/kernel/discover.ts'
import { idFault } from '../src/kernel/load.ts'

const root = resolve(import.meta.dirname, '../..')
const usage = 'npm run new:plugin -- ID [--channel] [--dir FOLDER]\nAn id has lower-case letters and digits: it prefixes tables, routes and permissions.'
function refuse(why: string): never {
  console.error(why)
  process.exit(1)
}
/** What is not understood is refused: a folder that was not heard would leave the plugin among the bundled ones. */
function readArgs() {
  try {
    return parseArgs({ options: { channel: { type: 'boolean', default: false }, dir: { type: 'string' } }, allowPositionals: true })
  } catch (error) {
    return refuse(`${(error as Error).message}\n${usage}`)
  }
}
const {
  positionals: [id, ...more],
  values: { channel, dir: dirArgument },
} = readArgs()
if (id === undefined || more.length > 0) refuse(usage)
if (dirArgument === '') refuse(`--dir needs a folder.\n${usage}`)
const fault = idFault(id, takenWords)
if (fault) refuse(fault)
const pluginsDir = join(root, 'plugins')
const namesake = (await discoverPlugins({ pluginsDir, extraPlugins: [] })).find(({ manifest, nameHint }) => (manifest?.id ?? nameHint) === id)
if (namesake) refuse(`Another plugin is called ${id}: ${namesake.dir}`)
const dir = resolve(dirArgument ?? join(pluginsDir, id))
if (existsSync(dir)) refuse(`${dir} exists already.`)
const sdk = dirArgument ? relative(dir, join(root, 'core/sdk')) : '@huike/core/sdk'

const feature = `/** ${id}: counts the messages of every customer. Start from here. */
import { defineEntity, p, raw, UniqueConstraintViolationException } from '@mikro-orm/core'
import { definePlugin } from '${sdk}/plugin.ts'
import { Type } from 'typebox'

export const Count = defineEntity({
  name: '${id}Count',
  tableName: '${id}_count',
  properties: { contactId: p.string().length(26).primary(), messages: p.integer() },
})
/** Events that were counted. */
export const Counted = defineEntity({
  name: '${id}Counted',
  tableName: '${id}_counted',
  properties: { eventId: p.string().length(26).primary(), at: p.datetime(3) },
  indexes: [{ properties: ['at'], name: '${id}_counted_at' }],
})
/** Nothing comes again after so long. */
const againMs = 30 * 86_400_000

const mysqlEnd = 'default character set utf8mb4 collate utf8mb4_bin engine = InnoDB'

export default definePlugin({
  id: '${id}',
  version: '0.1.0',
  label: { zh: '${id}', en: '${id}' },
  requires: { hub: '>=0.1.0' },
  settings: Type.Object({ enabled: Type.Boolean({ title: '计数|Count', default: true }) }),
  permissions: [{ name: 'count.read', label: { zh: '查看消息计数', en: 'See message counts' }, grantTo: ['admin', 'supervisor'] }],
  entities: [Count, Counted],
  migrations: [
    {
      name: '0001-count',
      mysql: [
        \`create table \\\`${id}_count\\\` (\\\`contact_id\\\` varchar(26) not null, \\\`messages\\\` int not null, primary key (\\\`contact_id\\\`)) \${mysqlEnd}\`,
        \`create table \\\`${id}_counted\\\` (\\\`event_id\\\` varchar(26) not null, \\\`at\\\` datetime(3) not null, primary key (\\\`event_id\\\`), index \\\`${id}_counted_at\\\` (\\\`at\\\`)) \${mysqlEnd}\`,
      ],
      sqlite: [
        'create table \`${id}_count\` (\`contact_id\` text not null primary key, \`messages\` integer not null)',
        'create table \`${id}_counted\` (\`event_id\` text not null primary key, \`at\` datetime not null)',
        'create index \`${id}_counted_at\` on \`${id}_counted\` (\`at\`)',
      ],
    },
  ],
  // Below /api/x/${id}; while the plugin is off it answers 404.
  routes(app, ctx) {
    app.get('/counts/:contactId', { config: { access: { permission: '${id}.count.read' } } }, async (request) => {
      const { contactId } = request.params as { contactId: string }
      return { messages: (await ctx.em().findOne(Count, { contactId }))?.messages ?? 0 }
    })
  },
  // After the commit, with a retry of its own; the same event can come twice, its id tells.
  on: {
    async 'message.received'({ id, data }, ctx) {
      if (!ctx.settings.enabled) return
      const { contactId } = data.message
      const em = ctx.em()
      await em.upsert(Count, { contactId, messages: 0 }, { onConflictAction: 'ignore' })
      try {
        // Both or neither: what was counted and is forgotten would be counted again.
        await em.transactional(async (tx) => {
          await tx.insert(Counted, { eventId: id, at: new Date() })
          await tx.nativeUpdate(Count, { contactId }, { messages: raw('messages + 1') })
        })
      } catch (error) {
        if (!(error instanceof UniqueConstraintViolationException)) throw error
      }
    },
  },
  jobs: {
    tidy: {
      every: 86_400_000,
      async run(_data, ctx) {
        await ctx.em().nativeDelete(Counted, { at: { $lt: new Date(Date.now() - againMs) } })
      },
    },
  },
})
`

const featureTest = `/** ${id} by itself, on a database in memory: run by \`node --test\`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MikroORM } from '@mikro-orm/sqlite'
import type { HubEvent } from '${sdk}/events.ts'
import type { PluginContext } from '${sdk}/plugin.ts'
import manifest, { Count, Counted } from './plugin.ts'

async function started(settings = { enabled: true }) {
  const orm = await MikroORM.init({ entities: [Count, Counted], dbName: ':memory:' })
  for (const { sqlite } of manifest.migrations ?? []) for (const statement of sqlite) await orm.em.getConnection().execute(statement)
  const ctx = { settings, em: () => orm.em.fork() } as unknown as PluginContext<any>
  const listener = manifest.on?.['message.received']
  assert.ok(listener)
  return {
    ctx,
    hear: (id: string, contactId: string) =>
      listener({ id, name: 'message.received', at: '', by: null, data: { message: { contactId } } } as HubEvent<'message.received'>, ctx),
    counts: async () => Object.fromEntries((await orm.em.fork().findAll(Count)).map(({ contactId, messages }) => [contactId, messages])),
    close: () => orm.close(),
  }
}

test('each message counts once, however often its event comes', async () => {
  const { hear, counts, close } = await started()
  for (const [event, contact] of [['e1', 'a'], ['e2', 'a'], ['e1', 'a'], ['e3', 'b'], ['e2', 'a']] as const) await hear(event, contact)
  assert.deepEqual(await counts(), { a: 2, b: 1 })
  await close()
})

test('switched off in the settings nothing is counted', async () => {
  const { hear, counts, close } = await started({ enabled: false })
  await hear('e1', 'a')
  assert.deepEqual(await counts(), {})
  await close()
})

test('what cannot come again is forgotten, its count stays', async () => {
  const { ctx, hear, counts, close } = await started()
  await hear('e1', 'a')
  await ctx.em().nativeUpdate(Counted, {}, { at: new Date(0) })
  await manifest.jobs?.tidy?.run(null, ctx)
  assert.equal(await ctx.em().count(Counted), 0)
  assert.deepEqual(await counts(), { a: 1 })
  await close()
})
`

const channelPlugin = `/** ${id}: a channel. The platform below speaks signed JSON; put yours in its place. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { SendError } from '${sdk}/channel.ts'
import { HubError } from '${sdk}/errors.ts'
import { textOf } from '${sdk}/message-parts.ts'
import { definePlugin } from '${sdk}/plugin.ts'
import { type Static, Type } from 'typebox'

const inboxSettings = Type.Object({
  secret: Type.String({ title: '签名密钥|Signing key', format: 'secret', maxLength: 200, default: '' }),
  sendUrl: Type.String({ title: '发送地址|Send address', maxLength: 500, default: '' }),
})
type Settings = Static<typeof inboxSettings>

const sign = (secret: string, body: Buffer | string) => createHmac('sha256', secret).update(body).digest()

export default definePlugin({
  id: '${id}',
  version: '0.1.0',
  label: { zh: '${id}', en: '${id}' },
  requires: { hub: '>=0.1.0' },
  channel: {
    label: { zh: '${id}', en: '${id}' },
    inboxSettings,
    capabilities: { send: ['text'], delivery: 'push', maxTextLength: 2_000 },

    // POST /api/channels/${id}/<inbox>: verify over the raw bytes, parse, nothing else. The answer goes out once it is safe.
    receive(request, inbox) {
      const { secret } = inbox.settings as Settings
      const given = Buffer.from(request.headers['x-signature'] ?? '', 'hex')
      const expected = sign(secret, request.body)
      if (secret === '' || given.length !== expected.length || !timingSafeEqual(given, expected)) throw new HubError('HUB_CHANNEL_UNVERIFIED', 'The signature is wrong')
      const { id: externalId, from, text } = parse(request.body)
      return { events: [{ kind: 'message', externalId, from: { externalId: from }, parts: [{ type: 'text', text }] }], reply: { body: 'success' } }
    },

    async send(message, inbox) {
      const { secret, sendUrl } = inbox.settings as Settings
      const body = JSON.stringify({ id: message.id, to: message.to, text: textOf(message.parts) })
      const response = await fetch(sendUrl, { method: 'POST', body, headers: { 'x-signature': sign(secret, body).toString('hex') }, signal: AbortSignal.timeout(10_000) }).catch(() => {
        // It may have arrived: only a person can know.
        throw new SendError('no-answer', { retry: 'unknown' })
      })
      if (!response.ok) throw new SendError(\`http-\${response.status}\`, { retry: response.status === 429 || response.status >= 500 })
      const { id: externalId } = (await response.json()) as { id?: string }
      return externalId ? { externalId } : undefined
    },
  },
})

function parse(body: Buffer): { id: string; from: string; text: string } {
  const { id, from, text } = JSON.parse(body.toString('utf8')) as Record<string, unknown>
  if (typeof id !== 'string' || typeof from !== 'string' || typeof text !== 'string') throw new HubError('HUB_REQUEST_INVALID', 'id, from and text are needed')
  return { id, from, text }
}
`
const conformance = `/** What every channel must do, done by ${id}: run by \`node --test\`. */
import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import { channelConformance, type Failure, type Said } from '${sdk}/conformance.ts'
import manifest from './plugin.ts'

const secret = 'a-secret-shared-with-the-platform'
const sign = (body: string | Buffer, key = secret) => ({ 'x-signature': createHmac('sha256', key).update(body).digest('hex') })

// The platform: it takes messages by their id, so a repeat is the same one, and fails when it is told to.
const sent: { to: string; text: string }[] = []
let failure: Failure | undefined
const platform = createServer((request, response) => {
  let body = ''
  request.on('data', (chunk) => {
    body += chunk
  })
  request.on('end', () => {
    if (failure === 'unknown') return void response.destroy()
    if (failure) return void response.writeHead(failure === 'retry' ? 503 : 400).end()
    const { id, to, text } = JSON.parse(body) as { id: string; to: string; text: string }
    sent.push({ to, text })
    response.end(JSON.stringify({ id: \`p-\${id}\` }))
  })
})
await new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', resolve))
platform.unref()

const request = (said: Said, key?: string) => {
  const body = JSON.stringify(said)
  return { body, headers: sign(body, key) }
}

await channelConformance({
  manifest,
  settings: () => ({ secret, sendUrl: \`http://127.0.0.1:\${(platform.address() as { port: number }).port}/\` }),
  webhook: {
    text: (said) => request(said),
    forged: (said) => request(said, 'guessed'),
    signed: (body) => ({ body, headers: sign(body) }),
  },
  platform: {
    sent: () => sent,
    fail(how) {
      failure = how
    },
  },
})
`
const files: Record<string, string> = {
  'plugin.ts': channel ? channelPlugin : feature,
  ...(channel ? { 'conformance.test.ts': conformance } : { 'plugin.test.ts': featureTest }),
  'README.md': `# ${id}\n\nWritten by \`npm run new:plugin\`. The guide is \`plugins/README.md\`.\n`,
}
if (!dirArgument)
  files['package.json'] =
    `${JSON.stringify({ name: `@huike/plugin-${id}`, version: '0.1.0', private: true, license: 'Apache-2.0', type: 'module', dependencies: { '@huike/core': '0.1.0' } }, null, 2)}\n`
for (const [name, text] of Object.entries(files)) {
  mkdirSync(dirname(join(dir, name)), { recursive: true })
  writeFileSync(join(dir, name), text)
}
console.log(
  `Written: ${Object.keys(files)
    .map((name) => join(dir, name))
    .join(', ')}`,
)
