/** What customers dress up reaches nobody who may not see it: threads, previews, search and its snippets, marks, CSV. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { extractText, getDocumentProxy } from 'unpdf'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { ConversationSummary } from '../../core/src/domain/record/record.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import exportPlugin from '../../plugins/export/plugin.ts'
import extraction from '../../plugins/extraction/plugin.ts'
import { Mark } from '../../plugins/extraction/server/fact.entity.ts'
import { eventually, found, onEveryProfile, type Person } from '../support/world.ts'

const { manifest: mock } = mockChannel('disguise')
/** What is said, and the part of it that nobody may read. */
const said: readonly [text: string, secret: string][] = [
  ['加薇 lucky-cat99 细聊', 'lucky-cat99'],
  ['liujia0418，我微信，备注牙齿矫正', 'liujia0418'],
  ['V❤：moon_light520', 'moon_light520'],
  ['①⑦⑦⓪①②③④⑤⑥⑦ 这是我号码', '⓪①②③'],
  ['一三六二二〇五九九幺七 晚上打给我', '二二〇五'],
  ['邮箱：zhaomin2020（at）gmail点com', 'zhaomin2020'],
  ['扣扣 ８７６５４３２１', '６５４３２１'],
  ['电话137\n9988\n6655', '9988'],
  ['0013', '0013'],
  ['happy_bear1314', 'happy_bear1314'],
]

await onEveryProfile('disguised', [found(mock), found(extraction), found(exportPlugin)], (world) => {
  /** The file of an export that this reader has ordered, masked. */
  async function taken(reader: Person, format: string, fields: string[]): Promise<Response> {
    const order = { format, rows: 'message', fields, attachments: false, personal: false, nameRule: '{date}', tz: 'UTC', language: 'zh' }
    const placed = (await reader.call('POST', '/api/x/export/exports', order)).body
    await eventually(async () => (await reader.call('GET', `/api/x/export/exports/${placed.id}`)).body.state === 'done', 'the export')
    return fetch(new URL(`/api/x/export/exports/${placed.id}/file`, world().url), { headers: { cookie: reader.cookie } })
  }

  test('no way out tells what was dressed up', async () => {
    const em = world().hub.em()
    const owner = await world().person('老板', 'owner')
    const reader = await world().person('小遮', 'admin')
    const { roleId } = await em.findOneOrFail(AgentRole, { agentId: reader.id }, { disableIdentityMap: true })
    const { grants } = await em.findOneOrFail(Role, { id: roleId }, { disableIdentityMap: true })
    // All that an admin may, but to see who somebody is.
    await em.nativeUpdate(Role, { id: roleId }, { grants: grants.filter(({ permission }) => !/^contact\.(?:personal|reveal)$/.test(permission)) })
    world().hub.access.clear()

    const inbox = await world().inbox('disguise')
    const messages: { id: string; conversationId: string }[] = []
    // Each in a conversation of its own: then each is a preview as well.
    for (const [text] of said) {
      const [one] = await world().say(inbox, newId(), text)
      messages.push({ id: one?.messageId as string, conversationId: one?.conversationId as string })
    }
    await em.nativeUpdate(Conversation, { id: { $in: messages.map(({ conversationId }) => conversationId) } }, { assigneeId: reader.id, status: 'open' })
    await eventually(async () => (await em.count(Mark, { messageId: { $in: messages.map(({ id }) => id) } })) >= 8, 'the marks')

    const search = (keyword: string) => `/api/records?filter=${encodeURIComponent(JSON.stringify({ keyword }))}`
    const ask = async (who: typeof reader) => {
      const answers: [string, unknown][] = []
      const get = async (url: string) => answers.push([url, (await who.call('GET', url)).body])
      await get('/api/conversations?group=open')
      await get('/api/records')
      for (const { conversationId } of messages) await get(`/api/conversations/${conversationId}/messages`)
      for (const word of ['微信', '细聊', '号码', '晚上', '邮箱', '扣扣', '电话']) await get(search(word))
      const marks = await who.call('POST', '/api/x/extraction/marks', {
        conversations: messages.map(({ conversationId }) => conversationId),
        messages: messages.map(({ id }) => id),
      })
      answers.push(['marks', marks.body])
      return answers
    }
    const all = await ask(reader)
    for (const [url, body] of all)
      for (const [, secret] of said)
        assert.ok(!JSON.stringify(body).includes(JSON.stringify(secret).slice(1, -1)), `${secret} stands in ${url}: ${JSON.stringify(body).slice(0, 600)}`)
    assert.ok(JSON.stringify(all.find(([url]) => url === search('细聊'))?.[1]).includes('加薇 lu********* 细聊'), 'the snippet is there, starred')
    // The same questions do tell whoever may see it.
    const seen = JSON.stringify(await ask(owner))
    for (const [, secret] of said) assert.ok(seen.includes(secret), `${secret} is told to the owner`)
    // Looking for it finds nothing either: a count would tell it piece by piece.
    for (const [, secret] of said) {
      const items = async (who: typeof reader) => (await who.call('GET', search(secret))).body.items.length
      assert.deepEqual([await items(reader), await items(owner)], [0, 1], secret)
    }

    const csv = await (await taken(reader, 'csv', ['id', 'contact', 'text'])).text()
    for (const [, secret] of said) assert.ok(!csv.includes(secret), `${secret} stands in the CSV`)
    assert.ok(csv.includes('细聊'))
  })

  test('what a form holds, where somebody is, what a summary and a channel say of them is told by no list, search or file', async () => {
    const em = world().hub.em()
    const owner = await world().person('老板', 'owner')
    const reader = await world().person('小遮', 'agent')
    await world().grant(reader, [
      { permission: 'conversation.read', scope: 'all' },
      { permission: 'export.record', scope: 'all' },
    ])
    const inbox = await world().inbox('disguise')
    const fields = [
      { label: '真实姓名（必填）', value: '张三丰' },
      { label: '微信（选填）', value: 'lily2020' },
      { label: '手机号码（必须填写）', value: '61234567' },
      { label: '您方便接听的手机是哪个呢', value: '71234567' },
    ]
    const place = { type: 'location' as const, lat: 40, lng: 116.48, name: '望京SOHO塔3' }
    const arrive = async (part: object) => {
      const from = {
        externalId: newId(),
        facts: [
          { name: 'mobile', label: { zh: '登记', en: 'Registered' }, value: '51234567' },
          { name: 'a', label: { zh: '真实姓名', en: 'Real name' }, value: '李寻欢' },
          { name: 'b', label: { zh: '微信', en: 'WeChat' }, value: { zh: 'feidao99', en: 'feidao99' } },
          { name: 'c', label: { zh: '收货地址', en: 'Goes to' }, value: '太原李园' },
        ],
      }
      const [one] = await world().hub.intake.accept(inbox.id, [{ kind: 'message', externalId: newId(), from, parts: [part] } as never])
      return { id: one?.conversationId as string, messageId: one?.messageId as string }
    }
    const form = await arrive({ type: 'card', kind: 'lead-form', title: '报名线索', fields })
    const here = await arrive(place)
    // Words that were stored before they said that a place is one.
    const before = await arrive(place)
    await em.nativeUpdate(Message, { id: before.messageId }, { text: place.name })
    const ids = [form, here, before].map(({ id }) => id)
    await em.nativeUpdate(Conversation, { id: { $in: ids } }, { assigneeId: reader.id, status: 'open' })
    const asked = [
      { id: 'name', label: '怎么称呼', kind: 'text' },
      { id: 'wechat', label: '另一个', kind: 'text' },
      { id: 'address', label: '住哪里', kind: 'text' },
      { id: 'f1', label: '家长姓名', kind: 'text' },
    ]
    assert.equal((await owner.call('PUT', '/api/summary-form', { fields: asked })).status, 200)
    const answers = { name: '王重阳', wechat: 'quanzhen7', address: '终南山活死人墓', f1: '林朝英' }
    await em.insert(ConversationSummary, { conversationId: form.id, answers, updatedById: null, updatedAt: new Date() })

    const search = (keyword: string) => `/api/records?filter=${encodeURIComponent(JSON.stringify({ keyword }))}`
    const ask = async (who: typeof reader) => {
      const answers: [string, string][] = []
      const get = async (url: string) => answers.push([url, JSON.stringify((await who.call('GET', url)).body)])
      for (const url of ['/api/conversations?group=open', '/api/conversations?group=mine', '/api/records', search('线索'), search('位置')]) await get(url)
      for (const id of ids) {
        await get(`/api/conversations/${id}/messages`)
        await get(`/api/records/${id}`)
        const { contactId } = await em.findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
        await get(`/api/contacts/${contactId}`)
        await get(`/api/contacts/${contactId}/thread?q=${encodeURIComponent('线索')}`)
      }
      return answers
    }
    const told = (await ask(owner)).map(([, text]) => text).join('\n')
    const secrets = [...fields.map(({ value }) => value), 'SOHO', '51234567', '李寻欢', 'feidao99', '太原李园', ...Object.values(answers)]
    for (const secret of secrets) assert.ok(told.includes(secret), `${secret} is told to the owner`)
    for (const [url, text] of await ask(reader))
      for (const secret of secrets)
        assert.ok(!text.includes(secret), `${secret} stands in ${url}: ${text.slice(Math.max(0, text.indexOf(secret) - 200)).slice(0, 300)}`)
    for (const [secret, hits] of [...fields.map(({ value }) => [value, 1] as const), ['SOHO', 2] as const, ['望京SOHO塔3', 2] as const]) {
      const items = async (who: typeof reader) => (await who.call('GET', search(secret))).body.items.length
      assert.deepEqual([await items(reader), await items(owner)], [0, hits], secret)
    }

    for (const format of ['csv', 'pdf']) {
      const bytes = await (await taken(reader, format, ['contact', 'summary', 'text'])).arrayBuffer()
      const text =
        format === 'csv'
          ? Buffer.from(bytes).toString('utf8')
          : (await extractText(await getDocumentProxy(new Uint8Array(bytes)))).text.join('').replaceAll('\n', '')
      for (const secret of secrets) assert.ok(!text.includes(secret), `${secret} stands in the ${format}`)
      assert.ok(text.includes('线索'), `the ${format} holds the form`)
    }
  })
})
