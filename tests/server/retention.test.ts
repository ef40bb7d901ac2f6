/** Retention: what a rule would take is shown before, taken in the background, and told; who may not has no part in it. */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import type { HubEvent } from '../../core/sdk/events.ts'
import type { PluginManifest } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { RetentionRuleInput, RetentionTrial, RetentionRun as Run } from '../../core/sdk/wire/retention.ts'
import { newId } from '../../core/src/db/types.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { StoredFile } from '../../core/src/domain/file/file.entity.ts'
import { partOf, storeFile } from '../../core/src/domain/file/store-file.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { purgeDue } from '../../core/src/domain/record/purge.ts'
import { RetentionRule, RetentionRun } from '../../core/src/domain/retention/retention.entity.ts'
import { runRetention } from '../../core/src/domain/retention/run-retention.ts'
import { startDailyRun } from '../../core/src/domain/retention/start-run.ts'
import { call, eventually, found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest } = mockChannel()
const heard: HubEvent[] = []
const watcher: PluginManifest = { id: 'watcher', version: '1.0.0', label: { zh: '旁听', en: 'Watcher' }, on: { '*': (event) => void heard.push(event) } }
const dayMs = 86_400_000
const any: RetentionRuleInput = { inboxId: null, departmentId: null, categoryId: null, days: null, fileDays: null }

interface Talk {
  id: string
  inboxId: string
  fileId?: string
  hash?: string
}

/** A conversation that ended so many days ago; with a file when its bytes are given. */
async function talk(world: World, agent: Person, daysAgo: number | null, bytes?: Buffer): Promise<Talk> {
  const inbox = await world.inbox('mock')
  const id = (await world.say(inbox, newId(), '你好'))[0]?.conversationId ?? ''
  await world.hub.em().nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open' })
  const made: Talk = { id, inboxId: inbox.id }
  if (bytes) {
    const file = await storeFile(world.hub, { name: '合同.txt', bytes, uploadedBy: agent.id })
    assert.equal((await world.reply(agent, id, '给您', { parts: [partOf(file)] })).status, 201)
    Object.assign(made, { fileId: file.id, hash: file.hash })
  }
  if (daysAgo !== null) {
    await agent.call('POST', `/api/conversations/${id}/close`)
    await world.hub.em().nativeUpdate(Conversation, { id }, { closedAt: new Date(Date.now() - daysAgo * dayMs - 1_000) })
  }
  return made
}
const exists = async (world: World, id: string) => (await world.hub.em().count(Conversation, { id })) > 0

/** Without the hub's own lines. */
const said = (world: World, ids: string[]) => world.hub.em().count(Message, { conversationId: { $in: ids }, direction: { $in: ['in', 'out', 'note'] } })

async function clear(world: World): Promise<void> {
  await world.hub.em().nativeDelete(RetentionRun, {})
  await world.hub.em().nativeDelete(RetentionRule, {})
}
async function rule(admin: Person, fields: Partial<RetentionRuleInput>) {
  const { status, body } = await admin.call('POST', '/api/retention/rules', { ...any, ...fields })
  assert.equal(status, 201, JSON.stringify(body))
  return body.id as string
}
async function trial(admin: Person, ruleId: string): Promise<RetentionTrial> {
  const { body, status } = await admin.call('POST', `/api/retention/rules/${ruleId}/trial`)
  assert.equal(status, 201, JSON.stringify(body))
  return eventually(async () => {
    const run = (await admin.call('GET', `/api/retention/trials/${body.id}`)).body as RetentionTrial
    return run.state === 'done' && run
  }, 'the trial')
}
async function on(admin: Person, ruleId: string): Promise<RetentionTrial> {
  const shown = await trial(admin, ruleId)
  assert.equal((await admin.call('POST', `/api/retention/rules/${ruleId}/on`)).status, 200)
  return shown
}
async function clean(admin: Person): Promise<Run> {
  const { body, status } = await admin.call('POST', '/api/retention/runs')
  assert.equal(status, 201, JSON.stringify(body))
  return eventually(async () => {
    const { items } = (await admin.call('GET', '/api/retention/runs')).body as { items: Run[] }
    const run = items.find(({ id }) => id === body.id)
    return run?.state === 'done' && run
  }, 'the run')
}

await onEveryProfile('retention', [found(manifest), found(watcher)], (world, profile) => {
  test('who may not manage it has no part in it', async () => {
    await clear(world())
    const admin = await world().person('管理', 'admin')
    const id = await rule(admin, { days: 30 })
    for (const one of [await world().person('客服'), await world().person('主管', 'supervisor')])
      for (const [method, path, body] of [
        ['GET', '', undefined],
        ['PUT', '/hour', { hour: 3, tz: 'UTC' }],
        ['POST', '/rules', any],
        ['PUT', `/rules/${id}`, any],
        ['DELETE', `/rules/${id}`, undefined],
        ['POST', `/rules/${id}/on`, undefined],
        ['POST', `/rules/${id}/off`, undefined],
        ['POST', `/rules/${id}/trial`, undefined],
        ['GET', `/trials/${id}`, undefined],
        ['GET', '/runs', undefined],
        ['POST', '/runs', undefined],
        ['DELETE', `/runs/${id}`, undefined],
      ] as const)
        assert.equal((await one.call(method, `/api/retention${path}`, body)).status, 403, path)
  })

  test('a token may look and may set nothing going; a rule that another one protected from is tried again when that one goes', async () => {
    await clear(world())
    const admin = await world().person('管理', 'admin')
    const { body: made } = await admin.call('POST', '/api/tokens', { name: '脚本', permissions: ['retention.manage'] })
    const headers = { authorization: `Bearer ${made.token}` }
    assert.equal((await call(world().url, 'GET', '/api/retention', undefined, headers)).status, 200)
    for (const [method, path] of [
      ['POST', '/rules'],
      ['POST', '/runs'],
    ] as const)
      assert.equal((await call(world().url, method, `/api/retention${path}`, any, headers)).status, 403, path)

    const inboxId = (await world().inbox('mock')).id
    const protecting = await rule(admin, { inboxId })
    const cleaning = await rule(admin, { days: 30 })
    await on(admin, protecting)
    await trial(admin, cleaning)
    await admin.call('DELETE', `/api/retention/rules/${protecting}`)
    assert.equal((await admin.call('POST', `/api/retention/rules/${cleaning}/on`)).body.details.reason, 'retention-trial')
  })

  test('a rule that protects is changed, switched off or deleted: what would take earlier what it kept is off until somebody has looked again', async () => {
    await clear(world())
    const [agent, admin] = [await world().person('小何'), await world().person('管理', 'admin')]
    const [kept, other] = [await talk(world(), agent, 100), await talk(world(), agent, 1)]
    const states = async () =>
      Object.fromEntries(
        (await admin.call('GET', '/api/retention')).body.rules.map((one: { id: string; onAt: string | null; suspendedAt: string | null }) => [
          one.id,
          one.onAt ? 'on' : one.suspendedAt ? 'suspended' : 'off',
        ]),
      )
    const weaken = {
      changed: (id: string) => admin.call('PUT', `/api/retention/rules/${id}`, { ...any, inboxId: kept.inboxId, days: 400 }),
      off: (id: string) => admin.call('POST', `/api/retention/rules/${id}/off`),
      deleted: (id: string) => admin.call('DELETE', `/api/retention/rules/${id}`),
    }
    for (const [how, change] of Object.entries(weaken)) {
      await clear(world())
      const protecting = await rule(admin, { inboxId: kept.inboxId })
      const elsewhere = await rule(admin, { inboxId: other.inboxId, days: 30 })
      const rest = await rule(admin, { days: 30 })
      for (const id of [protecting, elsewhere, rest]) await on(admin, id)
      const shown = (await admin.call('GET', '/api/retention')).body.rules as { id: string; exposes: string[] }[]
      assert.deepEqual(Object.fromEntries(shown.map(({ id, exposes }) => [id, exposes])), { [protecting]: [rest], [elsewhere]: [], [rest]: [] })
      assert.equal((await change(protecting)).status, 200, how)
      assert.deepEqual(await states(), { ...(how === 'deleted' ? {} : { [protecting]: 'off' }), [elsewhere]: 'on', [rest]: 'suspended' }, how)
      await clean(admin)
      assert.equal(await exists(world(), kept.id), true, how)
      await eventually(() =>
        heard.find(
          (event) => event.name === 'settings.changed' && event.data.id === rest && event.data.fields?.includes('suspended') && event.by?.agentId === admin.id,
        ),
      )
      // Changed while it is off it keeps nothing, and nobody loses by it.
      if (how === 'off') {
        await on(admin, rest)
        assert.equal((await weaken.changed(protecting)).status, 200)
        assert.equal((await states())[rest], 'on')
      }
    }
  })

  test('bad input has a code; a rule for the same is there once; unknown ids are not found', async () => {
    await clear(world())
    const admin = await world().person('管理', 'admin')
    const id = await rule(admin, { days: 90 })
    const post = (body: object) => admin.call('POST', '/api/retention/rules', { ...any, ...body })
    assert.deepEqual([(await post({ days: 30 })).body.code, (await post({ days: 30 })).body.details.reason], ['HUB_CONFLICT', 'retention-target'])
    assert.equal((await post({ inboxId: newId(), days: 30 })).status, 404)
    for (const wrong of [{ days: -1 }, { days: 1.5 }, { days: 40_000 }, { days: 'x' }, { inboxId: 'x' }])
      assert.equal((await post(wrong)).status, 400, JSON.stringify(wrong))
    assert.equal((await admin.call('PUT', `/api/retention/rules/${id}`, { ...any, days: 30, fileDays: 30 })).body.details.faults[0].path, 'body/fileDays')
    for (const [method, path] of [
      ['PUT', `/rules/${newId()}`],
      ['DELETE', `/rules/${newId()}`],
      ['POST', `/rules/${newId()}/on`],
      ['POST', `/rules/${newId()}/off`],
      ['POST', `/rules/${newId()}/trial`],
      ['GET', `/trials/${newId()}`],
      ['DELETE', `/runs/${newId()}`],
    ] as const)
      assert.equal((await admin.call(method, `/api/retention${path}`, method === 'PUT' ? any : undefined)).status, 404, path)
    assert.equal((await admin.call('GET', '/api/retention/runs?cursor=x')).status, 400)
    assert.equal((await admin.call('PUT', '/api/retention/hour', { hour: 3, tz: 'Asia/Nowhere' })).status, 400)
    assert.equal((await admin.call('POST', '/api/retention/runs')).body.details.reason, 'retention-off')
  })

  test('a rule is looked at before it is on; what it shows is what goes, and only that; it is told with its counts', async () => {
    await clear(world())
    const agent = await world().person('小林')
    const admin = await world().person('管理', 'admin')
    const bytes = Buffer.from(`合同 ${newId()}`)
    const old = await talk(world(), agent, 31, bytes)
    const kept = await talk(world(), agent, 29, bytes)
    const open = await talk(world(), agent, null)
    const other = await talk(world(), agent, 400)
    const id = await rule(admin, { inboxId: old.inboxId, days: 30 })
    assert.equal((await admin.call('POST', `/api/retention/rules/${id}/on`)).body.details.reason, 'retention-trial')
    const keptId = await rule(admin, { inboxId: kept.inboxId, days: 30 })

    const shown = await on(admin, id)
    assert.deepEqual(shown.tallies, [{ ruleId: id, conversations: 1, messages: await said(world(), [old.id]), stripped: 0, files: 1, bytes: bytes.length }])
    assert.deepEqual(
      shown.sample.map((row) => row.id),
      [old.id],
    )
    // Its sample is a look at records.
    const looked = await eventually(() =>
      heard.find((event) => event.name === 'record.searched' && (event.data as { trialId?: string }).trialId === shown.id && event.by?.agentId === admin.id),
    )
    assert.equal((looked.data as { shown: number }).shown, 1)
    // What the other rules are has changed since then: nobody has seen what it would take now.
    await on(admin, keptId)
    assert.equal((await admin.call('PUT', `/api/retention/rules/${keptId}`, { ...any, inboxId: kept.inboxId, days: 28 })).status, 200)
    const state = (await admin.call('GET', '/api/retention')).body
    assert.deepEqual(
      state.rules.map((one: { id: string; onAt: string | null }) => [one.id, one.onAt !== null]).sort(),
      [
        [id, true],
        [keptId, false],
      ].sort(),
    )
    assert.ok(state.nextAt)

    const run = await clean(admin)
    assert.deepEqual(run.tallies, shown.tallies)
    assert.equal(run.startedById, admin.id)
    assert.deepEqual(await Promise.all([old, kept, open, other].map((one) => exists(world(), one.id))), [false, true, true, true])
    // The bytes that the other record holds too are there; those that nobody holds are not.
    assert.ok(await world().hub.files.bytes(old.hash ?? ''))
    await on(admin, keptId)
    await clean(admin)
    assert.equal(await exists(world(), kept.id), false)
    assert.equal(await world().hub.files.bytes(kept.hash ?? ''), undefined)
    assert.equal(
      await world()
        .hub.em()
        .count(StoredFile, { hash: kept.hash ?? '' }),
      0,
    )

    const ran = await eventually(() => heard.find((event) => event.name === 'retention.ran' && (event.data as { runId: string }).runId === run.id))
    assert.deepEqual(
      { ...(ran.data as object), seconds: 0 },
      { runId: run.id, state: 'done', count: 1, messages: shown.tallies[0]?.messages, stripped: 0, files: 1, bytes: bytes.length, seconds: 0 },
    )
    await eventually(() => heard.find((event) => event.name === 'record.purged' && (event.data as { conversationId: string }).conversationId === old.id))
    assert.ok(
      heard.some((event) => event.name === 'settings.changed' && (event.data as { scope: string }).scope === 'retention' && event.by?.agentId === admin.id),
    )
    // Whose hand began it stands with all that it did, in whichever process and turn.
    const told = (name: string, key: 'runId' | 'conversationId', id: string) =>
      eventually(() => heard.find((event) => event.name === name && (event.data as Record<string, unknown>)[key] === id))
    const by = [await told('retention.started', 'runId', run.id), ran, await told('record.purged', 'conversationId', old.id)]
    assert.deepEqual(
      by.map((event) => [event.by?.agentId, event.by?.ip]),
      by.map(() => [admin.id, '127.0.0.1']),
    )
    // It leaves no restorable trace.
    assert.equal((await admin.call('POST', `/api/records/${old.id}/restore`)).status, 404)
  })

  test('the more particular rule protects: complaints are kept while their inbox is cleaned', async () => {
    await clear(world())
    const agent = await world().person('小周')
    const admin = await world().person('管理', 'admin')
    const category = (await admin.call('POST', '/api/categories', { name: `投诉-${newId()}` })).body.id
    const below = (await admin.call('POST', '/api/categories', { name: '物流', parentId: category })).body.id
    const [complaint, plain] = [await talk(world(), agent, 100), await talk(world(), agent, 100)]
    const em = world().hub.em()
    await em.nativeUpdate(Conversation, { id: complaint.id }, { categoryId: below })
    await on(admin, await rule(admin, { categoryId: category }))
    for (const { inboxId } of [complaint, plain]) await on(admin, await rule(admin, { inboxId, days: 30 }))
    await clean(admin)
    assert.deepEqual([await exists(world(), complaint.id), await exists(world(), plain.id)], [true, false])
  })

  test('what lies in the recycle bin can be restored until the day that was promised, whatever the rules say', async () => {
    await clear(world())
    const [agent, admin, owner] = [await world().person('小钱'), await world().person('管理', 'admin'), await world().person('主', 'owner')]
    const deleter = await world().person('可删', [
      { permission: 'conversation.read', scope: 'all' },
      { permission: 'conversation.delete', scope: 'all' },
    ] as never)
    const [all, files] = [await talk(world(), agent, 40), await talk(world(), agent, 40, Buffer.from(`发票 ${newId()}`))]
    for (const { id } of [all, files]) assert.equal((await deleter.call('POST', `/api/records/${id}/delete`)).status, 200)
    for (const fields of [
      { inboxId: all.inboxId, days: 30 },
      { inboxId: files.inboxId, fileDays: 30 },
    ]) {
      const shown = await on(admin, await rule(admin, fields))
      assert.deepEqual([shown.tallies, shown.sample], [[], []])
    }
    assert.deepEqual((await clean(admin)).tallies, [])
    for (const { id } of [all, files]) assert.equal((await owner.call('POST', `/api/records/${id}/restore`)).status, 200)
    assert.equal((await agent.call('GET', `/api/files/${files.fileId}`)).status, 200)
    // Whoever takes it out gives it back to the rules.
    const run = await clean(admin)
    assert.deepEqual(
      [run.tallies.reduce((sum, { conversations }) => sum + conversations, 0), run.tallies.reduce((sum, { stripped }) => sum + stripped, 0)],
      [1, 1],
    )
    assert.deepEqual([await exists(world(), all.id), await exists(world(), files.id)], [false, true])
  })

  test('it is put into the recycle bin while a run is on its way to it: it stays there', async () => {
    await clear(world())
    const [agent, admin, owner] = [await world().person('小孙'), await world().person('管理', 'admin'), await world().person('主', 'owner')]
    const { id, inboxId } = await talk(world(), agent, 40)
    await on(admin, await rule(admin, { inboxId, days: 30 }))
    const { hub } = world()
    const em = hub.em()
    const purgeAt = new Date(Date.now() + 30 * dayMs)
    const row = await em.findOneOrFail(RetentionRun, { kind: 'trial' }, { disableIdentityMap: true })
    const run = {
      ...row,
      id: newId(),
      kind: 'clean' as const,
      state: 'running' as const,
      openKind: 'clean',
      ruleId: null,
      tallies: [],
      sample: [],
      looked: 0,
      placeAt: null,
      placeId: null,
      endedAt: null,
      dueAt: new Date(),
    }
    await em.insert(RetentionRun, run as never)
    // Between the walk and the lock.
    const transactional = mock.method(Object.getPrototypeOf(em), 'transactional', async function (this: typeof em, ...args: never[]) {
      transactional.mock.restore()
      await em.nativeUpdate(Conversation, { id }, { deletedAt: new Date(), deletedById: agent.id, purgeAt })
      return (this.transactional as (...given: never[]) => unknown)(...args)
    })
    await runRetention(hub, run.id)
    transactional.mock.restore()
    assert.equal((await owner.call('POST', `/api/records/${id}/restore`)).status, 200)
  })

  test('departments are moved or deleted: what a rule kept is not another’s by it, all are off until somebody has looked again', async () => {
    await clear(world())
    const [agent, admin] = [await world().person('小吴'), await world().person('管理', 'admin')]
    const em = world().hub.em()
    const make = async (name: string, parentId: string | null) => (await admin.call('POST', '/api/departments', { name, parentId })).body.id as string
    const legal = await make('法务', null)
    const cases = await make('案件', legal)
    const other = await make('别处', null)
    const kept = await talk(world(), agent, 1_000)
    await em.nativeUpdate(Conversation, { id: kept.id }, { departmentId: cases })
    const states = async () => (await admin.call('GET', '/api/retention')).body.rules.map(({ onAt }: { onAt: string | null }) => onAt !== null)
    const all = async () => {
      await clear(world())
      await on(admin, await rule(admin, { departmentId: legal }))
      await on(admin, await rule(admin, { inboxId: kept.inboxId, days: 30 }))
    }
    const changes = [() => admin.call('PATCH', `/api/departments/${cases}`, { parentId: other }), () => admin.call('DELETE', `/api/departments/${cases}`)]
    for (const change of changes) {
      await all()
      // A new name changes nothing of what a rule takes.
      assert.equal((await admin.call('PATCH', `/api/departments/${other}`, { name: `别处 ${newId().slice(-4)}` })).status, 200)
      assert.deepEqual(await states(), [true, true])
      assert.equal((await change()).status, 200)
      assert.deepEqual(await states(), [false, false])
      // The list says why, until somebody has decided on it again.
      const suspended = async () => (await admin.call('GET', '/api/retention')).body.rules.filter((one: { suspendedAt: string | null }) => one.suspendedAt)
      const [first] = await suspended()
      assert.equal((await suspended()).length, 2)
      await admin.call('POST', `/api/retention/rules/${first.id}/off`)
      assert.equal((await suspended()).length, 1)
      assert.equal((await admin.call('POST', '/api/retention/runs')).body.details.reason, 'retention-off')
      const notices = (await admin.call('GET', '/api/notices')).body.items as { kind: string }[]
      assert.ok(notices.some(({ kind }) => kind === 'retention.suspended'))
    }
    assert.equal(await exists(world(), kept.id), true)
  })

  test('files may go before the words: messages say that one was there, and nothing can be fetched again', async () => {
    await clear(world())
    const agent = await world().person('小吴')
    const admin = await world().person('管理', 'admin')
    const bytes = Buffer.from(`发票 ${newId()}`)
    const { id, inboxId, fileId, hash } = await talk(world(), agent, 10, bytes)
    await on(admin, await rule(admin, { inboxId, fileDays: 7 }))
    const run = await clean(admin)
    assert.deepEqual(
      run.tallies.map(({ conversations, stripped, files, bytes: size }) => ({ conversations, stripped, files, size })),
      [{ conversations: 0, stripped: 1, files: 1, size: bytes.length }],
    )
    const { items } = (await agent.call('GET', `/api/conversations/${id}/messages`)).body
    const sent = items.find((message: { direction: string }) => message.direction === 'out')
    assert.deepEqual(sent.parts, [{ type: 'remote', as: 'file', ref: '', name: '合同.txt', removed: true }])
    assert.equal((await agent.call('POST', `/api/messages/${sent.id}/fetch`)).body.code, 'HUB_CONFLICT')
    assert.equal((await agent.call('GET', `/api/files/${fileId}`)).status, 404)
    assert.equal(await world().hub.files.bytes(hash ?? ''), undefined)
    assert.deepEqual((await agent.call('GET', `/api/records/${id}`)).body.attachments, [])
    const told = await eventually(() =>
      heard.find((event) => event.name === 'record.stripped' && (event.data as { conversationId: string }).conversationId === id),
    )
    assert.deepEqual([(told.data as { count: number }).count, told.by?.agentId], [1, admin.id])
    assert.deepEqual((await clean(admin)).tallies, [], 'a second run has nothing left to do')
  })

  test('what a colleague attaches to a record while its old files go stays', async () => {
    await clear(world())
    const agent = await world().person('小吴')
    const admin = await world().person('管理', 'admin')
    const { id, inboxId, hash } = await talk(world(), agent, 10, Buffer.from(`发票 ${newId()}`))
    await on(admin, await rule(admin, { inboxId, fileDays: 7 }))
    const form = new FormData()
    form.set('file', new Blob([Buffer.from(`新的 ${newId()}`)]), '补充.txt')
    const uploaded = await fetch(new URL('/api/files', world().url), { method: 'POST', body: form, headers: { cookie: agent.cookie } })
    const part = (await uploaded.json()) as { fileId: string }
    const { files } = world().hub
    const { remove } = files
    const noted = Promise.withResolvers<number>()
    const removing = mock.method(files, 'remove', async (name: string) => {
      removing.mock.restore()
      const note = await agent.call('POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts: [part], note: true })
      noted.resolve(note.status)
      await remove.call(files, name)
    })
    await clean(admin)
    assert.equal(await noted.promise, 201)
    assert.equal(await files.bytes(hash ?? ''), undefined)
    assert.equal((await agent.call('GET', `/api/files/${part.fileId}`)).status, 200)
  })

  test('a run that a crash cut off goes on where it was; it counts what was committed once; a stopped one takes no more', async () => {
    await clear(world())
    const agent = await world().person('小郑')
    const admin = await world().person('管理', 'admin')
    const inbox = await world().inbox('mock')
    const ids: string[] = []
    for (let i = 0; i < 25; i++) ids.push((await world().say(inbox, newId(), `第 ${i} 位`))[0]?.conversationId ?? '')
    const em = world().hub.em()
    await em.nativeUpdate(
      Conversation,
      { id: { $in: ids } },
      { status: 'closed', openIdentityId: null, closedAt: new Date(Date.now() - 60 * dayMs), assigneeId: agent.id },
    )
    await on(admin, await rule(admin, { inboxId: inbox.id, days: 30 }))

    const messages = await said(world(), ids)
    // The files cannot be reached: the first batch is committed and cannot be finished.
    const remove = world().hub.files.remove
    await em.insert(StoredFile, {
      id: newId(),
      hash: 'a'.repeat(64),
      name: 'x',
      mime: 'text/plain',
      size: 3,
      uploadedBy: agent.id,
      conversationId: ids[0] ?? '',
      createdAt: new Date(),
    })
    let broken = 0
    world().hub.files.remove = async () => {
      broken++
      throw new Error('the storage is away')
    }
    const run = (await admin.call('POST', '/api/retention/runs')).body as Run
    assert.equal((await admin.call('POST', '/api/retention/runs')).body.details.reason, 'retention-running')
    await eventually(() => broken > 0)
    const half = await eventually(async () => {
      const row = await em.findOneOrFail(RetentionRun, { id: run.id }, { disableIdentityMap: true })
      return row.attempts > 0 && row
    })
    assert.deepEqual([half.state, half.tallies[0]?.conversations], ['running', 20])
    // What is marked is gone for everybody already.
    assert.equal((await agent.call('GET', `/api/records/${ids[0]}`)).status, 404)
    world().hub.files.remove = remove
    await em.nativeUpdate(RetentionRun, { id: run.id }, { dueAt: new Date() })
    // Two that come at once: one does it.
    await Promise.all([runRetention(world().hub, run.id), runRetention(world().hub, run.id)])
    const done = await eventually(async () => {
      const row = await em.findOneOrFail(RetentionRun, { id: run.id }, { disableIdentityMap: true })
      return row.state === 'done' && row
    })
    assert.deepEqual([done.tallies[0]?.conversations, done.tallies[0]?.messages, done.tallies[0]?.files], [25, messages, 1])
    await purgeDue(world().hub)
    assert.equal(await em.count(Conversation, { id: { $in: ids } }), 0)
    assert.equal(await em.count(Message, { conversationId: { $in: ids } }), 0)

    const last = await talk(world(), agent, 60)
    await on(admin, await rule(admin, { inboxId: last.inboxId, days: 30 }))
    const stopped = (await admin.call('POST', '/api/retention/runs')).body as Run
    await admin.call('DELETE', `/api/retention/runs/${stopped.id}`)
    const ended = await em.findOneOrFail(RetentionRun, { id: stopped.id }, { disableIdentityMap: true })
    assert.ok(ended.endedAt)
    assert.equal((await admin.call('GET', '/api/retention')).body.running, null)
  })

  test('it begins by itself at its hour, once a day, and not on the day a rule was switched on before the hour came', async () => {
    await clear(world())
    const agent = await world().person('小冯')
    const admin = await world().person('管理', 'admin')
    const { id, inboxId } = await talk(world(), agent, 60)
    const ruleId = await rule(admin, { inboxId, days: 30 })
    const em = world().hub.em()
    await startDailyRun(world().hub)
    assert.equal(await em.count(RetentionRun, { kind: 'clean' }), 0, 'no rule is on')
    await on(admin, ruleId)
    await startDailyRun(world().hub)
    assert.equal(await em.count(RetentionRun, { kind: 'clean' }), 0, 'the hour has not come')
    await em.nativeUpdate(RetentionRule, { id: ruleId }, { onAt: new Date(Date.now() - 2 * dayMs) })
    await startDailyRun(world().hub)
    await eventually(async () => !(await exists(world(), id)))
    await eventually(async () => (await em.count(RetentionRun, { kind: 'clean', state: 'done', startedById: null })) === 1)
    await startDailyRun(world().hub)
    assert.equal(await em.count(RetentionRun, { kind: 'clean' }), 1, profile)
  })
})
