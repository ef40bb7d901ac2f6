/** The column that says what a name counts within comes to a database that has names already: each gets what the inbox it was told in says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { coreHistory } from '../../core/src/db/history.ts'
import { migrate } from '../../core/src/db/migrate.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { execute, readRaw, sql } from '../../core/src/db/statements.ts'
import { IdentityClaim } from '../../core/src/domain/contact/contact.entity.ts'
import { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { makePlace, profiles } from '../support/profiles.ts'
import { silent } from '../support/world.ts'

const names = [
  { kind: 'userId', settings: {}, subject: 'default' },
  { kind: 'userId', settings: { userSubject: '', openPlatform: '总店' }, subject: 'default' },
  { kind: 'userId', settings: { userSubject: ' 二店 ' }, subject: '二店' },
  { kind: 'unionid', settings: { userSubject: '二店', openPlatform: '总店:华东' }, subject: '总店' },
  { kind: 'phone', settings: { userSubject: '二店' }, subject: '' },
] as const

for (const profile of await profiles())
  test(`names that were there before [${profile}]`, async () => {
    const place = await makePlace(profile, { empty: true })
    const dialect = place.databaseUrl === '' ? 'sqlite' : 'mysql'
    const orm = await openOrm(place)
    try {
      const at = coreHistory.migrations.findIndex(({ name }) => name === '0084-name-subject')
      await migrate(orm, dialect, [{ owner: 'core', migrations: coreHistory.migrations.slice(0, at) }], silent)
      const em = orm.em.fork() as Em
      const createdAt = new Date()
      for (const [n, { kind, settings }] of names.entries()) {
        const id = `person-${n}`
        await em.insert(Inbox, { id, channel: 'mock', name: id, settings, departmentId: null, skillGroupId: null, createdAt })
        await execute(
          em,
          sql`insert into identity (id, inbox_id, external_id, sealed_id, contact_id, verified, attributes, address, created_at)
              values (${id}, ${id}, ${id}, '', ${id}, 1, '{}', '', ${'2026-01-01 00:00:00'})`,
        )
        await em.insert(IdentityClaim, { identityId: id, kind, value: `name-${n}`, verified: true, createdAt })
        await execute(
          em,
          sql`insert into contact_claim (kind, value, contact_id, created_at) values (${kind}, ${`name-${n}`}, ${id}, ${'2026-01-01 00:00:00'})`,
        )
      }
      await migrate(orm, dialect, [coreHistory], silent)
      const rows = await readRaw<{ subject: string }>(em, sql`select subject from contact_claim order by value`)
      assert.deepEqual(
        rows.map(({ subject }) => subject),
        names.map(({ subject }) => subject),
      )
    } finally {
      await orm.close()
      await place.remove()
    }
  })
