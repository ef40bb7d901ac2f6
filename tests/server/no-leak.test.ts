/**
 * No way out leaks: generated roles (reach × inboxes × personal fields) ask every GET route that the OpenAPI document
 * knows, with every id there is, by cookie and by API token, and listen to the socket. What a role may not see occurs
 * nowhere in any answer, be it body or header; what it may see is there.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { io } from 'socket.io-client'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { Grant } from '../../core/sdk/wire/role.ts'
import { personalFields } from '../../core/src/access/permissions.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Department } from '../../core/src/domain/department/department.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { always, type Case, cases, checkSaid, digits, type Field, type Known, makeConversation, mark, personFor, readable, spots } from '../support/secrets.ts'
import { eventually, found, onEveryProfile, type World } from '../support/world.ts'

const { manifest } = mockChannel()

/** Queries that a route needs, or that lead to more of what it can say. */
const queries: Record<string, (known: readonly Known[]) => string[]> = {
  '/api/conversations': () => ['?group=mine', '?group=queue', '?group=open', '?group=closed', '?group=starred'],
  '/api/conversations/sections': () =>
    ['mine', 'queue', 'open', 'starred'].flatMap((group) => ['agent', 'tag', 'waiting'].map((by) => `?group=${group}&by=${by}`)),
  '/api/conversations/changes': () => ['?since=2020-01-01T00:00:00.000Z'],
  '/api/conversations/jump': (known) => known.flatMap(({ secrets }) => secrets.slice(1, 3).map(({ value }) => `?q=${encodeURIComponent(value.slice(0, 60))}`)),
  '/api/conversations/{id}/messages': () => ['', '?afterRev=0', '?after=0', '?before=99'],
  '/api/records': (known) => [
    '',
    '?person=true',
    ...['手机', ...known.flatMap(({ secrets }) => secrets.slice(7, 8).map(({ value }) => value))].map(
      (keyword) => `?filter=${encodeURIComponent(JSON.stringify({ keyword }))}`,
    ),
  ],
  '/api/records/count': (known) => known.map(({ secrets }) => `?filter=${encodeURIComponent(JSON.stringify({ keyword: secrets[7]?.value }))}`),
  '/api/visitors': () => ['?list=online', '?list=talking', '?list=talked', '?list=left'],
  '/api/contacts/{id}/merge': (known) => known.map(({ contactId }) => `?otherId=${contactId}`),
}

const onlyReadable = 'what its own permissions reach, and so nothing here'
const words = 'the words that all who work here choose from, of no customer'
/** What a token is told that was made for something else, and why. Whatever is not here refuses it. */
const openToEveryToken: Record<string, string> = {
  '/api/setup': 'public',
  '/api/me': 'whom it acts for, and what it may',
  '/api/colleagues': 'names, to know who an id is',
  '/api/departments': words,
  '/api/skill-groups': words,
  '/api/inboxes/brief': words,
  '/api/categories': words,
  '/api/summary-form': words,
  '/api/contact-fields': words,
  '/api/records/fields': words,
  '/api/tags': words,
  '/api/conversations': onlyReadable,
  '/api/conversations/sections': onlyReadable,
  '/api/conversations/counts': onlyReadable,
  '/api/conversations/changes': onlyReadable,
  '/api/conversations/jump': onlyReadable,
  '/api/records': onlyReadable,
  '/api/records/count': onlyReadable,
  '/api/records/attachments': onlyReadable,
}

async function waysOut(world: World): Promise<{ path: string; parameters: string[] }[]> {
  const document = (await (await fetch(new URL('/api/openapi.json', world.url))).json()) as { paths: Record<string, Record<string, unknown>> }
  return (
    Object.entries(document.paths)
      // A plugin's prebuilt bundle is a file of its package and holds nobody's data.
      .filter(([path, methods]) => 'get' in methods && !path.endsWith('/ui/{*}'))
      .map(([path]) => ({ path, parameters: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string) }))
  )
}

/** All that somebody with these headers is told, by address; a repeated secret in the question itself is no answer. */
async function askAll(world: World, headers: Record<string, string>, known: readonly Known[]): Promise<{ url: string; status: number; text: string }[]> {
  const ids = known.flatMap((one) => one.ids)
  const urls = (await waysOut(world)).flatMap(({ path, parameters }) => {
    const filled = parameters.includes('id') ? ids.map((id) => path.replace('{id}', id).replace('{part}', '0')) : [path]
    const questions = queries[path]?.(known) ?? ['']
    return filled.flatMap((url) =>
      questions.map(
        (question) =>
          url
            .replace('{token}', 'x'.repeat(43))
            .replace('{name}', 'record.columns')
            .replace(/\{[^}]+\}/g, newId()) + question,
      ),
    )
  })
  const answers: { url: string; status: number; text: string }[] = []
  for (let at = 0; at < urls.length; at += 16)
    answers.push(
      ...(await Promise.all(
        urls.slice(at, at + 16).map(async (url) => {
          const response = await fetch(new URL(url, world.url), { headers })
          const body = Buffer.from(await response.arrayBuffer()).toString('utf8')
          return {
            url,
            status: response.status,
            text: `${body}\n${decodeURIComponent(response.headers.get('content-disposition') ?? '').replace(/%(?![\da-f]{2})/gi, '')}`,
          }
        }),
      )),
    )
  return answers
}

await onEveryProfile('no leak', [found(manifest)], (world, profile) => {
  async function check(c: Case): Promise<void> {
    const em = world().hub.em()
    const [top, below] = [newId(), newId()]
    const at = { createdAt: new Date() }
    await em.insertMany(Department, [
      { id: top, parentId: null, name: '上', ...at },
      { id: below, parentId: top, name: '下', ...at },
    ])
    const person = await personFor(world(), top)
    const inboxes = [await world().inbox('mock'), await world().inbox('mock')]
    const known: Known[] = []
    for (const { whose, inbox } of spots)
      known.push(
        await makeConversation(
          world(),
          inboxes[inbox]?.id ?? '',
          whose === 'department' || whose === 'mine' ? top : whose === 'below' ? below : null,
          whose === 'mine' ? person.id : null,
        ),
      )
    const grants: Grant[] = [
      ...(c.scope ? [{ permission: 'conversation.read', scope: c.scope, ...(c.line ? { inboxIds: [inboxes[0]?.id ?? ''] } : {}) }] : []),
      ...(c.fields.length > 0 ? [{ permission: 'contact.personal', fields: c.fields }] : []),
      ...['file.download', 'contact.merge', 'visitor.read', 'token.manage'].map((permission) => ({ permission })),
    ]
    const { roleId } = await em.findOneOrFail(AgentRole, { agentId: person.id }, { disableIdentityMap: true })
    await em.nativeUpdate(Role, { id: roleId }, { grants })
    world().hub.access.clear()

    const permissions = ['conversation.read', 'file.download', 'contact.merge', 'visitor.read'].slice(c.scope ? 0 : 1)
    const made = await person.call('POST', '/api/tokens', { name: '程序', permissions })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    const ways: [string, Record<string, string>, Field[]][] = [
      ['the person', { cookie: person.cookie }, c.fields],
      // A token has none of the personal fields: nobody gave it any.
      ['the token', { authorization: `Bearer ${made.body.token}` }, []],
    ]
    for (const [who, headers, fields] of ways) {
      const answers = await askAll(world(), headers, known)
      // 400 would be a route that nobody knows how to ask here: it belongs into `queries`.
      const unasked = answers.filter(({ status }) => status >= 500 || status === 400).map(({ url, status }) => `${status} ${url}`)
      assert.deepEqual(unasked, [], who)
      for (const { url, text } of answers) checkSaid(c, known, text, fields, `${who}, ${url}`, () => false)
      checkSaid(c, known, answers.map(({ text }) => text).join('\n'), fields, who, ({ value }) => !value.includes('<b>'))
      for (const [i, one] of known.entries()) {
        const open = readable(c, spots[i] as (typeof spots)[number])
        const statusOf = (url: string) => answers.find((answer) => answer.url === url)?.status
        for (const id of one.fileIds)
          for (const end of ['', '/thumbnail']) assert.equal(statusOf(`/api/files/${id}${end}`), open ? 200 : 404, `${who} file${end}`)
        assert.equal(statusOf(`/api/files/${one.letterId}`), open && fields.length === personalFields.length ? 200 : 404, `${who} raw letter`)
        const talking = answers.find((answer) => answer.url === '/api/visitors?list=talking')?.text ?? ''
        assert.equal(talking.includes(one.contactId), open, `${who} sees who the visitor is`)
        if (!open)
          for (const { url, status } of answers.filter((answer) => one.ids.some((id) => answer.url.includes(id)))) assert.notEqual(status, 200, `${who} ${url}`)
      }
      // Whoever asks whether a hidden number occurs learns nothing from the count.
      for (const [i, one] of known.entries()) {
        const url = `/api/records/count?filter=${encodeURIComponent(JSON.stringify({ keyword: one.secrets[7]?.value }))}`
        const open = readable(c, spots[i] as (typeof spots)[number]) && fields.includes('phone')
        assert.equal(JSON.parse(answers.find((answer) => answer.url === url)?.text ?? '{}').count, open ? 1 : 0, `${who} counts`)
      }
    }

    const owner = await world().person('老板', 'owner', { presence: 'away' })
    const heard = { person: '', token: '', owner: '' }
    const listen = async (name: keyof typeof heard, extraHeaders: Record<string, string>) => {
      const socket = io(world().url, { path: '/socket', transports: ['websocket'], extraHeaders, reconnection: false, forceNew: true })
      socket.onAny((...event) => {
        heard[name] += JSON.stringify(event)
      })
      await new Promise((resolve, reject) => {
        socket.once('ready', resolve)
        socket.once('connect_error', reject)
      })
      return socket
    }
    const sockets = [
      await listen('person', { cookie: person.cookie }),
      await listen('token', { authorization: `Bearer ${made.body.token}` }),
      await listen('owner', { cookie: owner.cookie }),
    ]
    const pushed: Known[] = known.map((one) => ({
      ...one,
      secrets: [
        { field: null, value: mark('推送') },
        { field: 'phone', value: `139${digits(8)}` },
      ],
    }))
    for (const one of pushed) await world().reply(owner, one.id, one.secrets.map(({ value }) => value).join(' '), { note: true })
    const last = [...pushed].map((one, i) => [one, spots[i]] as const)
    await eventually(() => pushed.every((one) => heard.owner.includes(one.secrets[0]?.value ?? '')), 'the owner’s pushes')
    for (const [one, spot] of last)
      if (readable(c, spot as (typeof spots)[number]))
        await eventually(() => [heard.person, heard.token].every((text) => text.includes(one.secrets[0]?.value ?? '')), 'the pushes')
    await person.call('GET', '/api/me')
    for (const socket of sockets) socket.disconnect()
    checkSaid(c, pushed, heard.person, c.fields, 'the socket', () => true)
    checkSaid(c, pushed, heard.token, [], 'the token’s socket', () => true)
  }

  test('a token made for something else is refused wherever it asks, but for what is written down', async () => {
    const owner = await world().person('老板', 'owner', { presence: 'away' })
    const one = await makeConversation(world(), (await world().inbox('mock')).id, null, owner.id)
    const mine = { id: one.id, text: `回电 ${one.secrets[2]?.value}` }
    assert.equal((await owner.call('PUT', `/api/conversations/${mine.id}/draft`, { text: mine.text })).status, 200)
    assert.equal((await owner.call('PUT', `/api/conversations/${mine.id}/star`)).status, 200)
    assert.equal((await owner.call('POST', '/api/record-views', { name: '回电', filter: { contact: mine.text } })).status, 201)
    assert.equal((await owner.call('PUT', '/api/preferences/record.columns', { value: [mine.text] })).status, 200)
    const made = await owner.call('POST', '/api/tokens', { name: '标签', permissions: ['tag.manage'] })
    const answers = await askAll(world(), { authorization: `Bearer ${made.body.token}` }, [one])
    const open = answers.filter(({ status }) => status !== 403 && status !== 404)
    assert.deepEqual([...new Set(open.map(({ url }) => url.replace(/\?.*/, '')))].sort(), Object.keys(openToEveryToken).sort())
    const told = answers.map(({ text }) => text).join('\n')
    checkSaid({ scope: null, line: false, fields: [] }, [one], told, [], 'the narrow token', () => false)
    for (const id of one.ids) assert.ok(!told.includes(id), 'the narrow token is told of a conversation')
  })

  for (const c of always) test(`reach ${c.scope ?? 'none'}${c.line ? ' in one inbox' : ''}, fields ${c.fields.join(' ') || 'none'}`, () => check(c))
  test('generated roles', () => fc.assert(fc.asyncProperty(cases, check), { numRuns: profile === 'embedded' ? 3 : 1, endOnFailure: true }))
})
