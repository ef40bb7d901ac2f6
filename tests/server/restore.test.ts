/** A backup made of a running hub as `docker/README.md` or `docker/backup.sh` says, restored into a place where there was nothing. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { partOf, storeFile } from '../../core/src/domain/file/store-file.ts'
import { makePlace, type Place, profiles } from '../support/profiles.ts'
import { found, startWorld } from '../support/world.ts'

const readme = readFileSync(resolve(import.meta.dirname, '../../docker/README.md'), 'utf8')
/** What the README's commands say, without the containers around them. */
const told = (form: RegExp): string => form.exec(readme)?.[1] ?? assert.fail(`docker/README.md has no ${form}`)
const script = resolve(import.meta.dirname, '../../docker/backup.sh')
const copyScript = told(/-e \\\n +"(new .*)"\n/)
const excluded = told(/tar -C \/data (--exclude='[^']+') /).replaceAll("'", '')

const sh = (script: string, env: Record<string, string> = {}): string =>
  execFileSync('sh', ['-ec', script], { env: { ...process.env, ...env }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const hasDump = (): boolean => {
  try {
    return sh('command -v mariadb-dump && command -v mariadb') !== ''
  } catch {
    return false
  }
}
/** docker/backup.sh, as its services call it. */
function backupSh({ databaseUrl, dataDir }: Place, backups: string, ...args: string[]): string {
  const { hostname, port, username, password, pathname } = new URL(databaseUrl)
  const env = {
    ...{ BACKUP_DIR: backups, DATA_DIR: dataDir, MARIADB_HOST: hostname, MARIADB_PORT: port || '3306', MARIADB_DATABASE: pathname.slice(1) },
    ...{ MARIADB_USER: username, MARIADB_PASSWORD: decodeURIComponent(password) },
  }
  return execFileSync('sh', [script, ...args], { env: { ...process.env, ...env }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function backUp(place: Place, into: string): void {
  if (place.databaseUrl === '') {
    sh(`"$NODE" -e "$SCRIPT"`, { NODE: process.execPath, SCRIPT: copyScript.replaceAll('\\"', '"').replaceAll('/data/', `${place.dataDir}/`) })
    sh(`tar -C '${place.dataDir}' ${excluded} -czf '${into}/data.tar.gz' .`)
    return
  }
  backupSh(place, into, 'now')
}

function restore(from: string, place: Place): void {
  if (place.databaseUrl === '') {
    sh(`rm -f '${place.dataDir}'/hub.sqlite*; tar -C '${place.dataDir}' -xzf '${from}/data.tar.gz'`)
    renameSync(join(place.dataDir, 'backup.sqlite'), join(place.dataDir, 'hub.sqlite'))
    return
  }
  backupSh(place, from, 'restore', backupSh(place, from, 'list').trim())
}

for (const profile of await profiles())
  describe(`a restored backup [${profile}]`, () => {
    test('the hub starts, records open, sealed fields are read and found, files open, and it goes on', { timeout: 120_000 }, async (t) => {
      if (profile === 'served' && !hasDump()) return t.skip('mariadb-dump is not installed')
      const keys = { HUB_DATA_KEY: `k1:${randomBytes(32).toString('base64')}` }
      const plugins = [found(mockChannel('restored').manifest)]
      const backup = mkdtempSync(join(tmpdir(), 'huike-backup-'))
      const [before, after] = [await makePlace(profile), await makePlace(profile)]
      let world = await startWorld(before, plugins, keys)
      try {
        const agent = await world.person('李静', 'admin')
        const inbox = await world.inbox('restored')
        const person = { externalId: 'restored-1', name: '诸葛不亮', phone: '13912345678', verified: true }
        const [accepted] = await world.hub.intake.accept(inbox.id, [
          { kind: 'message', externalId: newId(), from: person, parts: [{ type: 'text', text: '上个月的发票还没有收到' }] },
        ])
        const id = accepted?.conversationId ?? ''
        const bytes = randomBytes(200_000)
        const file = await storeFile(world.hub, { name: '发票.bin', bytes, uploadedBy: agent.id })
        assert.equal((await world.reply(agent, id, '请查收', { parts: [partOf(file)] })).status, 201)
        const contact = await world.hub.em().findOneOrFail(Contact, { mergedIntoId: null }, { disableIdentityMap: true })
        // While it runs.
        backUp(before, backup)
        await world.running.stop()
        await before.remove()

        restore(backup, after)
        world = await startWorld(after, plugins, keys)
        // The session of before holds.
        const call = (method: string, path: string, body?: unknown) => world.signIn(agent.agent).then((someone) => someone.call(method, path, body))
        const filter = (words: object) => `/api/records?filter=${encodeURIComponent(JSON.stringify(words))}`
        for (const words of [person.phone, '+86 139-1234-5678', person.name]) {
          const { items } = (await call('GET', filter({ contact: words }))).body
          assert.deepEqual(
            items.map((row: { id: string }) => row.id),
            [id],
            words,
          )
        }
        assert.equal((await call('GET', filter({ keyword: '发票还没有' }))).body.items.length, 1)
        assert.deepEqual(((await call('GET', `/api/contacts/${contact.id}`)).body as { name: string; phone: string }).phone, person.phone)
        const { items } = (await call('GET', `/api/conversations/${id}/messages`)).body
        assert.ok(items.some((message: { parts: { text?: string }[] }) => message.parts[0]?.text === '上个月的发票还没有收到'))
        assert.equal((await call('GET', `/api/records/${id}`)).status, 200)
        const opened = await fetch(new URL(`/api/files/${file.id}`, world.url), { headers: { cookie: (await world.signIn(agent.agent)).cookie } })
        assert.deepEqual(Buffer.from(await opened.arrayBuffer()), bytes)
        // The same person goes on where they were.
        const [next] = await world.hub.intake.accept(inbox.id, [
          { kind: 'message', externalId: newId(), from: person, parts: [{ type: 'text', text: '还是没有' }] },
        ])
        assert.equal(next?.conversationId, id)
      } finally {
        await world.running.stop()
        await before.remove()
        await after.remove()
        rmSync(backup, { recursive: true, force: true })
      }
    })
  })
