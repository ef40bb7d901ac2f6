/** `entities`, `migrations`: tables of the plugin's own, made on both databases, agreeing with what the code thinks they are. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineEntity, type EntitySchema, p, UniqueConstraintViolationException } from '@mikro-orm/core'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { schemaDrift } from '../../core/src/db/drift.ts'
import { coreHistory } from '../../core/src/db/history.ts'
import { migrate, migrationStatus } from '../../core/src/db/migrate.ts'
import { newId } from '../../core/src/db/types.ts'
import { found, onEveryProfile, silent } from '../support/world.ts'

const NoteSchema = defineEntity({
  name: 'ShelfNote',
  tableName: 'shelf_note',
  properties: {
    id: p.string().length(26).primary(),
    /** Points at the core's table; the core never points back. */
    contactId: p.string().length(26),
    text: p.text(),
    pinned: p.boolean().default(false),
    createdAt: p.datetime(3),
  },
  uniques: [{ properties: ['contactId', 'createdAt'], name: 'shelf_note_contact_unique' }],
})
class Note extends NoteSchema.class {}
NoteSchema.setClass(Note)

const shelf = definePlugin({
  id: 'shelf',
  version: '1.0.0',
  label: { zh: '便签', en: 'Notes' },
  entities: [NoteSchema as unknown as EntitySchema],
  migrations: [
    {
      name: '0001-note',
      mysql: [
        'create table `shelf_note` (`id` varchar(26) not null, `contact_id` varchar(26) not null, `text` text not null, `created_at` datetime(3) not null, primary key (`id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
        'alter table `shelf_note` add unique `shelf_note_contact_unique` (`contact_id`, `created_at`)',
      ],
      sqlite: [
        'create table `shelf_note` (`id` text not null primary key, `contact_id` text not null, `text` text not null, `created_at` datetime not null)',
        'create unique index `shelf_note_contact_unique` on `shelf_note` (`contact_id`, `created_at`)',
      ],
    },
    {
      name: '0002-pinned',
      mysql: ['alter table `shelf_note` add `pinned` tinyint(1) not null default false'],
      sqlite: ['alter table `shelf_note` add column `pinned` integer not null default false'],
    },
  ],
})

await onEveryProfile('entities', [found(shelf)], (world) => {
  const histories = [coreHistory, { owner: 'shelf', migrations: shelf.migrations ?? [] }]

  test('the table holds what is put in it, and its unique key is one', async () => {
    const note = { id: newId(), contactId: newId(), text: '喜欢红色，别打电话', pinned: true, createdAt: new Date('2026-05-01T02:03:04.567Z') }
    await world().hub.em().insert(Note, note)
    assert.deepEqual({ ...(await world().hub.em().findOneOrFail(Note, { id: note.id })) }, note)
    await assert.rejects(
      world()
        .hub.em()
        .insert(Note, { ...note, id: newId() }),
      UniqueConstraintViolationException,
    )
  })

  test('entities and migrations say the same', async () => {
    assert.deepEqual(await schemaDrift(world().hub.orm), [])
  })

  test('each migration is recorded under its plugin and never runs again', async () => {
    const { orm, dialect } = world().hub
    const own = (await migrationStatus(orm, histories)).filter(({ owner }) => owner === 'shelf')
    assert.deepEqual(
      own.map(({ name, appliedAt }) => [name, appliedAt instanceof Date]),
      [
        ['0001-note', true],
        ['0002-pinned', true],
      ],
    )
    assert.deepEqual(await migrate(orm, dialect, histories, silent), [])
  })

  test('switched off and on, the rows are still there', async () => {
    const id = newId()
    await world().hub.em().insert(Note, { id, contactId: newId(), text: '留着', pinned: false, createdAt: new Date() })
    await world().whileOff('shelf', async () => undefined)
    assert.equal((await world().hub.em().findOneOrFail(Note, { id })).text, '留着')
  })
})
