/**
 * No way that is not a GET leaks either: the same generated roles change, order, mark, preview, export and guess, by every
 * route about customers that the OpenAPI document knows. What they may not read is not there, stays as it is, and occurs in
 * no answer, no file and no line of the log; what they see masked stays masked. Needs the bundled plugins.
 */
import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { BlobReader, TextWriter, ZipReader } from '@zip.js/zip.js'
import fc from 'fast-check'
import { extractText, getDocumentProxy } from 'unpdf'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { Grant } from '../../core/sdk/wire/role.ts'
import { personalFields } from '../../core/src/access/permissions.ts'
import { readRaw, sql } from '../../core/src/db/statements.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact, Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation, ConversationTag } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Department } from '../../core/src/domain/department/department.entity.ts'
import { Delivery, Message } from '../../core/src/domain/message/message.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { ContactTag } from '../../core/src/domain/tag/tag.entity.ts'
import { deliverEvents } from '../../core/src/pipeline/deliver-events.ts'
import audit from '../../plugins/audit/plugin.ts'
import { fieldKeys, pdfFields, recordFields } from '../../plugins/export/fields.ts'
import exportPlugin from '../../plugins/export/plugin.ts'
import extraction from '../../plugins/extraction/plugin.ts'
import { always, type Case, cases, checkSaid, type Known, makeConversation, personFor, readable, spots } from '../support/secrets.ts'
import { call, eventually, found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest } = mockChannel()
const plugin = (name: string) => resolve(import.meta.dirname, '../../plugins', name)
const plugins = [found(manifest), found(audit, plugin('audit')), found(exportPlugin, plugin('export')), found(extraction, plugin('extraction'))]

/** A route about one of the ids, and what is sent to it. What ends or takes away comes last. */
interface Deed {
  route: string
  body?: (about: About) => unknown
}
interface About {
  known: Known
  identityId: string
  otherId: string
  tagId: string
  me: string
}
const text = '记一下'
const deeds: Deed[] = [
  { route: 'put /api/conversations/{id}/draft', body: () => ({ text }) },
  { route: 'put /api/conversations/{id}/star' },
  { route: 'post /api/conversations/{id}/read', body: () => ({ seq: 1 }) },
  { route: 'post /api/conversations/{id}/messages', body: () => ({ clientId: newId(), parts: [{ type: 'text', text }], note: true }) },
  { route: 'post /api/records/{id}/reply-in-new' },
  { route: 'put /api/records/{id}/category', body: () => ({ categoryId: null }) },
  { route: 'put /api/records/{id}/summary', body: () => ({ answers: {} }) },
  { route: 'put /api/records/{id}/tags/{tagId}' },
  { route: 'delete /api/records/{id}/tags/{tagId}' },
  { route: 'patch /api/contacts/{id}', body: () => ({ remark: text }) },
  { route: 'put /api/contacts/{id}/tags/{tagId}' },
  { route: 'delete /api/contacts/{id}/tags/{tagId}' },
  { route: 'post /api/contacts/{id}/reveal', body: () => ({ field: 'phone', reason: '核对' }) },
  { route: 'post /api/contacts/{id}/split/preview', body: ({ identityId }) => ({ identityIds: [identityId] }) },
  { route: 'post /api/messages/{id}/reveal', body: () => ({ field: 'phone', reason: '核对' }) },
  { route: 'post /api/messages/{id}/resend' },
  { route: 'post /api/messages/{id}/stop' },
  { route: 'post /api/messages/{id}/fetch' },
  { route: 'post /api/messages/{id}/recall' },
  { route: 'post /api/conversations/{id}/take' },
  { route: 'post /api/conversations/{id}/transfer', body: ({ me }) => ({ agentId: me }) },
  { route: 'post /api/contacts/{id}/split', body: ({ identityId }) => ({ identityIds: [identityId] }) },
  { route: 'post /api/contacts/{id}/merge', body: ({ otherId }) => ({ otherId }) },
  { route: 'post /api/contact-moves/{id}/undo' },
  { route: 'post /api/suggestions/{id}/accept' },
  { route: 'post /api/suggestions/{id}/refuse' },
  { route: 'post /api/contacts/{id}/block', body: ({ identityId }) => ({ identityId }) },
  { route: 'delete /api/contacts/{id}/block/{identityId}' },
  { route: 'post /api/conversations/{id}/close' },
  { route: 'post /api/records/{id}/archive' },
  { route: 'post /api/records/{id}/unarchive' },
  { route: 'delete /api/conversations/{id}/star' },
  { route: 'post /api/records/{id}/delete' },
  { route: 'post /api/records/{id}/restore' },
  { route: 'post /api/records/{id}/purge' },
  ...['accept', 'refuse', 'undo'].map((verdict) => ({ route: `post /api/x/extraction/facts/{id}/${verdict}` })),
]
/** Asked by hand below, or about what is one's own. */
const elsewhere = [
  'post /api/conversations/tags',
  'post /api/conversations/visible',
  'post /api/records/batch',
  'delete /api/records/batch/{id}',
  'post /api/x/extraction/marks',
  'post /api/x/export/exports',
  'post /api/x/export/exports/{id}/cancel',
  'post /api/x/export/exports/{id}/deliver',
  'post /api/x/export/table-exports',
  // Orders for later and places to put them: what they write is what an export writes.
  ...['schedules', 'destinations'].flatMap((noun) =>
    ['post ', 'put ', 'delete '].map((method) => `${method}/api/x/export/${noun}${method === 'post ' ? '' : '/{id}'}`),
  ),
  'post /api/x/export/destinations/{id}/check',
  'post /api/x/export/schedules/{id}/state',
  'post /api/x/export/schedules/{id}/take',
  'put /api/x/export/exports/{id}/share',
  'put /api/x/export/templates',
  'delete /api/x/export/templates/{id}',
]
const aboutCustomers =
  /^\w+ \/api\/(?:conversations|records|messages|contacts|contact-moves|suggestions|files|visitors|x\/export|x\/extraction\/(?:marks|facts))\b/
/** Taking one's own star off what one may no longer see hurts nobody. */
const harmless = ['delete /api/conversations/{id}/star']

const namesReadable = 'says which of the ids it may read: none'
/** What a token may ask that was made for something else, and why. Whatever is not here refuses it. */
const openToEveryToken: Record<string, string> = {
  'post /api/setup': 'public',
  'post /api/login': 'public',
  'post /api/invitations/{token}': 'public',
  'post /api/conversations/tags': namesReadable,
  'post /api/conversations/visible': namesReadable,
  'post /api/x/extraction/marks': namesReadable,
  'post /api/files': 'brings a file, which is nobody else’s until it is sent',
}

/** All that a file holds: of a PDF its words, of a workbook its cells, of a zip each name and each text in it. */
async function contentOf(response: Response): Promise<string> {
  const bytes = Buffer.from(await response.arrayBuffer())
  const name = decodeURIComponent(response.headers.get('content-disposition') ?? '')
  if (bytes.subarray(0, 4).toString() === '%PDF') {
    const { text } = await extractText(await getDocumentProxy(new Uint8Array(bytes)), { mergePages: true })
    assert.match(text, /会话/, 'the words of the PDF can be read')
    // A line that is broken hides nothing.
    return `${name}\n${text}\n${text.replace(/\s+/g, '')}`
  }
  if (bytes.subarray(0, 2).toString() !== 'PK') return `${name}\n${bytes.toString('utf8')}`
  const zip = new ZipReader(new BlobReader(new Blob([bytes])))
  const parts = [name]
  for (const entry of await zip.getEntries()) if (!entry.directory) parts.push(entry.filename, await entry.getData(new TextWriter()))
  return parts.join('\n')
}

/** What is stored of them, to be found as it was. */
async function stateOf(world: World, known: readonly Known[]): Promise<unknown> {
  const em = world.hub.em()
  const quiet = { disableIdentityMap: true } as const
  const [ids, contacts] = [known.map(({ id }) => id), known.map(({ contactId }) => contactId)]
  return {
    conversations: (await em.find(Conversation, { id: { $in: ids } }, { orderBy: { id: 'asc' }, ...quiet })).map((row) => [row.id, row.rev, row.status]),
    contacts: (await em.find(Contact, { id: { $in: contacts } }, { orderBy: { id: 'asc' }, ...quiet })).map((row) => [row.id, row.remark, row.phone]),
    identities: (await em.find(Identity, { contactId: { $in: contacts } }, { orderBy: { id: 'asc' }, ...quiet })).map((row) => [row.id, row.blockedAt]),
    tags: [await em.count(ConversationTag, { conversationId: { $in: ids } }), await em.count(ContactTag, { contactId: { $in: contacts } })],
  }
}

await onEveryProfile('no leak by writing', plugins, (world, profile) => {
  test('every route about customers is asked', async () => {
    const { paths } = (await (await fetch(new URL('/api/openapi.json', world().url))).json()) as { paths: Record<string, Record<string, unknown>> }
    const routes = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))
    const missing = routes.filter((route) => !route.startsWith('get') && aboutCustomers.test(route) && !route.endsWith('/api/files'))
    assert.deepEqual(missing.filter((route) => ![...deeds.map((deed) => deed.route), ...elsewhere].includes(route)).sort(), [])
  })

  async function given(c: Case) {
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
    for (const { whose, inbox } of spots) {
      const department = whose === 'department' || whose === 'mine' ? top : whose === 'below' ? below : null
      known.push(await makeConversation(world(), inboxes[inbox]?.id ?? '', department, whose === 'mine' ? person.id : null))
    }
    const line = c.line ? { inboxIds: [inboxes[0]?.id ?? ''] } : {}
    const reaching = ['conversation.read', 'conversation.reply', 'conversation.transfer', 'conversation.close', 'conversation.archive', 'conversation.delete']
    const plain = ['file.download', 'record.batch', 'contact.update', 'contact.tag', 'contact.block', 'contact.merge', 'export.personal', 'audit.read']
    const { scope } = c
    const grants: Grant[] = [
      ...(scope ? reaching.map((permission) => ({ permission, scope, ...line })) : []),
      // As wide as it goes: only what may be read leaves.
      { permission: 'export.record', scope: 'all' },
      ...(c.fields.length > 0 ? [{ permission: 'contact.personal', fields: c.fields }] : []),
      ...plain.map((permission) => ({ permission })),
    ]
    const link = await em.findOneOrFail(AgentRole, { agentId: person.id }, { disableIdentityMap: true })
    await em.nativeUpdate(Role, { id: link.roleId }, { grants })
    world().hub.access.clear()
    const owner = await world().person('老板', 'owner', { presence: 'away' })
    const tagId: string = (await owner.call('POST', '/api/tags', { name: newId() })).body.id
    const open = known.filter((_, i) => readable(c, spots[i] as (typeof spots)[number]))
    return { person, owner, known, open, hidden: known.filter((one) => !open.includes(one)), tagId }
  }

  async function askAbout(c: Case, person: Person, known: readonly Known[], open: readonly Known[], tagId: string): Promise<void> {
    const em = world().hub.em()
    for (const { route, body } of deeds) {
      const [method = '', path = ''] = route.split(' ')
      for (const [i, one] of known.entries()) {
        const identity = await em.findOne(Identity, { contactId: one.contactId }, { disableIdentityMap: true })
        const other = known[(i + 1) % known.length] as Known
        const about = { known: one, identityId: identity?.id ?? newId(), otherId: other.contactId, tagId, me: person.id }
        const messages = path.includes('/messages/{id}') ? await em.find(Message, { conversationId: one.id }, { fields: ['id'], disableIdentityMap: true }) : []
        const facts = path.includes('/facts/')
          ? await readRaw<{ id: string }>(em, sql`select id from extraction_fact where contact_id = ${one.contactId} limit 3`)
          : []
        // Of its kind, and of another: an id says nothing of what it is.
        const usual = path.includes('/contacts/{id}') ? [one.contactId, one.id] : [one.id, one.contactId]
        const ids = messages.length > 0 ? messages.map(({ id }) => id) : facts.length > 0 ? facts.map(({ id }) => id) : usual
        for (const id of ids) {
          const url = path.replace('{id}', id).replace('{tagId}', tagId).replace('{identityId}', about.identityId)
          const answer = await person.call(method.toUpperCase(), url, body?.(about))
          const said = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
          assert.ok(answer.status < 500, `${answer.status} ${route}: ${said}`)
          if (!open.includes(one) && !harmless.includes(route)) assert.ok(answer.status >= 400, `${answer.status} ${route} on what may not be read`)
          if (!open.includes(one) && answer.status === 400 && /\/\{id\}/.test(path)) assert.equal(facts.length, 0, `${route}: ${said}`)
          checkSaid(c, known, said, c.fields, route, () => false)
        }
      }
    }
  }

  /** Exports in every form; returns what left with personal data asked for, and without. */
  async function takeOut(person: Person, known: readonly Known[]): Promise<{ id: string; said: Record<'personal' | 'masked', string> }> {
    const said = { personal: '', masked: '' }
    let last = ''
    const forms = [
      { format: 'csv', rows: 'record', attachments: false },
      { format: 'csv', rows: 'message', attachments: true },
      { format: 'xlsx', rows: 'message', attachments: false },
      { format: 'pdf', rows: 'message', attachments: false },
    ]
    for (const personal of [true, false])
      for (const [i, form] of forms.entries()) {
        const fields = form.format === 'pdf' ? pdfFields : form.rows === 'record' ? recordFields : fieldKeys
        const what = i === 2 ? { filter: { status: ['open', 'closed', 'archived'] } } : { ids: known.map(({ id }) => id) }
        const rest = { fields, personal, nameRule: '{date}_{inbox}_{agent}_{category}_{count}', tz: 'Asia/Shanghai', language: 'zh' }
        const ordered = await person.call('POST', '/api/x/export/exports', { ...form, ...rest, ...what })
        assert.equal(ordered.status, 201, JSON.stringify(ordered.body))
        const fromTheBin = await person.call('POST', '/api/x/export/exports', { ...form, ...rest, filter: { status: ['deleted'] } })
        assert.equal(fromTheBin.status, 400)
        last = ordered.body.id
        const info = await eventually(async () => {
          const { body } = await person.call('GET', `/api/x/export/exports/${last}`)
          return body.state !== 'running' && body
        }, 'the export')
        const way = personal ? 'personal' : 'masked'
        said[way] += JSON.stringify(info)
        if (info.state === 'done')
          said[way] += await contentOf(await fetch(new URL(`/api/x/export/exports/${last}/file`, world().url), { headers: { cookie: person.cookie } }))
      }
    return { id: last, said }
  }

  /** All that has happened has been told to all who listen. */
  async function heard(): Promise<void> {
    const end = performance.now() + 60_000
    while (
      (await world()
        .hub.em()
        .count(Delivery, { dueAt: { $ne: null } })) > 0
    ) {
      assert.ok(performance.now() < end, 'the listeners are done')
      for (const listener of ['audit', 'extraction', 'export']) await deliverEvents(world().hub, listener)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** A list with all its columns as a file, its personal data asked for. */
  async function tableFile(person: Person, table: string): Promise<string> {
    const { items } = (await person.call('GET', '/api/x/export/tables')).body as { items: { name: string; columns: { key: string }[] }[] }
    const columns = items.find(({ name }) => name === table)?.columns.map(({ key }) => key)
    const form = { format: 'csv', personal: true, nameRule: '{date}', tz: 'UTC', language: 'zh' }
    const { status, body } = await person.call('POST', '/api/x/export/table-exports', { ...form, table, filter: {}, columns })
    assert.equal(status, 201, JSON.stringify(body))
    await eventually(async () => (await person.call('GET', `/api/x/export/exports/${body.id}`)).body.state === 'done', `${table} as a file`)
    return contentOf(await fetch(new URL(`/api/x/export/exports/${body.id}/file`, world().url), { headers: { cookie: person.cookie } }))
  }

  /** Every page of a plugin that can be read, about everything there is. */
  async function askPlugins(person: Pick<Person, 'call'>, known: readonly Known[]): Promise<{ url: string; status: number; said: string }[]> {
    const { paths } = (await (await fetch(new URL('/api/openapi.json', world().url))).json()) as { paths: Record<string, object> }
    const routes = Object.entries(paths).flatMap(([path, methods]) => ('get' in methods && /^\/api\/x\/(?!.*\/ui\/)/.test(path) ? [path] : []))
    assert.ok(routes.length > 8, routes.join(' '))
    const ids = known.flatMap((one) => one.ids)
    const urls = routes.flatMap((path) => (path.includes('{id}') ? ids.map((id) => path.replace('{id}', id)) : [path]))
    const answers: { url: string; status: number; said: string }[] = []
    for (const url of urls) {
      const { status, body } = await person.call('GET', url)
      answers.push({ url, status, said: typeof body === 'string' ? body : JSON.stringify(body) })
    }
    return answers
  }

  test('a reveal shows its own kind in a message, and no other', async () => {
    const c: Case = { scope: 'all', line: false, fields: [] }
    const { known } = await given(c)
    const em = world().hub.em()
    const [one] = known
    const messages = await em.find(Message, { conversationId: one?.id ?? '' }, { fields: ['id'], disableIdentityMap: true })
    const grants: Grant[] = [
      { permission: 'conversation.read', scope: 'all' },
      { permission: 'contact.reveal', fields: [...personalFields] },
    ]
    for (const field of personalFields) {
      // Each by somebody else: nobody may have so much shown in a minute.
      const person = await world().person(field, grants)
      let said = ''
      for (const { id } of messages) {
        const { status, body } = await person.call('POST', `/api/messages/${id}/reveal`, { field, reason: '核对' })
        assert.equal(status, 200, JSON.stringify(body))
        said += JSON.stringify(body)
      }
      checkSaid(c, known, said, [field], `revealed ${field}`, () => false)
      const inWords = one?.secrets.filter((secret) => secret.field === field).some(({ value }) => said.includes(value))
      assert.ok(inWords || field === 'address', `${field} is shown`)
    }
  })

  async function check(c: Case): Promise<void> {
    const { person, owner, known, open, hidden, tagId } = await given(c)
    const em = world().hub.em()
    // What plugins do by themselves with what was written is done.
    await heard()
    const before = await stateOf(world(), hidden)
    const everyId = known.map(({ id }) => id)
    const who = `reach ${c.scope}`

    // Asked in a body rather than in an address.
    const messages = await em.find(Message, { conversationId: { $in: everyId } }, { fields: ['id', 'conversationId'], disableIdentityMap: true })
    const asked = [
      await person.call('POST', '/api/conversations/tags', { ids: everyId }),
      await person.call('POST', '/api/conversations/visible', { ids: everyId }),
      await person.call('POST', '/api/x/extraction/marks', { conversations: everyId, messages: messages.map(({ id }) => id) }),
    ]
    for (const { status, body } of asked) {
      assert.equal(status, 200)
      const said = JSON.stringify(body)
      checkSaid(c, known, said, c.fields, who, () => false)
      for (const one of hidden)
        for (const id of [one.id, ...messages.filter((m) => m.conversationId === one.id).map((m) => m.id)]) assert.ok(!said.includes(id), who)
    }
    const seen: string[] = asked[1]?.body.ids ?? []
    assert.deepEqual(seen.sort(), open.map(({ id }) => id).sort())

    // What leaves as a file.
    const out = await takeOut(person, known)
    checkSaid(c, known, out.said.personal, c.fields, `${who}, exports with personal data`, ({ field }) => field === null)
    checkSaid(c, known, out.said.masked, [], `${who}, exports without`, ({ field }) => field === null)
    for (const one of hidden) assert.ok(!`${out.said.personal}${out.said.masked}`.includes(one.id), `${who} exports what may not be read`)

    // What plugins tell, of whatever they keep, and the list of contacts as a file.
    for (const { url, status, said } of await askPlugins(person, known)) {
      assert.ok(status !== 400 && status < 500, `${status} ${url}: ${said}`)
      checkSaid(c, known, said, c.fields, `${who}, ${url}`, () => false)
    }
    if (c.scope) checkSaid(c, known, await tableFile(person, 'hub.contacts'), c.fields, `${who}, contacts as a file`, () => false)

    // A file of somebody else's conversation is nobody's to send, and ids that were guessed lead nowhere.
    for (const one of hidden)
      for (const fileId of [...one.fileIds, one.letterId]) {
        const [mine] = open
        const part = { type: 'file', fileId, name: '合同.txt', mime: 'text/plain', size: 1 }
        if (mine) {
          const sent = await person.call('POST', `/api/conversations/${mine.id}/messages`, { clientId: newId(), parts: [part], note: true })
          assert.ok(sent.status >= 400 && sent.status < 500, `${who} sends a file of others: ${sent.status}`)
        }
        for (const end of ['', '/thumbnail']) assert.equal((await person.call('GET', `/api/files/${fileId}${end}`)).status, 404)
      }
    const stranger = await personFor(world(), newId())
    const link = await em.findOneOrFail(AgentRole, { agentId: stranger.id }, { disableIdentityMap: true })
    await em.nativeUpdate(Role, { id: link.roleId }, { grants: [{ permission: 'export.record', scope: 'all' }, { permission: 'record.batch' }] })
    world().hub.access.clear()
    for (const id of [out.id, newId()])
      for (const [method, end, body] of [
        ['GET', ''],
        ['GET', '/file'],
        ['POST', '/cancel'],
        ['PUT', '/share', { agentIds: [stranger.id] }],
        ['POST', '/deliver', { destinationId: newId() }],
      ] as const)
        assert.equal((await stranger.call(method, `/api/x/export/exports/${id}${end}`, body)).status, 404, `${method} ${end}`)

    await askAbout(c, person, known, open, tagId)

    // Many at once: what is named and may not be read is passed over.
    const batch = await person.call('POST', '/api/records/batch', { action: 'tag', tagId, ids: everyId, tz: 'UTC' })
    assert.equal(batch.status, 201, JSON.stringify(batch.body))
    await eventually(async () => (await person.call('GET', `/api/records/batch/${batch.body.id}`)).body.state !== 'running', 'the batch')
    assert.equal((await stranger.call('GET', `/api/records/batch/${batch.body.id}`)).status, 404)
    assert.deepEqual(await stateOf(world(), hidden), before, `${who} changed what may not be read`)

    // The log, which tells of all that was done, in the words that its reader may see.
    for (const one of known) {
      const [, , phone] = one.secrets
      await owner.call('GET', `/api/conversations/jump?q=${encodeURIComponent(phone?.value ?? '')}`)
      await owner.call('GET', `/api/records?filter=${encodeURIComponent(JSON.stringify({ keyword: one.secrets[7]?.value, contact: phone?.value }))}`)
      await owner.call('POST', `/api/contacts/${one.contactId}/reveal`, { field: 'phone', reason: `核对 ${phone?.value}` })
    }
    await heard()
    const log = async () =>
      JSON.stringify((await person.call('GET', `/api/x/audit/entries?limit=100`)).body) +
      (await person.call('GET', `/api/x/audit/entries.csv?agentId=${owner.id}`)).body
    const told = (await log()) + (await tableFile(person, 'audit.entries'))
    assert.ok(told.split('contact.searched').length > known.length, 'the log tells of it')
    checkSaid(c, known, told, [], `${who}, the log`, () => false)
  }

  test('a token made for something else is refused wherever it writes, and by every plugin, but for what is written down', async () => {
    const owner = await world().person('老板', 'owner', { presence: 'away' })
    const one = await makeConversation(world(), (await world().inbox('mock')).id, null, owner.id)
    assert.equal((await owner.call('PUT', `/api/conversations/${one.id}/draft`, { text: '回电' })).status, 200)
    const viewId: string = (await owner.call('POST', '/api/record-views', { name: '回电', filter: {} })).body.id
    const tagId: string = (await owner.call('POST', '/api/tags', { name: newId() })).body.id
    const made = await owner.call('POST', '/api/tokens', { name: '巡检', permissions: ['system.read'] })
    const ask = (method: string, url: string, body?: unknown) => call(world().url, method, url, body, { authorization: `Bearer ${made.body.token}` })
    const em = world().hub.em()
    const identity = await em.findOneOrFail(Identity, { contactId: one.contactId }, { disableIdentityMap: true })
    const message = await em.findOneOrFail(Message, { conversationId: one.id, direction: 'in' }, { orderBy: { seq: 'asc' }, disableIdentityMap: true })
    const about = { known: one, identityId: identity.id, otherId: newId(), tagId, me: owner.id }
    const ids = [one.id, one.contactId, message.id, viewId]
    const before = await stateOf(world(), [one])
    const { paths } = (await (await fetch(new URL('/api/openapi.json', world().url))).json()) as { paths: Record<string, Record<string, unknown>> }
    const open = new Set<string>()
    for (const route of Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))) {
      const [method = '', path = ''] = route.split(' ')
      if (method === 'get') continue
      const body = deeds.find((deed) => deed.route === route)?.body?.(about)
      for (const id of path.includes('{id}') ? ids : ['']) {
        const filled = { '{id}': id, '{tagId}': tagId, '{identityId}': identity.id }
        const url = path.replace(/\{\w+\}/g, (name) => filled[name as keyof typeof filled] ?? newId())
        if (![403, 404].includes((await ask(method.toUpperCase(), url, body)).status)) open.add(route)
      }
    }
    assert.deepEqual([...open].sort(), Object.keys(openToEveryToken).sort())
    assert.deepEqual(await stateOf(world(), [one]), before)
    assert.equal((await owner.call('GET', `/api/conversations/${one.id}/draft`)).body.text, '回电')
    const told = await askPlugins({ call: ask }, [one])
    assert.deepEqual(
      told.filter(({ status }) => status !== 403 && status !== 404).map(({ url }) => url),
      [],
    )
  })

  for (const c of profile === 'embedded' ? always.filter(({ line }) => !line) : always.slice(1, 3))
    test(`reach ${c.scope ?? 'none'}${c.line ? ' in one inbox' : ''}, fields ${c.fields.join(' ') || 'none'}`, () => check(c))
  if (profile === 'embedded') test('generated roles', () => fc.assert(fc.asyncProperty(cases, check), { numRuns: 1, endOnFailure: true }))
})
