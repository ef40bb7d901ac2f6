/** Personal fields at rest: sealed in every way they are written, found as a whole, brought to a new key while the hub runs. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { execute, readRaw, sql } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { parseDataKeys } from '../../core/src/sealing/keyring.ts'
import { beginSealing, sealedColumns, sealSome } from '../../core/src/sealing/seal-rows.ts'
import { everyColumn } from '../support/every-table.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { found, startWorld, type World } from '../support/world.ts'

const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`
const person = { externalId: 'sealed-1', name: '诸葛不亮', phone: '13912345678', email: 'Kong.Ming@example.com', verified: true }
const secrets = [person.name, person.phone, person.email, person.email.toLowerCase()]

/** Every value of every column, as the database holds it. */
const dump = async (em: Em, mysql: boolean): Promise<string> => [...(await everyColumn(em, mysql)).values()].join('\n')

const meet = (world: World, inboxId: string, from: object = person) =>
  world.hub.intake.accept(inboxId, [{ kind: 'message', externalId: newId(), from: from as typeof person, parts: [{ type: 'text', text: '你好' }] }])

async function rotated(em: Em): Promise<void> {
  await beginSealing(em)
  while (!(await sealSome(em)));
}

test('a data key is checked before the hub starts', () => {
  for (const wrong of ['abc', 'a:short', `${key('a')},${key('a')}`, key('hub'), `A B:${randomBytes(32).toString('hex')}`])
    assert.throws(() => parseDataKeys(wrong), wrong)
  assert.deepEqual(
    parseDataKeys(`${key('new')}\n${key('old')}\n`).map(({ id }) => id),
    ['new', 'old'],
  )
})

for (const profile of await profiles())
  describe(`sealing [${profile}]`, () => {
    test('nothing of a personal field is in the database; whole values find it; keys rotate under traffic; a missing key is said', async () => {
      const place = await makePlace(profile)
      const plugins = [found(mockChannel('sealing').manifest)]
      const [one, two] = [key('one'), key('two')]
      let world = await startWorld(place, plugins, { HUB_DATA_KEY: one })
      try {
        const agent = await world.person('李', 'admin')
        const inbox = await world.inbox('sealing')
        await meet(world, inbox.id)
        const em = world.hub.em()
        const contact = await em.findOneOrFail(Contact, { mergedIntoId: null }, { disableIdentityMap: true })
        assert.deepEqual([contact.name, contact.phone, contact.email], [person.name, person.phone, person.email])
        const held = await dump(em, profile === 'served')
        for (const secret of secrets) assert.ok(!held.includes(secret), `${secret} is in the clear`)

        // Found as a whole, however it is written; not by a part.
        const count = async (words: string) =>
          (await agent.call('GET', `/api/records?filter=${encodeURIComponent(JSON.stringify({ contact: words }))}`)).body.items.length
        for (const words of [person.name, person.phone, '+86 139-1234-5678', 'KONG.ming@example.com']) assert.equal(await count(words), 1, words)
        for (const words of ['诸葛', '1391234567', 'kong']) assert.equal(await count(words), 0, words)

        // Another identity that the platform vouches for is the same person: by the hash of the claim.
        await meet(world, (await world.inbox('sealing')).id, { ...person, externalId: 'sealed-2' })
        assert.equal(await em.count(Contact, {}), 1)

        // What an older hub wrote in the clear is read and found meanwhile.
        const raw = (text: string) => ({ text, params: [] })
        await execute(em, sql`update contact set phone = ${person.phone}`)
        await execute(em, sql`update contact_claim set value = ${person.phone} where kind = ${'phone'}`)
        assert.equal((await em.findOneOrFail(Contact, { mergedIntoId: null }, { disableIdentityMap: true })).phone, person.phone)
        assert.equal(await count(person.phone), 2)
        await meet(world, (await world.inbox('sealing')).id, { ...person, externalId: 'sealed-3' })
        assert.equal(await em.count(Contact, {}), 1)
        await rotated(em)
        assert.ok(!(await dump(em, profile === 'served')).includes(person.phone))

        // A new key first: everything goes over to it while messages arrive; then the old one is not needed.
        await world.running.stop()
        world = await startWorld(place, plugins, { HUB_DATA_KEY: `${two},${one}` })
        const traffic = Array.from({ length: 30 }, (_, n) => meet(world, inbox.id, { ...person, externalId: `new-${n}`, verified: false }))
        await rotated(world.hub.em())
        await Promise.all(traffic)
        for (const { table, columns } of sealedColumns(world.hub.em()))
          for (const { name } of columns) {
            const rows = await readRaw(
              world.hub.em(),
              raw(
                `select 1 from \`${table}\` where \`${name}\` like 'e1.%.one.%' or \`${name}\` is not null and \`${name}\` <> '' and \`${name}\` not like 'e1.%'`,
              ),
            )
            assert.equal(rows.length, 0, `${table}.${name}`)
          }
        await world.running.stop()
        world = await startWorld(place, plugins, { HUB_DATA_KEY: two })
        const again = await world.signIn(agent.agent)
        const { items } = (await again.call('GET', `/api/records?filter=${encodeURIComponent(JSON.stringify({ contact: person.phone }))}`)).body
        assert.equal(items.length, 33)

        // Without it: a code, not a crash; with it again all is there.
        await world.running.stop()
        world = await startWorld(place, plugins, { HUB_DATA_KEY: one })
        const blocked = await (await world.signIn(agent.agent)).call('GET', `/api/contacts/${contact.id}`)
        assert.deepEqual([blocked.status, blocked.body.code], [503, 'HUB_DATA_SEALED'])
        assert.equal(JSON.stringify(blocked.body).includes(person.phone), false)
        await world.running.stop()
        world = await startWorld(place, plugins, { HUB_DATA_KEY: two })
        assert.equal((await (await world.signIn(agent.agent)).call('GET', `/api/contacts/${contact.id}`)).body.phone, person.phone)
      } finally {
        await world.running.stop()
        await place.remove()
      }
    })
  })
