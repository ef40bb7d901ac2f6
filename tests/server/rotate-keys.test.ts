/** Changing the data key as the operator does: the command itself, killed half-way, run twice at once, and with the old key gone too early. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import type { Em, Orm } from '../../core/src/db/orm.ts'
import { insertRows, keepStatements, readRaw, sql } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { storeFile } from '../../core/src/domain/file/store-file.ts'
import { Setting } from '../../core/src/domain/setting/setting.entity.ts'
import { startCommand } from '../support/command.ts'
import { makePlace, type Place, profiles } from '../support/profiles.ts'
import { eventually, found, startWorld } from '../support/world.ts'

const contacts = 400
const files = 8
const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`

const command = (script: string, place: Place, dataKey: string) => startCommand(script, place, [], { HUB_DATA_KEY: dataKey })
const run = (script: string, place: Place, dataKey: string) => command(script, place, dataKey).ended

const sealedBy = async (em: Em, id: string): Promise<number> =>
  Number((await readRaw<{ n: number | string }>(em, sql`select count(*) as n from contact where phone like ${`e1.%.${id}.%`}`))[0]?.n)

for (const profile of await profiles())
  describe(`rotating data keys [${profile}]`, () => {
    test('killed half-way it goes on; twice at once does no harm; a key that is missing is named; the doctor tells each state', {
      timeout: 120_000,
    }, async () => {
      const place = await makePlace(profile)
      const [one, two, three] = [key('one'), key('two'), key('three')]
      const plugins = [found(mockChannel('rotating').manifest)]
      let world = await startWorld(place, plugins, { HUB_DATA_KEY: one })
      let em = world.hub.em()
      let orm: Orm | undefined
      const phone = (n: number) => `139${String(n).padStart(8, '0')}`
      const held: { hash: string; bytes: Buffer }[] = []
      try {
        await world.say(await world.inbox('rotating'), 'somebody', '你好')
        const first = await em.findOneOrFail(Contact, { mergedIntoId: null }, { disableIdentityMap: true })
        await insertRows(
          em,
          Contact,
          Array.from({ length: contacts }, (_, n) => ({ ...first, id: newId(), number: 500_000 + n, phone: phone(n) })),
        )
        for (let n = 0; n < files; n++) {
          const bytes = Buffer.from(`附件 ${newId()}`)
          held.push({ hash: (await storeFile(world.hub, { name: 'a.txt', bytes, uploadedBy: newId() })).hash, bytes })
        }
        await world.running.stop()
        orm = await openOrm(place)
        await keepStatements(orm, place.databaseUrl === '' ? 'sqlite' : 'mysql')
        em = orm.em.fork() as Em
        assert.match((await run('doctor.ts', place, one)).said, /ok {2}Data key .*\d+ sealed fields are under "one"/)

        // Killed as soon as something is done.
        const cut = command('rotate-keys.ts', place, `${two},${one}`)
        await eventually(async () => (await sealedBy(em, 'two')) > 0, 'the first batch')
        cut.child.kill('SIGKILL')
        await cut.ended
        const left = await sealedBy(em, 'one')
        assert.ok(left > 0 && left < contacts, `${left} are left`)
        const half = (await run('doctor.ts', place, `${two},${one}`)).said
        assert.match(half, /warn {2}Data key .*sealed fields are under the older key "one"\n +→ npm run rotate-keys/)

        // The old key is taken out too early.
        const early = await run('rotate-keys.ts', place, two)
        assert.equal(early.code, 1)
        assert.match(early.said, /sealed with the data key "one", which the hub does not have: put it back into HUB_DATA_KEY/)
        assert.equal(await sealedBy(em, 'one'), left, 'nothing was touched')
        const ill = await run('doctor.ts', place, two)
        assert.match(ill.said, /BAD {2}Data key .*"one".*\n +→ .*Put the key "one" back into HUB_DATA_KEY/)
        // Another key by the name of the old one opens nothing.
        const wrong = await run('rotate-keys.ts', place, `${two},${key('one')}`)
        assert.equal(wrong.code, 1)
        assert.match(wrong.said, /What the key "one" sealed does not open: is it another key of that name\?/)

        // It goes on, also when two do it.
        const both = await Promise.all([run('rotate-keys.ts', place, `${two},${one}`), run('rotate-keys.ts', place, `${two},${one}`)])
        for (const { code, said } of both) {
          assert.equal(code, 0, said)
          assert.match(said, /No field and no file needs one any more/)
        }
        assert.deepEqual([await sealedBy(em, 'one'), await sealedBy(em, 'two')], [0, contacts])
        assert.match((await run('doctor.ts', place, two)).said, new RegExp(`ok {2}Data key .*${files} files of the ${files} looked at are under "two"`))

        // Once more: everything opens with the newest key alone.
        assert.equal((await run('rotate-keys.ts', place, `${three},${two}`)).code, 0)
        await orm.close()
        world = await startWorld(place, plugins, { HUB_DATA_KEY: three })
        em = world.hub.em()
        const rows = await em.find(Contact, { number: { $gte: 500_000 } }, { orderBy: { number: 'asc' }, disableIdentityMap: true })
        assert.deepEqual(
          rows.map((row) => row.phone),
          Array.from({ length: contacts }, (_, n) => phone(n)),
        )
        for (const { hash, bytes } of held) assert.deepEqual(await world.hub.files.bytes(hash), bytes)
        assert.equal(((await em.findOneOrFail(Setting, { key: 'data.sealing' }, { disableIdentityMap: true })).value as { done: boolean }).done, true)
      } finally {
        await orm?.close()
        await world.running.stop()
        await place.remove()
      }
    })
  })
