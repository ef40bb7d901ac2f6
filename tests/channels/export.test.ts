/** Exports: what comes out opened by other readers, who may have it, and what a crash, a cancel or time does to it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlobReader, TextWriter, ZipReader } from '@zip.js/zip.js'
import { SendError } from '../../core/sdk/channel.ts'
import { HubError } from '../../core/sdk/errors.ts'
import type { HubEvent } from '../../core/sdk/events.ts'
import type { PluginManifest } from '../../core/sdk/plugin.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import type { Grant } from '../../core/sdk/wire/role.ts'
import { personalFields } from '../../core/src/access/permissions.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { partOf, storeFile } from '../../core/src/domain/file/store-file.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { Setting } from '../../core/src/domain/setting/setting.entity.ts'
import exportPlugin from '../../plugins/export/plugin.ts'
import type { Ctx } from '../../plugins/export/server/context.ts'
import { ExportDownload, ExportFile, ExportPart, ExportShare } from '../../plugins/export/server/export.entity.ts'
import { stillSees } from '../../plugins/export/server/needed.ts'
import { endedOrder, type Order } from '../../plugins/export/server/order.ts'
import { placeExport } from '../../plugins/export/server/place-export.ts'
import { sweepExports, writeExport } from '../../plugins/export/server/write-export.ts'
import { eventually, found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest, platform } = mockChannel()
const heard: HubEvent[] = []
const watcher: PluginManifest = {
  id: 'watcher',
  version: '1.0.0',
  label: { zh: '旁听', en: 'Watcher' },
  contactFields: [
    { name: 'age', label: { zh: '年龄', en: 'Age' } },
    { name: 'line', label: { zh: '备用号', en: 'Other line' }, personal: 'phone' },
  ],
  on: { '*': (event) => void heard.push(event) },
}
const base = '/api/x/export'

async function talk(world: World, agent: Person, words: string[], who = newId()): Promise<string> {
  const inbox = await world.inbox('mock')
  let id = ''
  for (const word of words) id = (await world.say(inbox, who, word))[0]?.conversationId ?? ''
  await world.hub.em().nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open' })
  return id
}
const order = (more: object = {}) => ({
  format: 'csv',
  rows: 'message',
  fields: ['id', 'contact', 'phone', 'createdAt', 'at', 'sender', 'text'],
  attachments: false,
  personal: false,
  nameRule: '聊天_{date}_{count}',
  tz: 'Asia/Shanghai',
  language: 'zh',
  ...more,
})
/** Another's reading of RFC 4180, character by character. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [[]]
  let [cell, quoted] = ['', false]
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string
    if (quoted) {
      if (c !== '"') cell += c
      else if (text[i + 1] === '"') cell += text[++i]
      else quoted = false
    } else if (c === '"') quoted = true
    else if (c === ',' || c === '\n') {
      rows.at(-1)?.push(cell.replace(/\r$/, ''))
      cell = ''
      if (c === '\n') rows.push([])
    } else cell += c
  }
  return rows.slice(0, -1)
}

await onEveryProfile('exports', [found(manifest), found(watcher), found(exportPlugin)], (world) => {
  const ctx = () => {
    const plugin = world().hub.kernel.get('export')
    assert.ok(plugin)
    return plugin.ctx as unknown as Ctx
  }
  const place = async (person: Person, more: object = {}) => (await person.call('POST', `${base}/exports`, order(more))).body
  const ready = (person: Person, id: string, state = 'done') =>
    eventually(async () => {
      const { body } = await person.call('GET', `${base}/exports/${id}`)
      return body.state === state && body
    }, `the export ${state}`)
  const fetchFile = (person: Person, id: string) => fetch(new URL(`${base}/exports/${id}/file`, world().url), { headers: { cookie: person.cookie } })
  const csvOf = async (person: Person, more: object = {}) => {
    const { id } = await place(person, more)
    await ready(person, id)
    return readCsv(Buffer.from(await (await fetchFile(person, id)).arrayBuffer()).toString('utf8'))
  }
  const unzip = async (response: Response, password?: string) => {
    const zip = new ZipReader(new BlobReader(await response.blob()))
    const files = new Map<string, string>()
    for (const entry of await zip.getEntries())
      if (!entry.directory) files.set(entry.filename, await entry.getData(new TextWriter(), password ? { password } : {}))
    return files
  }

  test('CSV: marked as UTF-8, headings in their language, times on the clock asked for, formulas told to be text', async () => {
    const agent = await world().person('甲')
    const hostile = ['=HYPERLINK("http://evil.cn","x")', '+1', '-2', '@SUM(A1)', '\tx', ' =1+1', '＝1+1', '普通,"引号"\n第二行']
    const id = await talk(world(), agent, hostile)
    const rows = await csvOf(agent, { ids: [id] })
    assert.equal(rows[0]?.[0], '\ufeff会话编号')
    assert.deepEqual(
      rows.slice(1).map((row) => row.at(-1)),
      [...hostile.slice(0, -1).map((text) => `'${text}`), hostile.at(-1)],
    )
    const { createdAt } = await world().hub.em().findOneOrFail(Conversation, { id })
    assert.equal(rows[1]?.[3], new Date(createdAt.getTime() + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' '))
    assert.equal(rows[1]?.[5], '客户')
    assert.equal((await csvOf(agent, { ids: [id], language: 'en', rows: 'record' }))[0]?.length, 4)
  })

  test('what the customer does not have, or perhaps not, is not exported as said', async (t) => {
    const agent = await world().person('乙')
    const id = await talk(world(), agent, ['你好'])
    t.after(() => void (platform.fail = undefined))
    const said = [
      ['您好', 'sent', undefined],
      ['退款一百元已经给您办了', 'failed', new SendError('refused', { retry: false })],
      ['明天到', 'uncertain', new SendError('lost', { retry: 'unknown' })],
    ] as const
    for (const [words, status, fault] of said) {
      platform.fail = () => fault
      const { body } = await world().reply(agent, id, words)
      await eventually(async () => (await world().hub.em().count(Message, { id: body.id, status })) > 0, status)
    }
    const asked = { ids: [id], fields: ['sender', 'text', 'fate'] }
    assert.deepEqual((await csvOf(agent, asked)).slice(1), [
      ['客户', '你好', ''],
      ['客服', '您好', '已发送'],
      ['客服', '（未送达）退款一百元已经给您办了', '未送达'],
      ['客服', '（结果不明）明天到', '结果不明'],
    ])
    const [, , , failed, uncertain] = await csvOf(agent, { ...asked, language: 'en' })
    assert.deepEqual([failed?.[1], uncertain?.[1]], ['(not delivered) 退款一百元已经给您办了', '(outcome unknown) 明天到'])
    // A note goes to nobody.
    await world().reply(agent, id, '内部', { note: true })
    assert.deepEqual((await csvOf(agent, asked)).at(-1), ['内部备注', '内部', ''])
  })

  test('a letter’s subject, the address behind a title and where a place lies are in it, masked as the rest', async () => {
    const [owner, { hub }] = [await world().person('主题', 'owner'), world()]
    const inbox = await world().inbox('mock')
    const who = newId()
    const event = (parts: unknown[], meta?: object) =>
      ({ kind: 'message', externalId: newId(), from: { externalId: who }, parts, ...(meta ? { meta } : {}) }) as never
    const accepted = await hub.intake.accept(inbox.id, [
      event([{ type: 'text', text: '见主题' }], { subject: '发票 4711，电话 13812345678' }),
      event([{ type: 'link', url: 'https://shop.cn/item/998877', title: '明前龙井礼盒' }]),
      event([{ type: 'link', url: 'https://shop.cn/plain' }]),
      event([{ type: 'location', lat: 30.274151, lng: 120.155071, name: '武林广场' }]),
      event([{ type: 'location', lat: 31.274151, lng: 121.155071 }]),
    ])
    const id = accepted[0]?.conversationId ?? ''
    // One from before they were kept for search is whole all the same.
    await hub.em().nativeUpdate(Message, { conversationId: id }, { besides: null })
    const texts = async (more: object = {}) => (await csvOf(owner, { ids: [id], fields: ['text'], ...more })).slice(1).flat()
    assert.deepEqual(await texts({ personal: true }), [
      '主题：发票 4711，电话 13812345678\n见主题',
      '明前龙井礼盒\nhttps://shop.cn/item/998877',
      'https://shop.cn/plain',
      '位置: 武林广场\n30.274151, 120.155071',
      '[位置]\n31.274151, 121.155071',
    ])
    const masked = await texts({ language: 'en' })
    assert.equal(masked[0], 'Subject: 发票 4711，电话 138****5678\n见主题')
    assert.deepEqual([masked[3]?.split('\n')[1], masked[4]], ['30.27, 120.16', '[Location]\n31.27, 121.16'])
    assert.deepEqual((await csvOf(owner, { ids: [id], fields: ['subject', 'text'], personal: true }))[1], ['发票 4711，电话 13812345678', '见主题'])
  })

  test('the messages of a record are what people said: one number in the list, on its page, in the export, and as many rows', async () => {
    const agent = await world().person('甲')
    const id = await talk(world(), agent, ['你好', '在吗'])
    const note = { clientId: newId(), parts: [{ type: 'text', text: '是老客户' }], note: true }
    assert.equal((await agent.call('POST', `/api/conversations/${id}/messages`, note)).status, 201)
    assert.equal((await world().reply(agent, id, '您好')).status, 201)
    assert.equal((await agent.call('POST', `/api/conversations/${id}/close`)).status, 200)
    const lines = (await agent.call('GET', `/api/conversations/${id}/messages`)).body.items as { direction: string }[]
    assert.ok(lines.some(({ direction }) => direction === 'system'))
    assert.equal((await agent.call('GET', `/api/records/${id}`)).body.messages, 4)
    const filter = encodeURIComponent(JSON.stringify({ agentIds: [agent.id] }))
    assert.deepEqual(
      (await agent.call('GET', `/api/records?filter=${filter}`)).body.items.map((row: { messages: number }) => row.messages),
      [4],
    )
    const [, ...rows] = await csvOf(agent, { ids: [id], fields: ['id', 'messages', 'text'], notes: true })
    assert.deepEqual(
      rows.map((row) => row[1]),
      ['4', '4', '4', '4'],
    )
  })

  test('two fields of one label, from a form of before: both answers are in the column', async () => {
    const agent = await world().person('甲')
    const em = world().hub.em()
    const id = await talk(world(), agent, ['你好'])
    const twice = ['a', 'b'].map((field) => ({ id: field, label: '结果', kind: 'text' }))
    await em.upsert(Setting, { key: 'summary.form', value: { fields: twice }, updatedAt: new Date() })
    assert.equal((await agent.call('PUT', `/api/records/${id}/summary`, { answers: { a: '已退款', b: '已回访' } })).status, 200)
    const [, row] = await csvOf(agent, { ids: [id], rows: 'record', fields: ['summary'] })
    assert.deepEqual(row, ['结果: 已退款, 已回访'])
    await em.nativeDelete(Setting, { key: 'summary.form' })
  })

  test('all that is known of a customer can be a column: the core’s fields, an admin’s, a plugin’s; masked as everywhere', async () => {
    const owner = await world().person('主人', 'owner')
    const id = await talk(world(), owner, ['你好'])
    const { contactId } = await world().hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    const group = (await owner.call('POST', '/api/skill-groups', { name: `退款组-${newId()}` })).body
    await world().hub.em().nativeUpdate(Conversation, { id }, { skillGroupId: group.id })
    await owner.call('PUT', '/api/contact-fields', { fields: [{ id: 'level', label: '客户等级', options: ['普通', '金牌'] }] })
    const known = { wechat: 'wang_xm88', qq: '10086123', address: '杭州市文三路 9 号', remark: '常客' }
    const fields = { 'hub.level': '金牌', 'watcher.age': '31', 'watcher.line': '13812345678' }
    assert.equal((await owner.call('PATCH', `/api/contacts/${contactId}`, { ...known, fields })).status, 200)
    const asked = { ids: [id], rows: 'record', fields: ['skillGroup', 'contactFields', 'remark', 'address', 'qq', 'wechat'] }
    assert.deepEqual(await csvOf(owner, { ...asked, personal: true }), [
      ['\ufeff技能组', '其他客户资料', '备注', '地址', 'QQ', '微信'],
      [group.name, '年龄: 31; 备用号: 13812345678; 客户等级: 金牌', known.remark, known.address, known.qq, known.wechat],
    ])
    const [, row = []] = await csvOf(owner, asked)
    assert.deepEqual([row[0], row[2], row[1]?.includes('年龄: 31'), row[1]?.includes('金牌')], [group.name, '常客', true, true])
    for (const secret of ['13812345678', known.address, known.qq, known.wechat]) assert.ok(!row.join().includes(secret), secret)

    // Each of them in a column of its own, in the order chosen, under the name it has that day.
    const { items } = (await owner.call('GET', `${base}/fields`)).body
    assert.deepEqual(
      items.map(({ name }: { name: string }) => name),
      ['watcher.age', 'watcher.line', 'hub.level'],
    )
    const own = { ids: [id], rows: 'record', fields: ['hub.level', 'skillGroup', 'watcher.line', 'watcher.age'] }
    assert.deepEqual(await csvOf(owner, { ...own, personal: true }), [
      ['\ufeff客户等级', '技能组', '备用号', '年龄'],
      ['金牌', group.name, '13812345678', '31'],
    ])
    const [, hidden = []] = await csvOf(owner, own)
    assert.deepEqual([hidden[0], hidden[3]], ['金牌', '31'])
    assert.ok(hidden[2] && hidden[2] !== '13812345678' && hidden[2].includes('*'), hidden[2])
    const book = await place(owner, { ...own, format: 'xlsx' })
    await ready(owner, book.id)
    const sheet = (await unzip(await fetchFile(owner, book.id))).get('xl/worksheets/sheet1.xml') ?? ''
    assert.ok(sheet.indexOf('客户等级') > 0 && sheet.indexOf('客户等级') < sheet.indexOf('备用号') && sheet.includes('金牌'))
    assert.ok(!sheet.includes('13812345678'), 'in a sheet as in a table')
    // Who may not see numbers cannot have the column unmasked, and a role that may not export asks for no names of fields.
    const agent = await world().person('小何')
    assert.equal((await agent.call('POST', `${base}/exports`, order({ ...own, personal: true }))).status, 403)
    await world().grant(agent, [{ permission: 'conversation.read', scope: 'all' }])
    assert.equal((await agent.call('GET', `${base}/fields`)).status, 403)
    for (const fields of [['hub.gone'], ['hub.'], ['hub.level', 'hub.level']]) {
      const { status, body } = await owner.call('POST', `${base}/exports`, order({ ...own, fields }))
      assert.deepEqual([status, body.code], [400, 'HUB_REQUEST_INVALID'], fields.join())
    }
    // A plugin that is off takes its columns along.
    await world().whileOff('watcher', async () => {
      assert.equal((await owner.call('POST', `${base}/exports`, order(own))).status, 400)
    })
  })

  test('a file is named by its channel and by what the contacts share; what there is not stays as it was written', async () => {
    const owner = await world().person('名', 'owner')
    await owner.call('PUT', '/api/contact-fields', { fields: [{ id: 'level', label: '客户等级', options: ['普通', '金牌'] }] })
    const talkOf = async (level?: string, line?: string) => {
      const id = await talk(world(), owner, ['你好'])
      const { contactId } = await world().hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
      const fields = { ...(level ? { 'hub.level': level } : {}), ...(line ? { 'watcher.line': line } : {}) }
      if (level) assert.equal((await owner.call('PATCH', `/api/contacts/${contactId}`, { fields })).status, 200)
      return id
    }
    const [gold, golden, plain, none] = [await talkOf('金牌', '13812345678'), await talkOf('金牌'), await talkOf('普通'), await talkOf()]
    const nameOf = async (ids: string[], nameRule: string) => {
      const { id } = await place(owner, { ids, rows: 'record', personal: true, nameRule })
      return (await ready(owner, id)).name
    }
    const [, [channel = ''] = []] = await csvOf(owner, { ids: [gold], rows: 'record', fields: ['channel'] })
    assert.equal(channel, '模拟渠道', 'not its id')
    const rule = '{channel}-{hub.level}-{客户等级}-{hub.nix}-{其它}'
    assert.equal(await nameOf([gold, golden], rule), `${channel}-金牌-金牌-{hub.nix}-{其它}.csv`)
    assert.equal(await nameOf([gold, plain], rule), `${channel}-多个-多个-{hub.nix}-{其它}.csv`)
    assert.equal(await nameOf([gold, none], '{hub.level}'), '多个.csv')
    assert.equal(await nameOf([none], '{hub.level}'), '未指定.csv')
    // Nobody's number: the name is seen by more than who has the file.
    assert.equal(await nameOf([gold], 'a{watcher.line}b'), 'a_b.csv')
  })

  test('Excel: sound XML, real dates, a frozen heading, words that are never a formula', async () => {
    const agent = await world().person('乙')
    const id = await talk(world(), agent, ['=1+1', '<坏>&"x"\u0001', '👍'])
    const { id: exportId } = await place(agent, { ids: [id], format: 'xlsx', fields: ['createdAt', 'text', 'link'] })
    const info = await ready(agent, exportId)
    assert.match(info.name, /^聊天_\d{8}_1\.xlsx$/)
    const files = await unzip(await fetchFile(agent, exportId))
    assert.deepEqual(
      [...files.keys()].sort(),
      ['[Content_Types].xml', '_rels/.rels', 'xl/_rels/workbook.xml.rels', 'xl/styles.xml', 'xl/workbook.xml', 'xl/worksheets/sheet1.xml'].sort(),
    )
    const sheet = files.get('xl/worksheets/sheet1.xml') ?? ''
    assert.match(sheet, /<pane ySplit="1"[^>]*state="frozen"/)
    assert.equal(
      [...sheet.matchAll(/<f>(.*?)<\/f>/g)].every(([, formula]) => formula?.startsWith('HYPERLINK(&quot;http')),
      true,
    )
    assert.ok(sheet.includes('<is><t xml:space="preserve">=1+1</t></is>'))
    assert.ok(sheet.includes('&lt;坏&gt;&amp;&quot;x&quot;<') && sheet.includes('👍') && !sheet.includes('\u0001'))
    const { createdAt } = await world().hub.em().findOneOrFail(Conversation, { id })
    const serial = Number(/<c r="A2" s="1"><v>([\d.]+)<\/v>/.exec(sheet)?.[1])
    assert.ok(Math.abs((serial - 25_569) * 86_400_000 - (createdAt.getTime() + 8 * 3_600_000)) < 1_001)
    assert.equal((sheet.match(/<row r="\d+">/g) ?? []).length, 4)
  })

  test('personal data is masked unless it was asked for by who may export it', async () => {
    const [agent, admin] = [await world().person('丙'), await world().person('管理', 'admin')]
    const id = await talk(world(), agent, ['你好'])
    const { contactId } = await world().hub.em().findOneOrFail(Conversation, { id })
    await world().hub.em().nativeUpdate(Contact, { id: contactId }, { phone: '13812345678' })
    assert.equal((await csvOf(admin, { ids: [id] }))[1]?.[2], '138****5678')
    assert.equal((await csvOf(admin, { ids: [id], personal: true }))[1]?.[2], '13812345678')
    assert.equal((await csvOf(agent, { ids: [id] }))[1]?.[2], '138****5678')
    const refused = await agent.call('POST', `${base}/exports`, order({ ids: [id], personal: true }))
    assert.deepEqual([refused.status, refused.body.details.permission], [403, 'export.personal'])
  })

  test('an agent gets their own conversations only, an admin all; others’ exports are not there until shared', async () => {
    const [mine, other, admin] = [await world().person('丁'), await world().person('戊'), await world().person('管理', 'admin')]
    const [a, b] = [await talk(world(), mine, ['一']), await talk(world(), other, ['二'])]
    assert.deepEqual(
      (await csvOf(mine, { ids: [a, b] })).slice(1).map((row) => row[0]),
      [a],
    )
    assert.deepEqual(
      (await csvOf(mine, { filter: {} })).slice(1).map((row) => row[0]),
      [a],
    )
    const all = (await csvOf(admin, { filter: {} })).map((row) => row[0])
    assert.ok(all.includes(a) && all.includes(b))

    const { id } = await place(mine, { ids: [a] })
    await ready(mine, id)
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['GET', '/file', undefined],
      ['POST', '/cancel', undefined],
      ['PUT', '/share', { agentIds: [] }],
    ] as const) {
      assert.equal((await other.call(method, `${base}/exports/${id}${path}`, body)).status, 404, path)
      assert.equal((await mine.call(method, `${base}/exports/${newId()}${path}`, body)).status, 404, path)
    }
    assert.equal((await admin.call('GET', `${base}/exports/${id}`)).status, 200)
    assert.equal((await fetchFile(admin, id)).status, 404, 'who oversees does not read')
    assert.equal((await mine.call('GET', `${base}/exports?of=all`)).status, 403)
    assert.equal((await mine.call('PUT', `${base}/exports/${id}/share`, { agentIds: [newId()] })).status, 400)
    assert.equal((await mine.call('PUT', `${base}/exports/${id}/share`, { agentIds: [other.id] })).status, 200)
    assert.equal((await fetchFile(other, id)).status, 200)
    assert.deepEqual(
      (await other.call('GET', `${base}/exports?of=shared`)).body.items.map((one: { id: string }) => one.id),
      [id],
    )
    assert.equal((await other.call('PUT', `${base}/exports/${id}/share`, { agentIds: [] })).status, 403)
    for (let i = 0; i < 25; i++) assert.equal((await fetchFile(other, id)).status, 200)
    assert.equal((await fetchFile(mine, id)).status, 200)
    const { downloads } = (await mine.call('GET', `${base}/exports`)).body.items.find((one: { id: string }) => one.id === id)
    assert.deepEqual(
      downloads.map((one: { agentId: string; times: number }) => [one.agentId, one.times]),
      [
        [mine.id, 1],
        [other.id, 26],
      ],
    )
    await mine.call('PUT', `${base}/exports/${id}/share`, { agentIds: [] })
    assert.equal((await fetchFile(other, id)).status, 404)
    const downloaded = await eventually(() => heard.find(({ name, data }) => (name as string) === 'export.downloaded' && (data as any).exportId === id))
    assert.equal(downloaded.by?.agentId, other.id)
    const notices = (await mine.call('GET', '/api/notices')).body.items
    assert.ok(notices.some((notice: { kind: string }) => notice.kind === 'export.ready'))
  })

  test('records that the exporter may not read are in no count and no log; nor is what they lose before its part is written', async () => {
    const [mine, other] = [await world().person('未'), await world().person('申')]
    const [a, b] = [await talk(world(), mine, ['一']), await talk(world(), mine, ['二'])]
    const theirs = await talk(world(), other, ['三'])
    const em = world().hub.em()
    const takenOf = (exportId: string) =>
      heard.flatMap(({ name, data }) =>
        (name as string) === 'export.taken' && (data as { exportId?: string }).exportId === exportId
          ? [[(data as any).conversationIds, (data as any).records]]
          : [],
      )
    const readyOf = (exportId: string) =>
      eventually(
        () => heard.find(({ name, data }) => (name as string) === 'export.ready' && (data as { exportId?: string }).exportId === exportId),
        'it is told',
      )
    const some = await ready(mine, (await place(mine, { ids: [a, theirs] })).id)
    assert.deepEqual([some.total, some.name.split('_').at(-1)], [1, '1.csv'])
    assert.equal(((await readyOf(some.id)).data as any).records, 1)
    assert.deepEqual(takenOf(some.id), [[[a], 1]])
    const none = await ready(mine, (await place(mine, { ids: [theirs] })).id)
    assert.equal(none.total, 0)
    await readyOf(none.id)
    assert.deepEqual(takenOf(none.id), [])

    // Both are found; before the second part, its conversation goes to a colleague.
    const { id } = await place(mine, { ids: [a, b] })
    await ready(mine, id)
    const first = await em.findOneOrFail(ExportFile, { id }, { disableIdentityMap: true })
    const again = newId()
    const fresh = { state: 'running' as const, done: 0, rows: 0, total: 0, bytes: 0, blob: '', idsBlob: '', name: '', finishedAt: null, expiresAt: null }
    await em.insert(ExportFile, { ...first, ...fresh, id: again, leaseUntil: new Date(0) })
    let puts = 0
    const losing = Object.create(ctx(), {
      blobs: {
        value: {
          ...ctx().blobs,
          // The list of ids, the first part.
          async put(chunks: AsyncIterable<Uint8Array>, name?: string) {
            const stored = await ctx().blobs.put(chunks, name)
            if (++puts === 2) await em.nativeUpdate(Conversation, { id: b }, { assigneeId: other.id })
            return stored
          },
        },
      },
    }) as Ctx
    await writeExport(losing, again, 1)
    const lost = await ready(mine, again)
    assert.deepEqual([lost.total, lost.name.split('_').at(-1)], [1, '1.csv'])
    assert.deepEqual(
      readCsv(await (await fetchFile(mine, again)).text())
        .slice(1)
        .map((row) => row[0]),
      [a],
    )
    await readyOf(again)
    assert.deepEqual(takenOf(again), [[[a], 1]])
  })

  test('a file with personal data is for who may see all that stands in it, be it shared or one’s own', async () => {
    const grants = (fields: readonly string[], more: Grant[] = []): Grant[] => [
      { permission: 'conversation.read', scope: 'all' },
      { permission: 'export.record', scope: 'all' },
      { permission: 'export.personal' },
      { permission: 'contact.personal', fields: [...fields] },
      ...more,
    ]
    const phoneless = personalFields.filter((field) => field !== 'phone')
    const sees = await world().person('酉', grants(['phone', 'wechat']))
    const [same, less] = [await world().person('戌', grants(personalFields)), await world().person('亥', grants(phoneless))]
    const { id: ordered } = await place(sees, { ids: [await talk(world(), sees, ['我的号码是13812345678'])], personal: true })
    await ready(sees, ordered)
    const both = await sees.call('PUT', `${base}/exports/${ordered}/share`, { agentIds: [same.id, less.id] })
    assert.deepEqual([both.status, both.body.details.agentId], [400, less.id])
    assert.equal((await sees.call('PUT', `${base}/exports/${ordered}/share`, { agentIds: [same.id] })).status, 200)
    // Whoever could see it when it was shared, and cannot now.
    await world().hub.em().insert(ExportShare, { exportId: ordered, agentId: less.id })
    assert.match(await (await fetchFile(same, ordered)).text(), /13812345678/)
    const refused = await fetchFile(less, ordered)
    const { code, details } = (await refused.json()) as any
    assert.deepEqual([refused.status, code, details.permission, details.fields], [403, 'HUB_FORBIDDEN', 'contact.personal', ['phone']])
    assert.ok(details.text.zh && details.text.en)
    // Masked, it is for whoever may export.
    const { id: masked } = await place(sees, { ids: [await talk(world(), sees, ['我的号码是13812345679'])] })
    await ready(sees, masked)
    await sees.call('PUT', `${base}/exports/${masked}/share`, { agentIds: [less.id] })
    assert.equal((await fetchFile(less, masked)).status, 200)
    // One from before it was kept what a file shows: perhaps all.
    const em = world().hub.em()
    await em.nativeUpdate(ExportFile, { id: ordered }, { shows: null })
    assert.equal((await fetchFile(same, ordered)).status, 200)
    assert.equal((await fetchFile(less, ordered)).status, 403)
    await em.nativeUpdate(ExportFile, { id: ordered }, { shows: 'phone wechat' })

    const row = () => em.findOneOrFail(ExportFile, { id: ordered }, { disableIdentityMap: true })
    const order = JSON.parse((await row()).order)
    assert.equal(await stillSees(ctx(), sees.id, await row(), order), true)
    await world().grant(sees, grants(['wechat']))
    assert.equal((await fetchFile(sees, ordered)).status, 403)
    assert.equal(await stillSees(ctx(), sees.id, await row(), order), false)
  })

  test('a right that is gone ends the download and the writing; an API token orders nothing', async () => {
    const [agent, owner] = [await world().person('己'), await world().person('主', 'owner')]
    const id = await talk(world(), agent, ['一'])
    const { id: exportId } = await place(agent, { ids: [id] })
    await ready(agent, exportId)
    await world().grant(agent, [{ permission: 'conversation.read', scope: 'own' }])
    assert.equal((await fetchFile(agent, exportId)).status, 403)
    await world().hub.em().nativeUpdate(ExportFile, { id: exportId }, { state: 'running', leaseUntil: new Date(), idsBlob: '' })
    await writeExport(ctx(), exportId)
    assert.equal((await world().hub.em().findOneOrFail(ExportFile, { id: exportId })).fault, 'HUB_FORBIDDEN')
    const token = (await owner.call('POST', '/api/tokens', { name: '脚本', permissions: ['export.record'] })).body
    const response = await fetch(new URL(`${base}/exports`, world().url), { headers: { authorization: `Bearer ${token.token}` } })
    assert.equal(response.status, 403)
  })

  test('killed in the middle, the next turn begins behind the last part: no row is missing, none is there twice', async () => {
    const agent = await world().person('庚')
    const ids: string[] = []
    for (let i = 0; i < 3; i++) ids.push(await talk(world(), agent, [`第${i}个`]))
    const em = world().hub.em()
    const { id } = await place(agent, { ids })
    await ready(agent, id)
    const whole = readCsv(await (await fetchFile(agent, id)).text())
    // The same order again, a conversation a part; the process dies while the second is written.
    const first = await em.findOneOrFail(ExportFile, { id }, { disableIdentityMap: true })
    const second = newId()
    const fresh = { state: 'running' as const, done: 0, rows: 0, total: 0, bytes: 0, blob: '', idsBlob: '', name: '', finishedAt: null, expiresAt: null }
    await em.insert(ExportFile, { ...first, ...fresh, id: second, leaseUntil: new Date(0) })
    let puts = 0
    const dying = Object.create(ctx(), {
      blobs: {
        value: {
          ...ctx().blobs,
          put: (chunks: AsyncIterable<Uint8Array>, name?: string) => (++puts > 2 ? Promise.reject(new Error('killed')) : ctx().blobs.put(chunks, name)),
        },
      },
    }) as Ctx
    await writeExport(dying, second, 1)
    assert.deepEqual(
      [await em.count(ExportPart, { exportId: second }), (await em.findOneOrFail(ExportFile, { id: second }, { disableIdentityMap: true })).done],
      [1, 1],
    )
    // It said nothing more: its lease runs out, and two find it at once.
    await em.nativeUpdate(ExportFile, { id: second }, { leaseUntil: new Date(0), holder: newId() })
    await Promise.all([writeExport(ctx(), second, 1), writeExport(ctx(), second, 1), sweepExports(ctx())])
    await ready(agent, second)
    assert.deepEqual(readCsv(await (await fetchFile(agent, second)).text()), whole)
    assert.equal(whole.length, 4)
    assert.equal(await em.count(ExportPart, { exportId: { $in: [id, second] } }), 0)
  })

  test('killed between its end and what is told of it, it is told by the next turn: notices, the entry, the parts', async () => {
    const [agent, colleague] = [await world().person('毕'), await world().person('友')]
    const id = await talk(world(), agent, ['一'])
    const em = world().hub.em()
    const kinds = async (person: Person) => ((await person.call('GET', '/api/notices')).body.items as { kind: string }[]).map(({ kind }) => kind)
    const said = (exportId: string, name: string) => heard.filter((one) => (one.name as string) === name && (one.data as any).exportId === exportId)
    /** An order that nobody has begun, and a context in which what comes after its end fails. */
    const begun = async (more: object = {}) => {
      const exportId = newId()
      const row = { agentId: agent.id, state: 'running', order: JSON.stringify(order({ ids: [id] })), password: '', shows: '' }
      const named = JSON.stringify({ channel: [], inbox: [], agent: [], category: [], fields: {} })
      await em.insert(ExportFile, {
        id: exportId,
        ...row,
        named,
        leaseUntil: new Date(Date.now() + 3_600_000),
        createdAt: new Date(),
        ...more,
      } as unknown as ExportFile)
      await em.insert(ExportShare, { exportId, agentId: colleague.id })
      return exportId
    }
    const killed = () => Promise.reject(new Error('killed'))
    for (const [state, dying] of [
      ['done', { notify: { value: killed } }],
      ['done', { tell: { value: (name: string, data: Record<string, unknown>) => (name === 'ready' ? killed() : ctx().tell(name, data)) } }],
      ['failed', { notify: { value: killed }, records: { value: { ...ctx().records, read: () => Promise.reject(new HubError('HUB_FORBIDDEN', 'no')) } } }],
    ] as const) {
      const exportId = await begun()
      await em.nativeUpdate(ExportFile, { id: exportId }, { leaseUntil: new Date(0) })
      await writeExport(Object.create(ctx(), dying) as Ctx, exportId)
      await ready(agent, exportId, state)
      assert.equal(said(exportId, state === 'done' ? 'export.ready' : 'export.failed').length, 0)
      await em.nativeUpdate(ExportFile, { id: exportId }, { leaseUntil: new Date(0) })
      await Promise.all([sweepExports(ctx()), writeExport(ctx(), exportId), writeExport(ctx(), exportId)])
      await eventually(() => said(exportId, state === 'done' ? 'export.ready' : 'export.failed').length === 1, 'the entry')
      await eventually(
        async () => (await em.findOneOrFail(ExportFile, { id: exportId }, { disableIdentityMap: true })).leaseUntil === null,
        'that nothing is owed',
      )
      assert.equal(await em.count(ExportPart, { exportId }), 0)
      if (state === 'done') assert.deepEqual([(await kinds(agent)).includes('export.ready'), (await kinds(colleague)).includes('export.shared')], [true, true])
      else assert.ok((await kinds(agent)).includes('export.failed'))
    }
    // An order that cannot be told of is refused, and is not there when it is given once more.
    const before = await em.count(ExportFile, { agentId: agent.id })
    const plugin = ctx()
    const { tell } = plugin
    plugin.tell = killed
    try {
      assert.equal((await agent.call('POST', `${base}/exports`, order({ ids: [id] }))).status, 500)
    } finally {
      plugin.tell = tell
    }
    assert.equal(await em.count(ExportFile, { agentId: agent.id }), before)
  })

  test('what lies in the recycle bin is refused, not an empty file; nobody is given a file that they could not open', async () => {
    const [admin, other] = [await world().person('库', 'admin'), await world().person('档')]
    for (const status of [['deleted'], ['closed', 'deleted']]) {
      const { status: code, body } = await admin.call('POST', `${base}/exports`, order({ filter: { status } }))
      assert.deepEqual([code, body.code, body.details.path], [400, 'HUB_REQUEST_INVALID', '/filter'])
    }
    const found: string[] = []
    for await (const page of ctx().records.matching({ agentId: admin.id }, { status: ['deleted'] }, { tz: 'UTC' })) found.push(...page)
    assert.deepEqual(found, [])
    const id = await talk(world(), admin, ['一'])
    const { id: exportId } = await place(admin, { ids: [id], personal: true })
    await ready(admin, exportId)
    const shared = await admin.call('PUT', `${base}/exports/${exportId}/share`, { agentIds: [other.id] })
    assert.deepEqual([shared.status, shared.body.details], [400, { ...shared.body.details, path: '/agentIds', agentId: other.id }])
  })

  test('a filter that cannot be read is refused when it is ordered, of contacts too', async () => {
    const owner = await world().person('筛选', 'owner')
    const filter = { fields: [{ name: 'watcher.age', value: '30' }] }
    const contacts = { table: 'hub.contacts', columns: ['number'], format: 'csv', personal: false, nameRule: '客户', tz: 'UTC', language: 'zh' }
    const asked = async () => [
      await owner.call('POST', `${base}/exports`, order({ fields: ['id'], filter })),
      await owner.call('POST', `${base}/table-exports`, { ...contacts, filter: { records: filter } }),
    ]
    await world().whileOff('watcher', async () => {
      for (const { status, body } of await asked())
        assert.deepEqual([status, body.code, body.details?.path, Boolean(body.details?.text)], [400, 'HUB_REQUEST_INVALID', '/filter', true])
    })
    for (const { status, body } of await asked()) {
      assert.equal(status, 201)
      await ready(owner, body.id)
    }
    // Whoever may not see telephone numbers looks for none: said at once, too.
    const agent = await world().person('看不见', [
      { permission: 'conversation.read', scope: 'all' },
      { permission: 'export.record', scope: 'all' },
    ])
    const { status, body } = await agent.call('POST', `${base}/exports`, order({ filter: { fields: [{ name: 'phone', value: '13812345678' }] } }))
    assert.deepEqual([status, body.code], [403, 'HUB_FORBIDDEN'])
  })

  test('cancelled: no file, and what was written goes; another’s cancel is refused', async () => {
    const agent = await world().person('辛')
    const id = await talk(world(), agent, ['一'])
    const { id: exportId } = await place(agent, { ids: [id] })
    await ready(agent, exportId)
    const em = world().hub.em()
    const kept = await ctx().blobs.put(
      (async function* () {
        yield Buffer.from('x')
      })(),
    )
    // Its own parts go just after it is ready.
    await eventually(async () => (await em.count(ExportPart, { exportId })) === 0, 'the end of its parts')
    await em.insert(ExportPart, { exportId, n: 0, blob: kept.name, records: 1, rows: 1 })
    await em.nativeUpdate(ExportFile, { id: exportId }, { state: 'running', leaseUntil: new Date(Date.now() + 60_000), holder: newId() })
    assert.equal((await agent.call('POST', `${base}/exports/${exportId}/cancel`)).status, 200)
    assert.equal((await fetchFile(agent, exportId)).status, 404)
    await em.nativeUpdate(ExportFile, { id: exportId }, { expiresAt: new Date() })
    await sweepExports(ctx())
    assert.equal(await ctx().blobs.read(kept.name), undefined)
    assert.equal((await agent.call('GET', `${base}/exports/${exportId}`)).body.state, 'cancelled')
  })

  test('ended in whichever way, it keeps what was ordered, not who was looked for, nor by which words', async () => {
    const agent = await world().person('寻')
    const em = world().hub.em()
    const filter = { status: ['closed' as const], contact: '13987650123', keyword: '找的话', fields: [{ name: 'phone', value: '13987650123' }] }
    const kept = async (id: string) => JSON.parse((await em.findOneOrFail(ExportFile, { id }, { disableIdentityMap: true })).order)
    const { id: done } = await place(agent, { filter: { ...filter, fields: [] } })
    await ready(agent, done)
    const placed = (kind: object) =>
      ctx()
        .em()
        .transactional((tx) => placeExport(ctx(), tx, { agentId: agent.id, order: order(kind) as Order }))
    const cancelled = await placed({ filter })
    assert.deepEqual((await kept(cancelled)).filter, filter)
    assert.equal((await agent.call('POST', `${base}/exports/${cancelled}/cancel`)).status, 200)
    const failed = await placed({ filter })
    await world().grant(agent, [{ permission: 'conversation.read', scope: 'own' }])
    await writeExport(ctx(), failed)
    for (const [id, state] of Object.entries({ [done]: 'done', [cancelled]: 'cancelled', [failed]: 'failed' })) {
      const row = await em.findOneOrFail(ExportFile, { id }, { disableIdentityMap: true })
      assert.equal(row.state, state)
      assert.deepEqual(JSON.parse(row.order), order({ filter: { status: ['closed'] } }), state)
    }
    const list = (filter: object) => JSON.stringify({ ...order(), table: { name: 'x.y', label: 'Y', filter, columns: [] } })
    assert.equal(
      endedOrder(list({ subjectId: '13987650123', records: filter, recordIds: [done] })),
      list({ records: { status: ['closed'] }, recordIds: [done] }),
    )
  })

  test('after its time the bytes are gone; who downloaded stays known', async () => {
    const agent = await world().person('壬')
    const { id } = await place(agent, { ids: [await talk(world(), agent, ['一'])] })
    await ready(agent, id)
    await fetchFile(agent, id)
    const em = world().hub.em()
    const { blob } = await em.findOneOrFail(ExportFile, { id }, { disableIdentityMap: true })
    await em.nativeUpdate(ExportFile, { id }, { expiresAt: new Date() })
    assert.equal((await fetchFile(agent, id)).status, 404)
    await sweepExports(ctx())
    assert.equal(await ctx().blobs.read(blob), undefined)
    assert.equal((await agent.call('GET', `${base}/exports/${id}`)).body.state, 'expired')
    assert.equal(await em.count(ExportDownload, { exportId: id }), 1)
  })

  test('a password locks the zip; with attachments it holds them under names that lead nowhere else', async () => {
    const agent = await world().person('癸')
    const id = await talk(world(), agent, ['看附件'])
    const { Readable } = await import('node:stream')
    const file = await storeFile(world().hub, { name: '../../\u202Egpj.发票.txt', bytes: Readable.from([Buffer.from('附件的内容')]), uploadedBy: agent.id })
    await agent.call('POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts: [partOf(file)] })
    const { id: exportId } = await place(agent, { ids: [id], attachments: true, password: '够长的密码一二三四五六七八' })
    const info = await ready(agent, exportId)
    assert.match(info.name, /\.zip$/)
    assert.equal(info.locked, true)
    await assert.rejects(unzip(await fetchFile(agent, exportId), '错的密码'))
    const files = await unzip(await fetchFile(agent, exportId), '够长的密码一二三四五六七八')
    const names = [...files.keys()]
    assert.equal(names.length, 2)
    const attachment = names.find((name) => name.startsWith(`files/${id}/`)) ?? ''
    assert.ok(!attachment.includes('..' + '/') && !attachment.includes('\u202E') && attachment.split('/').length === 3)
    assert.equal(files.get(attachment), '附件的内容')
    const { password } = await world().hub.em().findOneOrFail(ExportFile, { id: exportId }, { disableIdentityMap: true })
    assert.equal(password, '*', 'the password is forgotten')
    assert.equal((await agent.call('POST', `${base}/exports`, order({ ids: [id], password: 'short' }))).status, 400)
  })

  test('names in the zip are no longer than a file system takes, in bytes, and keep their endings', async () => {
    const agent = await world().person('长')
    const id = await talk(world(), agent, ['看附件'])
    for (const name of [`${'采购合同修订稿'.repeat(16)}甲.pdf`, `${'采购合同修订稿'.repeat(16)}乙.pdf`, `${'😀'.repeat(100)}.pdf`]) {
      const file = await storeFile(world().hub, { name, bytes: Buffer.from(name), uploadedBy: agent.id })
      assert.equal((await agent.call('POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts: [partOf(file)] })).status, 201)
    }
    const { id: exportId } = await place(agent, { ids: [id], attachments: true, nameRule: '😀'.repeat(80) })
    await ready(agent, exportId)
    const names = [...(await unzip(await fetchFile(agent, exportId))).keys()]
    assert.deepEqual([names.length, names.filter((name) => name.endsWith('.pdf')).length, names.filter((name) => name.endsWith('.csv')).length], [4, 3, 1])
    for (const step of names.flatMap((name) => name.split('/'))) assert.ok(Buffer.byteLength(step) <= 255, `${step}: ${Buffer.byteLength(step)} bytes`)
  })

  test('all files of a message, or of a conversation, are linked: fifty at most, and unasked where they are taken along', async () => {
    const agent = await world().person('链')
    const id = await talk(world(), agent, ['看附件'])
    const { Readable } = await import('node:stream')
    const part = async (name: string) => partOf(await storeFile(world().hub, { name, bytes: Readable.from([Buffer.from(name)]), uploadedBy: agent.id }))
    const send = async (count: number, more: object = {}) => {
      const parts = []
      for (let i = 0; i < count; i++) parts.push(await part(`${i}.txt`))
      assert.equal((await agent.call('POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts, ...more })).status, 201)
      return parts.map((one) => `/api/files/${(one as { fileId: string }).fileId}`)
    }
    const links = (cell = '') => cell.split('\n').map((line) => (line.startsWith('http') ? new URL(line).pathname : line))
    const [one, two] = await send(2)
    const [note] = await send(1, { note: true })
    const byMessage = { ids: [id], fields: ['text', 'fileLink'] }
    assert.deepEqual(
      (await csvOf(agent, byMessage)).slice(1).map((row) => links(row[1])),
      [[''], [one, two], [note]],
    )
    const byRecord = { ids: [id], rows: 'record', fields: ['id', 'fileLink'] }
    assert.deepEqual(links((await csvOf(agent, byRecord))[1]?.[1]), [one, two, note])
    assert.deepEqual(links((await csvOf(agent, { ...byRecord, notes: false }))[1]?.[1]), [one, two])
    const book = await place(agent, { ...byRecord, format: 'xlsx' })
    await ready(agent, book.id)
    const sheet = (await unzip(await fetchFile(agent, book.id))).get('xl/worksheets/sheet1.xml') ?? ''
    assert.match(sheet, new RegExp(`<f>HYPERLINK\\(&quot;[^&]*${one}&quot;,&quot;打开&quot;&amp;CHAR\\(10\\)&amp;&quot;[^&]*${two}&quot;&amp;CHAR`))
    // Asked for with the files and without the column: it is there.
    for (const rows of ['record', 'message']) {
      const { id: exportId } = await place(agent, { ids: [id], rows, fields: ['id'], attachments: true })
      await ready(agent, exportId)
      const [heading, ...lines] = readCsv([...(await unzip(await fetchFile(agent, exportId)))].find(([name]) => name.endsWith('.csv'))?.[1] ?? '')
      assert.deepEqual(heading?.slice(1), ['附件链接'], rows)
      assert.ok(
        lines.some((line) => links(line[1]).includes(two as string)),
        rows,
      )
    }
    for (let i = 0; i < 6; i++) await send(9)
    const many = links((await csvOf(agent, byRecord))[1]?.[1])
    assert.deepEqual([many.length, many.at(-1), new Set(many).size], [51, '+7', 51])
  })

  test('who may take no files along gets none, be it ordered before or after; a note left out leaves its files out', async () => {
    const em = world().hub.em()
    const agent = await world().person('无')
    const id = await talk(world(), agent, ['给客户的'])
    const { Readable } = await import('node:stream')
    const file = async (name: string) => partOf(await storeFile(world().hub, { name, bytes: Readable.from([Buffer.from(name)]), uploadedBy: agent.id }))
    const write = async (name: string, more: object) =>
      agent.call('POST', `/api/conversations/${id}/messages`, { clientId: newId(), parts: [await file(name)], ...more })
    await write('报价.txt', {})
    await write('成本.txt', { note: true })
    const named = async (more: object) => {
      const { id: exportId } = await place(agent, { ids: [id], attachments: true, ...more })
      await ready(agent, exportId)
      return {
        exportId,
        names: [...(await unzip(await fetchFile(agent, exportId))).keys()].filter((name) => name.startsWith('files/')).map((name) => name.split('-').at(-1)),
      }
    }
    assert.deepEqual((await named({ notes: false })).names, ['报价.txt'])
    const { exportId, names } = await named({ notes: true })
    assert.deepEqual(names, ['报价.txt', '成本.txt'])
    // The record's own log knows of it, by whatever way it was found.
    const byFilter = await place(agent, { filter: { agentIds: [agent.id] } })
    await ready(agent, byFilter.id)
    for (const one of [exportId, byFilter.id]) {
      const taken = await eventually(
        () => heard.find(({ name, data }) => (name as string) === 'export.taken' && (data as { exportId?: string }).exportId === one),
        'the telling',
      )
      const { conversationIds, byAgentId, partOf, records } = taken.data as Record<string, unknown>
      // However many it takes to name them all, they are told as one deed.
      assert.deepEqual([conversationIds, byAgentId, partOf, records], [[id], agent.id, one, 1])
    }

    const role = {
      id: newId(),
      builtin: null,
      name: '不带文件',
      grants: [
        { permission: 'conversation.read', scope: 'all' },
        { permission: 'export.record', scope: 'all' },
      ],
      createdAt: new Date(),
    } as Role
    await em.insert(Role, role)
    await em.nativeUpdate(AgentRole, { agentId: agent.id }, { roleId: role.id })
    world().hub.access.clear()
    const refused = await agent.call('POST', `${base}/exports`, order({ ids: [id], attachments: true }))
    assert.deepEqual([refused.status, refused.body.details?.permission ?? refused.body.error?.details?.permission], [403, 'file.download'])
    assert.equal((await fetchFile(agent, exportId)).status, 403)
    assert.equal((await agent.call('POST', `${base}/exports`, order({ ids: [id] }))).status, 201)
  })

  test('more than the cap is refused with its reason, not cut', async () => {
    const [agent, admin] = [await world().person('子'), await world().person('管理', 'admin')]
    const ids = [await talk(world(), agent, ['一']), await talk(world(), agent, ['二'])]
    assert.equal((await admin.call('PUT', '/api/plugins/export/settings', { cap: 1, keepDays: 7 })).status, 200)
    try {
      const { id } = await place(agent, { ids })
      assert.equal((await ready(agent, id, 'failed')).fault, 'EXPORT_TOO_MANY')
    } finally {
      await admin.call('PUT', '/api/plugins/export/settings', { cap: 20_000, keepDays: 7 })
    }
  })

  test('bad orders are refused; templates are their owner’s alone', async () => {
    const [agent, other] = [await world().person('丑'), await world().person('寅')]
    for (const more of [
      { fields: [] },
      { fields: ['id', 'id'] },
      { fields: ['secret'] },
      { tz: 'Nowhere/None' },
      { nameRule: ' ' },
      { ids: ['x'] },
      { surprise: 1 },
    ])
      assert.equal((await agent.call('POST', `${base}/exports`, order(more))).status, 400, JSON.stringify(more))
    const { tz: _tz, language: _language, ...choices } = order() as Record<string, unknown>
    assert.equal((await agent.call('PUT', `${base}/templates`, { name: '月报', choices })).status, 200)
    assert.equal((await agent.call('PUT', `${base}/templates`, { name: '月报', choices: { ...choices, format: 'xlsx' } })).status, 200)
    const { items } = (await agent.call('GET', `${base}/templates`)).body
    assert.deepEqual([items.length, items[0].choices.format], [1, 'xlsx'])
    await other.call('DELETE', `${base}/templates/${items[0].id}`)
    assert.deepEqual(
      [(await agent.call('GET', `${base}/templates`)).body.items.length, (await other.call('GET', `${base}/templates`)).body.items.length],
      [1, 0],
    )
  })
})
