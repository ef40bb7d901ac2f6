/** Exports as PDF, and workbooks, opened by readers of other people: what stands in them, what must not, and that a crash is not to be seen. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { BlobReader, Uint8ArrayWriter, ZipReader } from '@zip.js/zip.js'
import { readSheet } from 'read-excel-file/node'
import sharp from 'sharp'
import { extractText, getDocumentProxy } from 'unpdf'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { StoredFile } from '../../core/src/domain/file/file.entity.ts'
import { partOf, storeFile } from '../../core/src/domain/file/store-file.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import exportPlugin from '../../plugins/export/plugin.ts'
import type { Ctx } from '../../plugins/export/server/context.ts'
import { ExportFile, ExportPart } from '../../plugins/export/server/export.entity.ts'
import { writeExport } from '../../plugins/export/server/write-export.ts'
import { eventually, found, onEveryProfile, type Person, type World } from '../support/world.ts'

const { manifest } = mockChannel()
const base = '/api/x/export'
const order = (more: object = {}) => ({
  format: 'pdf',
  rows: 'message',
  fields: ['inbox', 'agent', 'category', 'tags', 'phone', 'createdAt', 'link', 'fileLink'],
  attachments: false,
  personal: false,
  nameRule: '聊天_{date}_{count}',
  tz: 'Asia/Shanghai',
  language: 'zh',
  ...more,
})

async function talk(world: World, agent: Person, words: string[]): Promise<string> {
  const inbox = await world.inbox('mock')
  const who = newId()
  let id = ''
  for (const word of words) id = (await world.say(inbox, who, word))[0]?.conversationId ?? ''
  await world.hub.em().nativeUpdate(Conversation, { id }, { assigneeId: agent.id, status: 'open' })
  return id
}
async function attach(world: World, agent: Person, conversationId: string, name: string, bytes: Buffer): Promise<StoredFile> {
  const file = await storeFile(world.hub, { name, bytes: Readable.from([bytes]), uploadedBy: agent.id })
  const { status } = await agent.call('POST', `/api/conversations/${conversationId}/messages`, { clientId: newId(), parts: [partOf(file)] })
  assert.equal(status, 201)
  return file
}

interface ReadPdf {
  pages: string[]
  text: string
  pictures: number
  urls: string[]
  doc: Awaited<ReturnType<typeof getDocumentProxy>>
}
async function readPdf(bytes: Uint8Array): Promise<ReadPdf> {
  assert.equal(Buffer.from(bytes.subarray(0, 5)).toString('latin1'), '%PDF-')
  const doc = await getDocumentProxy(Uint8Array.from(bytes))
  const { text: pages } = await extractText(doc)
  const urls: string[] = []
  let pictures = 0
  for (let i = 1; i <= doc.numPages; i++) {
    const page = await doc.getPage(i)
    urls.push(...(await page.getAnnotations()).flatMap(({ url }: { url?: string }) => url ?? []))
    const drawn = await page.getOperatorList()
    // "paintImageXObject" of its reader.
    pictures += drawn.fnArray.filter((operator: number) => operator === 85).length
  }
  return { pages: pages.map((page) => page.replaceAll('\n', '')), text: pages.join('').replaceAll('\n', ''), pictures, urls, doc }
}

await onEveryProfile('exports as PDF', [found(manifest), found(exportPlugin)], (world) => {
  const ctx = () => world().hub.kernel.get('export')?.ctx as unknown as Ctx
  const ready = (person: Person, id: string, state = 'done') =>
    eventually(async () => {
      const { body } = await person.call('GET', `${base}/exports/${id}`)
      return body.state === state && body
    }, `the export ${state}`)
  const bytesOf = async (person: Person, id: string) =>
    new Uint8Array(await (await fetch(new URL(`${base}/exports/${id}/file`, world().url), { headers: { cookie: person.cookie } })).arrayBuffer())
  const made = async (person: Person, more: object = {}) => {
    const { status, body } = await person.call('POST', `${base}/exports`, order(more))
    assert.equal(status, 201, JSON.stringify(body))
    return { info: await ready(person, body.id), bytes: await bytesOf(person, body.id) }
  }

  test('a heading, who said what and when, who exported on every page; the fonts are inside', async () => {
    const agent = await world().person('林晓')
    const first = await talk(world(), agent, ['请问这件还有货吗？😀', '我的号码是13812345678，=1+1 <b>&amp;'])
    await world().reply(agent, first, '您好，有货的。')
    await world().reply(agent, first, '老客户，注意。', { note: true })
    const second = await talk(world(), agent, ['第二个会话'])
    const { contactId, createdAt } = await world().hub.em().findOneOrFail(Conversation, { id: first })
    await world().hub.em().nativeUpdate(Contact, { id: contactId }, { phone: '13987654321', nickname: '山野茶业' })
    const { info, bytes } = await made(agent, { ids: [second, first] })
    assert.match(info.name, /^聊天_\d{8}_2\.pdf$/)
    const { text, pages, doc, urls } = await readPdf(bytes)
    assert.equal(info.rows, doc.numPages)
    for (const words of ['请问这件还有货吗？😀', '=1+1 <b>&amp;', '您好，有货的。', '林晓', '内部备注', '老客户，注意。', '第二个会话', '渠道账号测试 mock'])
      assert.ok(text.replace(/(渠道账号)\s/g, '$1').includes(words), `${words} in ${text}`)
    assert.ok(text.includes('139****4321') && text.includes('138****5678') && !text.includes('13812345678') && !text.includes('13987654321'), text)
    assert.ok(text.includes(new Date(createdAt.getTime() + 8 * 3_600_000).toISOString().slice(0, 16).replace('T', ' ')))
    assert.ok(text.indexOf('请问') < text.indexOf('有货的') && text.indexOf('有货的') < text.indexOf('第二个会话'))
    const at = new Date(new Date(info.createdAt).getTime() + 8 * 3_600_000).toISOString().slice(0, 16).replace('T', ' ')
    for (const [i, page] of pages.entries()) {
      assert.ok(page.includes(`林晓 ${at}`) && page.includes(`${i + 1} / ${doc.numPages}`), page)
      const words = await (await doc.getPage(i + 1)).getTextContent()
      for (const style of Object.keys(words.styles)) {
        const font = (await doc.getPage(i + 1)).commonObjs.get(style)
        assert.match(font.name, /^[A-Z]{6}\+Noto/)
        assert.equal(font.missingFile, false, `${font.name} is inside`)
      }
    }
    assert.deepEqual(
      urls,
      [first, second].map((id) => `${world().hub.env.publicUrl || ctx().publicUrl}/workbench/records/${id}`),
    )
    const { info: facts } = (await doc.getMetadata()) as unknown as { info: { Author: string; Title: string } }
    assert.equal(facts.Author, '林晓')
    assert.equal((await doc.getOutline())?.length, 2)

    const without = await readPdf((await made(agent, { ids: [first], notes: false, fields: ['id'] })).bytes)
    assert.ok(!without.text.includes('老客户') && without.text.includes('您好') && without.urls.length === 0)
    const headings = await readPdf((await made(agent, { ids: [first, second], rows: 'record', language: 'en' })).bytes)
    assert.ok(!headings.text.includes('请问') && headings.text.includes('Inbox') && headings.text.includes('山野茶业'))
  })

  test('what did not reach the customer says so beside its time', async () => {
    const agent = await world().person('未达')
    const id = await talk(world(), agent, ['你好'])
    const fates = [
      ['failed', '退款已办'],
      ['uncertain', '明天到'],
    ] as const
    for (const [status, words] of fates) {
      const { body } = await world().reply(agent, id, words)
      await eventually(async () => (await world().hub.em().count(Message, { id: body.id, status: 'sent' })) > 0, words)
      await world().hub.em().nativeUpdate(Message, { id: body.id }, { status })
    }
    const { text } = await readPdf((await made(agent, { ids: [id] })).bytes)
    assert.match(text, /:\d\d\s+未送达\s*退款已办/)
    assert.match(text, /:\d\d\s+结果不明\s*明天到/)
  })

  test('a field that an admin made stands in the heading; a list is pages too, masked as the list is', async () => {
    const owner = await world().person('主人', 'owner')
    const id = await talk(world(), owner, ['你好'])
    const { contactId } = await world().hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })
    await owner.call('PUT', '/api/contact-fields', { fields: [{ id: 'level', label: '客户等级', options: ['普通', '金牌'] }] })
    const fields = { 'hub.level': '金牌' }
    assert.equal((await owner.call('PATCH', `/api/contacts/${contactId}`, { nickname: '山野茶业', phone: '13987654321', fields })).status, 200)
    const { text } = await readPdf((await made(owner, { ids: [id], fields: ['phone', 'hub.level'] })).bytes)
    assert.ok(text.includes('客户等级') && text.includes('金牌') && text.includes('139****4321') && !text.includes('13987654321'), text)

    const listed = async (more: object = {}) => {
      const list = {
        table: 'hub.contacts',
        filter: { recordIds: [id] },
        columns: ['title', 'phone', 'hub.level'],
        format: 'pdf',
        personal: false,
        nameRule: '客户',
      }
      const { status, body } = await owner.call('POST', `${base}/table-exports`, { ...list, tz: 'Asia/Shanghai', language: 'zh', ...more })
      assert.equal(status, 201, JSON.stringify(body))
      const info = await ready(owner, body.id)
      return { info, ...(await readPdf(await bytesOf(owner, body.id))) }
    }
    const list = await listed()
    assert.match(list.info.name, /\.pdf$/)
    for (const words of ['山野茶业', '手机', '139****4321', '客户等级', '金牌', '主人']) assert.ok(list.text.includes(words), `${words} in ${list.text}`)
    assert.ok(!list.text.includes('13987654321'))
    assert.ok((await listed({ personal: true })).text.includes('13987654321'))
    // However much stands in a row: what names it too.
    const remark = Array.from({ length: 60 }, (_, i) => `第${i}件事；`)
    assert.equal((await owner.call('PATCH', `/api/contacts/${contactId}`, { remark: remark.join('') })).status, 200)
    const long = [await listed({ columns: ['remark', 'title'] }), await readPdf((await made(owner, { ids: [id], fields: ['remark', 'hub.level'] })).bytes)]
    for (const { text } of long) for (const one of [...remark, '山野茶业']) assert.ok(text.includes(one), `${one} in ${text}`)
    const empty = await listed({ filter: { records: { keyword: '没有人说过的话' } } })
    assert.ok(empty.text.includes('列表中没有内容'), empty.text)
  })

  test('pictures stand where they were sent, by their bytes; what is broken or no picture is named', async () => {
    const agent = await world().person('乙')
    const id = await talk(world(), agent, ['看图'])
    const make = (width: number, height: number) => sharp({ create: { width, height, channels: 4, background: { r: 200, g: 80, b: 40, alpha: 0.5 } } })
    await attach(world(), agent, id, '照片.png', await make(2_400, 1_800).png().toBuffer())
    await attach(world(), agent, id, '长图.webp', await make(200, 3_000).webp().toBuffer())
    await attach(world(), agent, id, '动图.gif', await make(60, 60).gif().toBuffer())
    await attach(world(), agent, id, '发票.txt', Buffer.from('发票'))
    const broken = await attach(world(), agent, id, '坏的.png', await make(50, 50).png().toBuffer())
    const forged = await attach(world(), agent, id, '假的.png', await make(51, 50).png().toBuffer())
    const gone = await attach(world(), agent, id, '没了.png', await make(52, 50).png().toBuffer())
    const put = async (file: StoredFile, bytes: Buffer) => {
      await world().hub.files.remove(file.hash)
      await world().hub.files.put(file.hash, bytes)
    }
    await put(broken, Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.from('broken')]))
    await put(forged, Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'))
    await world().hub.files.remove(gone.hash)

    const whole = await readPdf((await made(agent, { ids: [id] })).bytes)
    assert.equal(whole.pictures, 3)
    for (const name of ['发票.txt', '坏的.png', '假的.png', '没了.png']) assert.ok(whole.text.includes(`附件：${name}`), `${name} in ${whole.text}`)
    assert.ok(!whole.text.includes('照片.png'))
    assert.ok(whole.urls.some((url) => url.endsWith(`/api/files/${broken.id}`)))
    const named = await readPdf((await made(agent, { ids: [id], images: false })).bytes)
    assert.equal(named.pictures, 0)
    assert.ok(named.text.includes('附件：照片.png'))

    // Who may take no files along has them named, unasked; a colleague of whom that is so does not get the file with them.
    const { info } = await made(agent, { ids: [id] })
    const grants = [
      { permission: 'conversation.read', scope: 'all' as const },
      { permission: 'export.record', scope: 'all' as const },
    ]
    const without = await world().person('丙', grants)
    const bare = await readPdf((await made(without, { ids: [id] })).bytes)
    assert.equal(bare.pictures, 0)
    assert.ok(bare.text.includes('附件：照片.png'))
    const share = () => agent.call('PUT', `${base}/exports/${info.id}/share`, { agentIds: [without.id] })
    assert.equal((await share()).status, 400)
    // Who may no longer have files cannot open what was shared with them when they might.
    await world().grant(without, [...grants, { permission: 'file.download' }])
    assert.equal((await share()).status, 200)
    await world().grant(without, grants)
    const refused = await without.call('GET', `${base}/exports/${info.id}/file`)
    assert.deepEqual([refused.status, refused.body.details.permission], [403, 'file.download'])
  })

  test('killed in the middle, what is written after it is the same file', async () => {
    const agent = await world().person('丙')
    const ids: string[] = []
    for (let i = 0; i < 3; i++) ids.push(await talk(world(), agent, [`第${i}个，独有的字：${'甲乙丙'[i]}`, '😀']))
    const em = world().hub.em()
    const { body } = await agent.call('POST', `${base}/exports`, order({ ids }))
    await ready(agent, body.id)
    const first = await em.findOneOrFail(ExportFile, { id: body.id }, { disableIdentityMap: true })
    const again = async (dies: boolean): Promise<ReadPdf> => {
      const id = newId()
      const fresh = { state: 'running' as const, done: 0, rows: 0, total: 0, bytes: 0, blob: '', idsBlob: '', name: '', finishedAt: null, expiresAt: null }
      await em.insert(ExportFile, { ...first, ...fresh, id, leaseUntil: new Date(0) })
      let puts = 0
      const dying = Object.create(ctx(), {
        blobs: {
          value: { ...ctx().blobs, put: (chunks: AsyncIterable<Uint8Array>) => (++puts > 2 ? Promise.reject(new Error('killed')) : ctx().blobs.put(chunks)) },
        },
      }) as Ctx
      if (dies) {
        await writeExport(dying, id, 1)
        assert.equal(await em.count(ExportPart, { exportId: id }), 1)
        await em.nativeUpdate(ExportFile, { id }, { leaseUntil: new Date(0), holder: newId() })
      }
      await writeExport(ctx(), id, 1)
      await ready(agent, id)
      return readPdf(await bytesOf(agent, id))
    }
    const [whole, resumed] = [await again(false), await again(true)]
    assert.equal(whole.doc.numPages, 3)
    assert.deepEqual(resumed.pages, whole.pages)
    for (const words of ['独有的字：甲', '独有的字：乙', '独有的字：丙']) assert.ok(resumed.text.includes(words))
  })

  test('a password locks the file; nothing found is a page that says so; one’s own records only', async () => {
    const [agent, other] = [await world().person('丁'), await world().person('戊')]
    const id = await talk(world(), agent, ['锁起来'])
    const password = '够长的密码一二三四五六七八'
    const { info, bytes } = await made(agent, { ids: [id], password })
    assert.match(info.name, /\.zip$/)
    const [entry] = await new ZipReader(new BlobReader(new Blob([Buffer.from(bytes)]))).getEntries()
    assert.ok(entry && !entry.directory && entry.encrypted && entry.filename.endsWith('.pdf'))
    const opened = await entry.getData(new Uint8ArrayWriter(), { password })
    assert.ok((await readPdf(opened)).text.includes('锁起来'))

    const none = await readPdf((await made(other, { ids: [id] })).bytes)
    assert.ok(none.text.includes('没有可以导出的会话') && !none.text.includes('锁起来'))
    assert.equal(none.doc.numPages, 1)
  })

  test('at rest nothing of it can be read', async () => {
    const { dataDir } = world().hub.env
    const agent = await world().person('己')
    const { body } = await agent.call('POST', `${base}/exports`, order({ ids: [await talk(world(), agent, ['秘密'])] }))
    await ready(agent, body.id)
    const kept = (await readdir(dataDir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    let bytes = 0
    for (const { parentPath, name } of kept) {
      // What was on its way may be gone by now.
      const stored = await readFile(join(parentPath, name)).catch(() => Buffer.alloc(0))
      bytes += stored.length
      assert.ok(!stored.includes('%PDF') && !stored.includes('endobj'), name)
    }
    assert.ok(bytes > 10_000)
  })

  test('a workbook is what another’s reader takes it for: texts, dates, numbers, no formulas of customers', async () => {
    const agent = await world().person('庚')
    const id = await talk(world(), agent, ['=SUM(A1:A9)', '多行\n第二行 <&>"', '👍'])
    const fields = ['id', 'messages', 'createdAt', 'sender', 'text', 'link']
    const { bytes } = await made(agent, { ids: [id], format: 'xlsx', fields })
    const rows = await readSheet(Buffer.from(bytes))
    assert.deepEqual(rows[0], ['会话编号', '消息数', '开始时间', '发送方', '内容', '查看会话'])
    assert.deepEqual(
      rows.slice(1).map((row) => row[4]),
      ['=SUM(A1:A9)', '多行\n第二行 <&>"', '👍'],
    )
    const { createdAt } = await world().hub.em().findOneOrFail(Conversation, { id })
    const [, row = []] = rows
    assert.deepEqual([row[0], row[1], row[3], row[5]], [id, 3, '客户', '打开'])
    assert.ok(row[2] instanceof Date)
    assert.ok(Math.abs((row[2] as Date).getTime() - (createdAt.getTime() + 8 * 3_600_000)) < 1_001)
  })
})
