/** `sealed`: a column of a plugin's own that the database holds sealed, from the sdk alone; what was in the clear is sealed in the background. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineEntity, type EntitySchema, p } from '@mikro-orm/core'
import { definePlugin } from '../../core/sdk/plugin.ts'
import { sealed, sealedLength, sealedProse } from '../../core/sdk/sealed.ts'
import { schemaDrift } from '../../core/src/db/drift.ts'
import { execute, readRaw, sql } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import { isSealing, sealSome } from '../../core/src/sealing/seal-rows.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

const PassSchema = defineEntity({
  name: 'GatePass',
  tableName: 'gate_pass',
  properties: { id: p.string().length(26).primary(), holder: sealed('gate_pass.holder', 20), note: sealedProse('gate_pass.note'), gate: p.integer() },
})
class Pass extends PassSchema.class {}
PassSchema.setClass(Pass)

const gate = definePlugin({
  id: 'gate',
  version: '1.0.0',
  label: { zh: '门禁', en: 'Gate' },
  entities: [PassSchema as unknown as EntitySchema],
  migrations: [
    {
      name: '0001-pass',
      mysql: [
        `create table \`gate_pass\` (\`id\` varchar(26) not null, \`holder\` varchar(${sealedLength(20)}) not null default '', \`note\` mediumtext not null, \`gate\` int not null, primary key (\`id\`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
      ],
      sqlite: ["create table `gate_pass` (`id` text not null primary key, `holder` text not null default '', `note` text not null, `gate` integer not null)"],
    },
  ],
})

await onEveryProfile('a sealed column', [found(gate)], (world) => {
  const em = () => world().hub.em()
  const held = async (id: string) => (await readRaw<{ holder: string }>(em(), sql`select holder from gate_pass where id = ${id}`))[0]?.holder ?? ''

  test('holds nothing in the clear, is read as it was written, and equal values do not look alike', async () => {
    assert.deepEqual(await schemaDrift(world().hub.orm), [])
    const [one, two] = [newId(), newId()]
    const longest = '慕'.repeat(20)
    await em().insert(Pass, { id: one, holder: longest, note: '', gate: 1 })
    await em().upsert(Pass, { id: two, holder: longest, note: '', gate: 1 }, { onConflictAction: 'ignore', disableIdentityMap: true })
    assert.equal((await em().findOneOrFail(Pass, { id: two })).holder, longest)
    assert.match(await held(one), /^e1\.0{32}\./)
    assert.ok(!(await held(one)).includes('慕') && (await held(one)) !== (await held(two)))
    // Read and left alone, a row is not written anew.
    const before = await held(one)
    const work = em()
    const pass = await work.findOneOrFail(Pass, { id: one })
    await work.flush()
    assert.equal(await held(one), before)
    pass.holder = '欧阳'
    await work.flush()
    assert.equal((await em().findOneOrFail(Pass, { id: one })).holder, '欧阳')
    await assert.rejects(em().count(Pass, { holder: '欧阳' }), /gate_pass\.holder is sealed/)
  })

  test('a long text too', async () => {
    const [id, note] = [newId(), '登记在册，'.repeat(10_000)]
    await em().insert(Pass, { id, holder: '', note, gate: 3 })
    assert.equal((await em().findOneOrFail(Pass, { id })).note, note)
    const [row] = await readRaw<{ note: string }>(em(), sql`select note from gate_pass where id = ${id}`)
    assert.match(row?.note ?? '', /^e1\.0{32}\.[\w.-]+$/)
  })

  test('what an older version wrote in the clear is read, and sealed by the hub', async () => {
    const id = newId()
    await em().insert(Pass, { id, holder: '', note: '', gate: 2 })
    assert.equal(await held(id), '')
    await execute(em(), sql`update gate_pass set holder = ${'诸葛'} where id = ${id}`)
    assert.equal((await em().findOneOrFail(Pass, { id })).holder, '诸葛')
    // Columns that came with a plugin begin the walk anew.
    await execute(em(), sql`delete from setting where ${{ text: '`key`', params: [] }} = ${'data.sealing'}`)
    // The hub's own worker may be at it already.
    while (!(await sealSome(em())));
    await eventually(async () => !(await isSealing(em())), 'the end of the walk')
    assert.match(await held(id), /^e1\./)
  })
})
