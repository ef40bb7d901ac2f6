/**
 * The way to an operator's machine, where no Docker engine is at hand: Dockerfile and compose.yaml are held to the
 * rules of the house, and what the Dockerfile runs is run in a clean directory, from build to SIGTERM.
 * Needs the bundled plugins: the image is looked at as it is shipped.
 */

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, matchesGlob, resolve } from 'node:path'
import { test } from 'node:test'
import { hubEnv, hubFlags } from '../../core/bin/prepare.mjs'
import { envFields, readEnv } from '../../core/src/config/env.ts'
import { freePort } from '../support/free-port.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const hubVariables = new Set(envFields.map((field) => field.name))
const databaseVariables = new Set([
  'MARIADB_DATABASE',
  'MARIADB_USER',
  'MARIADB_PASSWORD',
  'MARIADB_ROOT_PASSWORD',
  'MARIADB_ROOT_HOST',
  'MARIADB_AUTO_UPGRADE',
])
const backupVariables = new Set(['MARIADB_HOST', 'MARIADB_DATABASE', 'MARIADB_USER', 'MARIADB_PASSWORD', 'BACKUP_KEEP', 'BACKUP_HOUR'])
const isSecret = (name: string) => /SECRET|PASSWORD|TOKEN|CREDENTIAL|_KEY$/i.test(name)
/** Named, not the latest, and from nobody's registry in particular. */
const isPinned = (image: string) => /^[a-z0-9-]+:[a-z0-9][\w.-]*$/.test(image) && !/:latest/.test(image)

// ── Dockerfile ──────────────────────────────────────────────────────────────────────────────────────────────────

interface Instruction {
  name: string
  text: string
}
interface Stage {
  base: string
  as: string
  instructions: Instruction[]
}

const known = ['RUN', 'COPY', 'ENV', 'ARG', 'WORKDIR', 'USER', 'VOLUME', 'EXPOSE', 'HEALTHCHECK', 'CMD']

function parseDockerfile(source: string): Stage[] {
  const stages: Stage[] = []
  const lines = source
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replace(/\s*\\\n\s*/g, ' ')
  for (const line of lines.split('\n').filter(Boolean)) {
    const [, name = '', text = ''] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? assert.fail(`not an instruction: ${line}`)
    if (name === 'FROM') {
      const [, base = '', as = ''] = /^(\S+)(?:\s+AS\s+(\S+))?$/.exec(text) ?? assert.fail(`not a stage: ${line}`)
      stages.push({ base, as, instructions: [] })
    } else {
      assert.ok(known.includes(name), `${name} is not among the instructions we use`)
      const stage = stages.at(-1) ?? assert.fail(`${name} before the first FROM`)
      stage.instructions.push({ name, text })
    }
  }
  return stages
}

const stages = parseDockerfile(read('docker/Dockerfile'))
const final = stages.at(-1) ?? assert.fail('the Dockerfile has no stage')
const texts = (stage: Stage, name: string) => stage.instructions.filter((instruction) => instruction.name === name).map(({ text }) => text)
const last = (name: string) => texts(final, name).at(-1) ?? assert.fail(`the last stage has no ${name}`)
/** `["program", "argument"]`: no shell between Docker and the program, so that signals reach it. */
function execForm(text: string): string[] {
  const parsed: unknown = text.startsWith('[') ? JSON.parse(text) : undefined
  assert.ok(Array.isArray(parsed) && parsed.length > 0 && parsed.every((part) => typeof part === 'string'), `not in exec form: ${text}`)
  return parsed
}
const healthCommand = () => execForm(/\bCMD\s+(.+)$/.exec(last('HEALTHCHECK'))?.[1] ?? assert.fail('HEALTHCHECK runs nothing'))
const environment = (stage: Stage) => [
  ...texts(stage, 'ENV').flatMap((text) => {
    const pairs = text.split(/\s+/).map((pair) => /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(pair) ?? assert.fail(`ENV wants NAME=value: ${pair}`))
    return pairs.map(([, name = '', value = '']) => [name, value] as const)
  }),
  ...texts(stage, 'ARG').map((text) => [text.split('=')[0] ?? '', ''] as const),
]

test('the Dockerfile builds in stages, from official images with a version', () => {
  assert.ok(stages.length >= 2, 'one stage only')
  stages.forEach(({ base, as, instructions }, at) => {
    const earlier = stages.slice(0, at).map((stage) => stage.as)
    assert.ok(!earlier.includes(as) && (as !== '' || at === stages.length - 1), `stage ${at + 1} needs a name of its own`)
    assert.ok(earlier.includes(base) || isPinned(base), `FROM ${base}`)
    for (const { text } of instructions.filter(({ name }) => name === 'COPY')) {
      const from = /--from=(\S+)/.exec(text)?.[1]
      assert.ok(from === undefined || earlier.includes(from), `COPY --from=${from} names no earlier stage`)
    }
  })
  for (const text of texts(final, 'COPY')) assert.match(text, /--from=/, 'the last stage takes what a stage has made, not the checkout')
})

test('the image runs as nobody in particular, without a shell, and says how it is', () => {
  assert.match(last('USER'), /^[1-9]\d{3,}:[1-9]\d{3,}$/, 'USER must be a number that is not root, so that Kubernetes can tell')
  const order = final.instructions.map(({ name }) => name)
  assert.ok(order.lastIndexOf('USER') > order.lastIndexOf('RUN'), 'nothing is built after USER')
  const told = new Map(environment(final))
  for (const [name, value] of Object.entries(hubEnv)) assert.equal(told.get(name), value, name)
  assert.deepEqual(execForm(last('CMD')), ['node_modules/.bin/node', ...hubFlags, 'core/src/main.ts'])
  assert.match(last('HEALTHCHECK'), /--interval=\d+s .*--start-period=\d+s/)
  assert.ok(healthCommand().join(' ').includes('/readyz'))
  assert.ok(texts(final, 'WORKDIR').every((text) => text.startsWith('/')))
})

test('the image carries no secret, and its settings are the hub’s own', () => {
  for (const stage of stages)
    for (const [name] of environment(stage)) {
      assert.ok(!isSecret(name), `${name} would stay in the image`)
      assert.ok(hubVariables.has(name) || name === 'NODE_ENV' || name in hubEnv, `the hub reads no ${name}`)
    }
  const values = Object.fromEntries(environment(final))
  const env = readEnv(values)
  assert.equal(env.host, '0.0.0.0')
  assert.equal(String(env.port), last('EXPOSE'))
  assert.equal(env.dataDir, last('VOLUME'))
})

// ── compose.yaml, .env.example, Caddyfile ───────────────────────────────────────────────────────────────────────

interface Service {
  image: string
  build?: { context: string; dockerfile: string }
  user?: string
  profiles?: string[]
  entrypoint?: string[]
  command?: string[]
  restart?: string
  read_only?: boolean
  tmpfs?: string[]
  mem_limit?: string
  environment?: Record<string, string>
  healthcheck?: { test: string[] }
  depends_on?: Record<string, { condition: string }>
  volumes?: string[]
  networks?: string[]
  ports?: string[]
}
interface Compose {
  services: Record<string, Service>
  volumes: Record<string, unknown>
  networks: Record<string, unknown>
}
const topKeys = ['name', 'services', 'volumes', 'networks']
const serviceKeys =
  'image build user profiles entrypoint command environment volumes networks ports depends_on healthcheck restart init read_only tmpfs cap_add cap_drop security_opt mem_limit cpu_shares stop_grace_period logging'.split(
    ' ',
  )

// The parser that Fastify's Swagger plugin brings: none of our own for one file.
const fromCore = createRequire(join(root, 'core/package.json'))
const yaml = createRequire(fromCore.resolve('@fastify/swagger'))('yaml') as { parse(text: string, options: { merge: boolean }): unknown }
const composeText = read('docker/compose.yaml')
const compose = yaml.parse(composeText, { merge: true }) as Compose
const services = Object.entries(compose.services)
const hubs = services.filter(([, service]) => service.build)
const isCalled = (service: Service) => service.profiles !== undefined
const readersOf = (name: string) => (name === 'db' ? databaseVariables : name === 'backup' || name === 'restore' ? backupVariables : hubVariables)

/** `NAME=value` lines, each with the comment above it. */
function parseEnvFile(source: string): Map<string, { value: string; documented: boolean }> {
  const found = new Map<string, { value: string; documented: boolean }>()
  let documented = false
  for (const line of source.split('\n')) {
    if (line.startsWith('#')) documented = true
    else if (line === '') documented = false
    else {
      const [, name = '', value = ''] = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? assert.fail(`not NAME=value: ${line}`)
      assert.ok(!found.has(name), `${name} stands there twice`)
      found.set(name, { value, documented })
    }
  }
  return found
}
const example = parseEnvFile(read('docker/.env.example'))

test('compose.yaml is made of the keys it may have, and everything it names is there', () => {
  for (const key of Object.keys(compose)) assert.ok(topKeys.includes(key) || key.startsWith('x-'), `unknown key ${key}`)
  for (const [name, service] of services) {
    for (const key of Object.keys(service)) assert.ok(serviceKeys.includes(key), `${name}: unknown key ${key}`)
    for (const volume of service.volumes ?? []) {
      const source = volume.split(':')[0] ?? ''
      if (source.startsWith('./')) read(join('docker', source))
      else assert.ok(source in compose.volumes, `${name}: volume ${source} is not declared`)
    }
    for (const network of service.networks ?? assert.fail(`${name} has no networks`)) assert.ok(network in compose.networks, `${name}: network ${network}`)
    for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
      assert.ok(needed in compose.services, `${name} waits for ${needed}, which is no service`)
      assert.equal(condition, 'service_healthy', `${name} waits for ${needed} to be healthy`)
    }
  }
  for (const [name, { build }] of hubs) {
    assert.equal(resolve(root, 'docker', build?.context ?? ''), root, `${name}: build.context`)
    read(build?.dockerfile ?? assert.fail(`${name}: build.dockerfile`))
  }
})

test('every service has a version, a memory limit, a read-only root, a health check, and comes back', () => {
  assert.deepEqual(services.map(([name]) => name).sort(), ['backup', 'caddy', 'db', 'redis', 'restore', 'web', 'worker'])
  for (const [name, service] of services) {
    assert.ok(isPinned(service.image), `${name}: image ${service.image}`)
    assert.match(service.mem_limit ?? '', /^\d+[mg]$/, `${name}: mem_limit`)
    assert.equal(service.read_only, true, `${name}: read_only`)
    assert.ok(service.tmpfs?.includes('/tmp'), `${name}: tmpfs /tmp`)
    assert.equal(service.restart, isCalled(service) ? undefined : 'unless-stopped', `${name}: restart`)
    // The hub's own is the image's.
    assert.ok(service.build || isCalled(service) || service.healthcheck?.test[0] === 'CMD', `${name}: healthcheck in exec form`)
    assert.equal(service.ports !== undefined, name === 'caddy', `${name}: only Caddy is reached from outside`)
  }
})

test('.env.example explains every variable of compose.yaml, each one that somebody reads', () => {
  const used = new Map([...composeText.matchAll(/\$\{([A-Z][A-Z0-9_]*)(:[?-])?[^}]*\}/g)].map(([, name = '', kind]) => [name, kind]))
  assert.deepEqual([...used.keys()].sort(), [...example.keys()].sort())
  for (const [name, kind] of used) assert.ok(kind, `${name} needs :? when it must be there, :- when it may be missing`)
  for (const [name, { value, documented }] of example) {
    assert.ok(
      [hubVariables, databaseVariables, backupVariables].some((known) => known.has(name)),
      `nobody reads ${name}`,
    )
    assert.ok(documented || name === 'HUB_OWNER_PASSWORD', `${name} has no comment`)
    assert.ok(!isSecret(name) || value === '', `${name} has a value everybody knows`)
  }
  for (const [name, service] of services)
    for (const variable of Object.keys(service.environment ?? {})) assert.ok(readersOf(name).has(variable), `${name} reads no ${variable}`)
  const inCaddyfile = [...read('docker/Caddyfile').matchAll(/\{\$([A-Z][A-Z0-9_]*)/g)].map(([, name]) => name)
  for (const name of inCaddyfile) assert.ok(name && compose.services.caddy?.environment?.[name], `Caddy is not given ${name}`)
})

test('the hub accepts what compose.yaml gives it, and web and worker share what they must', () => {
  const dataKey = `k1:${Buffer.alloc(32, 7).toString('base64')}`
  const sample = (name: string) =>
    name === 'HUB_DATA_KEY' ? dataKey : isSecret(name) && !/^(HUB_OWNER|S3)_/.test(name) ? 'x'.repeat(48) : (example.get(name)?.value ?? '')
  const envs = hubs.map(([name, service]) => {
    const given = Object.entries(service.environment ?? {}).map(([key, value]) => [
      key,
      value.replace(/\$\{([A-Z][A-Z0-9_]*)[^}]*\}/g, (_, used: string) => sample(used)),
    ])
    return [name, readEnv({ ...Object.fromEntries(environment(final)), ...Object.fromEntries(given) })] as const
  })
  assert.deepEqual(Object.fromEntries(envs.map(([name, env]) => [name, env.roles])), {
    web: { web: true, worker: false },
    worker: { web: false, worker: true },
  })
  const [web, worker] = envs.map(([, env]) => ({ ...env, roles: undefined }))
  assert.deepEqual(web, worker)
  assert.deepEqual(compose.services.web?.volumes, compose.services.worker?.volumes)
  assert.ok(web && new URL(web.databaseUrl).hostname in compose.services && new URL(web.redisUrl).hostname in compose.services)
  assert.match(read('docker/Caddyfile'), new RegExp(`name web\\s+port ${web?.port}\\s`), 'Caddy asks the port that the hub listens on')
})

test('what the services may take together is what the README says, and less than the machine it asks for has', () => {
  const readme = read('docker/README.md')
  const told = new Map([...readme.matchAll(/^\| (\w+) +\| (\d+) ([mg]) +\|/gm)].map(([, name, size, unit]) => [name, `${size}${unit}`]))
  const always = services.filter(([, service]) => !isCalled(service))
  assert.deepEqual(told, new Map(always.map(([name, service]) => [name, service.mem_limit])))
  const megabytes = (limit = '') => Number.parseInt(limit, 10) * (limit.endsWith('g') ? 1_024 : 1)
  const sum = always.reduce((all, [, { mem_limit }]) => all + megabytes(mem_limit), 0)
  const machine = Number(/a machine with (\d+) GB of memory/.exec(readme)?.[1]) * 1_024
  assert.ok(sum < machine, `${sum} MB of ${machine}`)
})

test('backup and restore know the database as the hub does, are of its version, and may no more than they need', () => {
  const { backup, restore, db } = compose.services
  const script = read('docker/backup.sh')
  for (const variable of backupVariables) assert.ok(script.includes(`\${${variable}`), `backup.sh reads no ${variable}`)
  for (const service of [backup, restore]) {
    assert.equal(service?.image, db?.image)
    const given = service?.environment ?? {}
    const { username, password, hostname, pathname } = new URL((compose.services.web?.environment?.DATABASE_URL ?? '').replace(/\$\{(\w+).*?\}/, '$1'))
    assert.deepEqual(
      [given.MARIADB_USER, given.MARIADB_PASSWORD, given.MARIADB_HOST, given.MARIADB_DATABASE],
      [username, `\${${password}:?}`, hostname, pathname.slice(1)],
    )
  }
  // Who copies cannot change what it copies, who restores not the copies.
  assert.deepEqual(backup?.volumes?.slice(1), ['data:/data:ro', 'backup:/backup'])
  assert.deepEqual(restore?.volumes?.slice(1), ['data:/data', 'backup:/backup:ro'])
  assert.equal(restore?.user, last('USER'))
  assert.equal(backup?.user?.split(':')[1], last('USER').split(':')[1])
})

test('Caddy keeps a socket on one replica without a cookie', () => {
  const directives = read('docker/Caddyfile').replace(/^\s*#.*$/gm, '')
  assert.match(directives, /lb_policy client_ip_hash/, 'several web replicas need sticky sessions')
  assert.doesNotMatch(directives, /cookie/i, 'the widget promises that no page with it sets one')
})

// ── What the Dockerfile runs ────────────────────────────────────────────────────────────────────────────────────

/** What `COPY . .` sees: the files of the repository that .dockerignore leaves. */
function buildContext(): string[] {
  const patterns = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  for (const pattern of patterns) assert.doesNotMatch(pattern, /^[!/]|\/$/, 'this test understands plain patterns only')
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' }).split('\0')
  return files.filter((file) => file !== '' && !patterns.some((pattern) => matchesGlob(file, pattern) || matchesGlob(file, `${pattern}/**`)))
}

/** Without what this test run, npm or an operator's shell would lend the clean directory. */
function cleanEnv(): NodeJS.ProcessEnv {
  const lent = (name: string) =>
    hubVariables.has(name) || /^(NODE_(?!EXTRA_CA_CERTS)|INIT_CWD|npm_(?!config_(registry|cache|userconfig|globalconfig|cafile|.*proxy)$))/i.test(name)
  const kept = Object.fromEntries(Object.entries(process.env).filter(([name]) => !lent(name)))
  return {
    ...kept,
    PATH: (kept.PATH ?? '')
      .split(delimiter)
      .filter((dir) => !dir.includes('node_modules'))
      .join(delimiter),
  }
}

test('what the Dockerfile runs builds, starts, answers and ends in a clean directory', { timeout: 300_000 }, async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'huike-image-'))
  t.after(() => rmSync(place, { recursive: true, force: true }))
  const [app, data] = [join(place, 'app'), join(place, 'data')]
  for (const file of buildContext()) {
    mkdirSync(dirname(join(app, file)), { recursive: true })
    cpSync(join(root, file), join(app, file))
  }

  // The stages before the last one work on the same tree, one after the other.
  for (const command of stages.slice(0, -1).flatMap((stage) => texts(stage, 'RUN'))) {
    const started = Date.now()
    execFileSync('/bin/sh', ['-c', command], { cwd: app, env: cleanEnv(), stdio: ['ignore', 'pipe', 'pipe'], timeout: 240_000 })
    t.diagnostic(`${command}: ${Math.round((Date.now() - started) / 1_000)} s`)
  }
  for (const name of ['@biomejs', '@playwright', 'knip']) assert.ok(!existsSync(join(app, 'node_modules', name)), `${name} is for developers only`)
  // The apps are bundles by now: what they were made of, and with, stays behind. Their packages are devDependencies.
  for (const name of ['vite', '@rolldown', 'typescript', 'vue', 'element-plus', 'pinia'])
    assert.ok(!existsSync(join(app, 'node_modules', name)), `${name} is needed to build only`)

  // Root can play the image's user, to whom the application is read-only.
  const [uid, gid] = last('USER').split(':').map(Number)
  const asUser = process.getuid?.() === 0 ? { uid, gid } : {}
  mkdirSync(data)
  chmodSync(place, 0o755)
  if (asUser.uid && asUser.gid) chownSync(data, asUser.uid, asUser.gid)
  const port = await freePort()
  const env = { ...cleanEnv(), ...Object.fromEntries(environment(final)), HOST: '127.0.0.1', PORT: String(port), HUB_DATA: data, HOME: data }
  const launch = ([program = '', ...args]: string[]) => {
    const child = spawn(program, args, { cwd: app, env, stdio: ['ignore', 'pipe', 'pipe'], ...asUser })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    const ended = new Promise<number | string | null>((done) =>
      child.on('error', (error) => done(error.message)).on('close', (code, signal) => done(code ?? signal)),
    )
    return { child, ended, output: () => output }
  }
  assert.notEqual(await launch(healthCommand()).ended, 0, 'nothing runs yet: not healthy')

  const hub = launch(execForm(last('CMD')))
  t.after(() => hub.child.kill('SIGKILL'))
  let over: number | string | null | undefined
  void hub.ended.then((code) => (over = code))
  const ready = () => fetch(`http://127.0.0.1:${port}/readyz`).then((answer) => answer.status === 200)
  while (!(await ready().catch(() => false))) {
    assert.equal(over, undefined, `the hub ended before it was ready:\n${hub.output()}`)
    await new Promise((done) => setTimeout(done, 200))
  }
  const health = launch(healthCommand())
  assert.equal(await health.ended, 0, health.output())
  for (const page of ['/workbench', '/admin']) {
    const html = await (await fetch(`http://127.0.0.1:${port}${page}`)).text()
    const script = /src="([^"]+\.js)"/.exec(html)?.[1] ?? assert.fail(`${page} has not been built`)
    assert.equal((await fetch(new URL(script, `http://127.0.0.1:${port}`))).status, 200, script)
  }
  assert.equal((await fetch(`http://127.0.0.1:${port}/widget.js`)).status, 200)

  hub.child.kill('SIGTERM')
  assert.equal(await hub.ended, 0, hub.output())
})
