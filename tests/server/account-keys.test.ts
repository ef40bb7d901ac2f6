/** The columns that find a WeChat or QQ account come to a database that has contacts already: those are found at once, sealed or still in the clear. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coreHistory } from '../../core/src/db/history.ts'
import { migrate } from '../../core/src/db/migrate.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { execute, readRaw, sql } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { contactsBy } from '../../core/src/domain/conversation/find-by-contact.ts'
import { loadIndexKey } from '../../core/src/sealing/index-key.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { silent } from '../support/world.ts'

for (const profile of await profiles())
  test(`accounts of contacts that were there before [${profile}]`, async () => {
    const place = await makePlace(profile, { empty: true })
    const dialect = place.databaseUrl === '' ? 'sqlite' : 'mysql'
    const orm = await openOrm({ ...place, secret: 'a secret of thirty-two characters!' })
    try {
      const before = coreHistory.migrations.slice(
        0,
        coreHistory.migrations.findIndex(({ name }) => name === '0064-account-keys'),
      )
      await migrate(orm, dialect, [{ owner: 'core', migrations: before }], silent)
      const em = orm.em.fork() as Em
      await loadIndexKey(em)
      const people = Array.from({ length: 300 }, (_, n) => ({ id: newId(), number: n + 1, wechat: `tea_house_${n}`, qq: String(700_000_000 + n) }))
      for (const { id, number, wechat, qq } of people)
        await em.insert(Contact, { id, number, wechat, qq, attributes: {}, createdAt: new Date(), updatedAt: new Date() })
      // One that a hub of before sealing wrote.
      const [clear] = people as [(typeof people)[number]]
      await execute(em, sql`update contact set wechat = ${clear.wechat}, qq = ${clear.qq} where id = ${clear.id}`)

      assert.ok((await migrate(orm, dialect, [coreHistory], silent)).includes('core/0064-account-keys'))
      for (const one of [clear, people[7], people[299]])
        for (const field of ['wechat', 'qq'] as const) {
          const asked = contactsBy(em, field, one?.[field] ?? '')
          assert.deepEqual(await readRaw(em, asked), [{ id: one?.id }], field)
          const plan = JSON.stringify(await em.execute(`explain ${profile === 'served' ? '' : 'query plan '}${asked.text}`, [...asked.params]))
          assert.match(plan, new RegExp(`contact_${field}_key`), plan)
        }
      assert.deepEqual(await migrate(orm, dialect, [coreHistory], silent), [])
    } finally {
      await orm.close()
      await place.remove()
    }
  })
