/** Input that no app of ours sends, on every list and form: a clear code, never a fault of the hub's. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EntityName } from '@mikro-orm/core'
import type { TObject } from 'typebox'
import { mockChannel } from '../../core/sdk/testing.ts'
import { AgentPatch, DepartmentInput } from '../../core/sdk/wire/agent.ts'
import { ContactPatch } from '../../core/sdk/wire/contact.ts'
import { InboxPatch } from '../../core/sdk/wire/inbox.ts'
import { RoleInput } from '../../core/sdk/wire/role.ts'
import { MePatch } from '../../core/sdk/wire/session.ts'
import { encodeCursor } from '../../core/src/db/keyset.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { Department } from '../../core/src/domain/department/department.entity.ts'
import { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { found, onEveryProfile } from '../support/world.ts'

const { manifest } = mockChannel()
const cursors = [['x', 'y'], [1, 2], ['x'], [1], [Number.MAX_VALUE, 'y'], [1, 'a\0'], [1, 2, 3], ['x', 'y', 'z'], [0, 1, 'y', 4], [], [null, null], [{}, []]]

await onEveryProfile('bad input', [found(manifest)], (world) => {
  test('a cursor that we did not give out is refused by every list', async () => {
    const owner = await world().person('老板', 'owner')
    const [accepted] = await world().say(await world().inbox('mock'), newId(), '你好')
    const id = accepted?.conversationId
    const { contact } = (await owner.call('GET', `/api/records/${id}`)).body
    const filter = encodeURIComponent(JSON.stringify({ keyword: '你好' }))
    const lists = [
      '/api/conversations?group=open',
      '/api/conversations/changes?since=2026-01-01T00:00:00Z',
      `/api/contacts/${contact.id}/conversations?`,
      `/api/contacts/${contact.id}/activities?`,
      `/api/contacts/${contact.id}/timeline?`,
      `/api/contacts/${contact.id}/messages?`,
      '/api/visitors?list=online&tz=UTC',
      '/api/notices?',
      '/api/records?tz=UTC',
      `/api/records?tz=UTC&filter=${filter}`,
      '/api/records/attachments?tz=UTC',
    ]
    for (const list of lists) {
      assert.equal((await owner.call('GET', list)).status, 200, list)
      for (const cursor of [...cursors.map((values) => encodeCursor(values as never)), 'x', encodeURIComponent('"'), '']) {
        const { status, body } = await owner.call('GET', `${list}&cursor=${cursor}`)
        // Some of them are a place in some list: then nothing is behind it.
        assert.ok(status === 200 || (status === 400 && body.code === 'HUB_REQUEST_INVALID'), `${list} ${cursor}: ${status} ${JSON.stringify(body)}`)
      }
    }
  })

  test('no column is written that a form does not have', async () => {
    const em = world().hub.em()
    const inbox = await world().inbox('mock')
    const [accepted] = await world().say(inbox, newId(), '你好')
    const owner = await world().person('老板', 'owner')
    const { contact } = (await owner.call('GET', `/api/records/${accepted?.conversationId}`)).body
    const colleague = await world().person('小李')
    const { body: department } = await owner.call('POST', '/api/departments', { name: '售后' })
    const { body: role } = await owner.call('POST', '/api/roles', { name: '质检', grants: [] })
    const forms: [url: string, entity: EntityName<{ id: string }>, id: string, TObject][] = [
      ['/api/me', Agent, owner.id, MePatch],
      [`/api/agents/${colleague.id}`, Agent, colleague.id, AgentPatch],
      [`/api/contacts/${contact.id}`, Contact, contact.id, ContactPatch],
      [`/api/inboxes/${inbox.id}`, Inbox, inbox.id, InboxPatch],
      [`/api/departments/${department.id}`, Department, department.id, DepartmentInput],
      [`/api/roles/${role.id}`, Role, role.id, RoleInput],
    ]
    for (const [url, entity, id, form] of forms) {
      const before = await em.fork().findOneOrFail(entity, { id })
      const columns = em
        .getMetadata()
        .get(entity)
        .props.map(({ name }) => name)
      assert.ok(columns.length > 3, url)
      for (const column of columns.filter((name) => !(name in form.properties)))
        for (const value of [null, 1, newId(), {}]) {
          const { status, body } = await owner.call('PATCH', url, { [column]: value })
          assert.deepEqual([status, body.code], [400, 'HUB_REQUEST_INVALID'], `${url} ${column}`)
        }
      assert.deepEqual({ ...(await em.fork().findOneOrFail(entity, { id })) }, { ...before }, url)
    }
  })

  test('a customer’s link that leads to no page is words, none of them lost, and nothing to press', async () => {
    const inbox = await world().inbox('mock')
    const admin = await world().person('小柏', 'admin')
    const [said] = await world().hub.intake.accept(inbox.id, [
      {
        kind: 'message',
        externalId: newId(),
        from: { externalId: 'linker' },
        parts: [
          { type: 'link', url: 'javascript:alert(1)', title: '点我' },
          { type: 'link', url: 'https://shop.cn/tea', title: '头采' },
        ],
      },
    ])
    const { body } = await admin.call('GET', `/api/conversations/${said?.conversationId}/messages`)
    assert.deepEqual(body.items[0].parts, [
      { type: 'text', text: '点我\njavascript:alert(1)' },
      { type: 'link', url: 'https://shop.cn/tea', title: '头采' },
    ])
  })

  test('a second that JavaScript does not know is no time', async () => {
    const owner = await world().person('老板', 'owner')
    for (const url of [
      '/api/conversations/changes?since=2026-06-30T23:59:60Z',
      '/api/reports/overview?tz=UTC&from=2026-01-01T00:00:00Z&to=2026-06-30T23:59:60Z',
    ]) {
      const { status, body } = await owner.call('GET', url)
      assert.deepEqual([status, body.code], [400, 'HUB_REQUEST_INVALID'], url)
    }
  })

  test('a body of more levels than anybody means is refused by every route, whatever it takes', async () => {
    const owner = await world().person('老板', 'owner')
    const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
    const send = async (method: string, path: string, body: string) => {
      const headers = { cookie: owner.cookie, 'content-type': 'application/json' }
      const response = await fetch(new URL(path, world().url), { method, headers, body })
      return { status: response.status, body: (await response.json()) as { code?: string } }
    }
    const { paths } = (await (await fetch(new URL('/api/openapi.json', world().url))).json()) as { paths: Record<string, object> }
    for (const [path, methods] of Object.entries(paths))
      for (const method of Object.keys(methods)) {
        if (method === 'get') continue
        const url = path.replace('{token}', 'x'.repeat(43)).replace(/\{\w+\}/g, newId())
        const { status, body } = await send(method.toUpperCase(), url, `{"value":${nested(4_000)},"settings":{"deep":${nested(4_000)}}}`)
        assert.deepEqual([status, body.code], [400, 'HUB_REQUEST_INVALID'], `${method} ${path}`)
      }
    const put = (value: string) => send('PUT', '/api/preferences/record.columns', `{"value":${value}}`)
    for (const [levels, status] of [
      [19, 200],
      [20, 400],
      [100_000, 400],
    ] as const)
      assert.equal((await put(nested(levels))).status, status, `${levels} levels`)
    assert.equal(JSON.stringify((await owner.call('GET', '/api/preferences/record.columns')).body.value), nested(19))
    for (const path of ['/api/records', '/api/records/count'])
      assert.equal((await owner.call('GET', `${path}?filter=${encodeURIComponent(nested(2_500))}`)).body.code, 'HUB_REQUEST_INVALID')
  })

  test('a character that ends a statement is refused, or kept as it is', async () => {
    const owner = await world().person('老板', 'owner')
    const [accepted] = await world().say(await world().inbox('mock'), newId(), '你好')
    const { contact } = (await owner.call('GET', `/api/records/${accepted?.conversationId}`)).body
    const nul = 'a\0b'
    const filter = (value: object) => encodeURIComponent(JSON.stringify(value))
    const tries: [method: string, url: string, body?: unknown][] = [
      ['PATCH', `/api/contacts/${contact.id}`, { nickname: nul }],
      ['PATCH', `/api/contacts/${contact.id}`, { fields: { [nul]: nul } }],
      ['POST', '/api/tags', { name: nul }],
      ['POST', '/api/categories', { name: nul }],
      ['POST', '/api/departments', { name: nul, parentId: null }],
      ['POST', '/api/roles', { name: nul, grants: [] }],
      ['PUT', `/api/records/${accepted?.conversationId}/summary`, { answers: { note: nul } }],
      ['PUT', '/api/record-views', { name: nul, filter: {} }],
      ['GET', `/api/records?filter=${filter({ keyword: nul })}`],
      ['GET', `/api/records?filter=${filter({ contact: nul })}`],
      ['GET', `/api/records?filter=${filter({ fields: [{ name: 'name', value: nul }] })}`],
      ['GET', `/api/conversations/jump?q=${encodeURIComponent(nul)}`],
      ['GET', '/api/conversations?group=open&search=%00'],
    ]
    for (const [method, url, body] of tries) {
      const answer = await owner.call(method, url, body)
      assert.ok(answer.status < 500, `${method} ${url} ${answer.status} ${JSON.stringify(answer.body)}`)
    }
    assert.equal((await owner.call('GET', `/api/contacts/${contact.id}`)).body.nickname, nul)
    // What is said is not refused for it, nor cut.
    assert.equal((await world().reply(owner, accepted?.conversationId, nul)).body.parts[0].text, nul)
    const [said] = await world().say(await world().inbox('mock'), newId(), nul)
    const { items } = (await owner.call('GET', `/api/conversations/${said?.conversationId}/messages`)).body
    assert.equal(items.find(({ id }: { id: string }) => id === said?.messageId).parts[0].text, nul)
  })
})
