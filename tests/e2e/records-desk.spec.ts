/** Records and exports as those use them who oversee a department, who are in charge, and who may not. */
import { randomBytes, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Browser, Page } from '@playwright/test'
import { BlobReader, TextWriter, ZipReader } from '@zip.js/zip.js'
import { HubClient } from '../../plugins/app/example/client.ts'
import { joinHub, openDesk, openShop } from '../flows/open-desk.ts'
import { expect, test } from '../support/e2e.ts'

test.use({ actionTimeout: 15_000 })
test.setTimeout(180_000)
const key = `whsec_${randomBytes(32).toString('base64')}`

const rows = (page: Page) => page.getByTestId('record')
const asked = (page: Page, method: string, path: string, data?: object) =>
  page.request.fetch(new URL(`/api${path}`, page.url()).href, { method, data, headers: { origin: new URL(page.url()).origin } })
const statusOf = async (page: Page, method: string, path: string, data?: object) => (await asked(page, method, path, data)).status()
async function search(page: Page, words: string): Promise<void> {
  const field = page.getByLabel('搜索消息内容')
  await field.fill(words)
  await field.press('Enter')
}
async function pick(page: Page, what: string, value: string): Promise<void> {
  // A condition stands before what else may be called so.
  await page.getByRole('button', { name: what, exact: true }).first().click()
  await page.getByRole('list', { name: what }).getByLabel(value, { exact: true }).check()
  await page.keyboard.press('Escape')
}
const clear = (page: Page) => page.getByRole('button', { name: '清除条件' }).first().click()

/** Two departments with an inbox each and what was said there; nobody but the owner is online. */
async function open(browser: Browser, hubUrl: string) {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const department = async (name: string) => (await admin.call<{ id: string }>('POST', '/departments', { name, parentId: null })).id
  const [before, after] = [await department('售前部'), await department('售后部')]
  const inbox = async (name: string, departmentId: string) => {
    const { id } = await admin.call<{ id: string }>('POST', '/inboxes', { channel: 'app', name, departmentId, settings: { secret: key } })
    return new HubClient(`${hubUrl}/api/channels/app/${id}`, key)
  }
  const [sales, service] = [await inbox('会员 App', before), await inbox('售后热线', after)]
  const says = (client: HubClient, name: string, ...content: object[]) =>
    client.tell('message.created', { externalMessageId: randomUUID(), sender: { externalId: `user-${name}`, name, verified: true }, content })
  const text = (words: string) => ({ type: 'text', text: words })
  await says(sales, '林小满', text('茶叶怎么退款'))
  await says(sales, '林小满', { type: 'link', url: 'https://shop.cn/tea', title: '头采' })
  await says(sales, '陈立', text('退 款 多久到账'))
  await says(service, '王芳', text('售后的退款单'))
  const { page } = workbench
  const join = async (name: string, as: Parameters<typeof joinHub>[4], departmentId: string | null = null) => {
    const joined = await joinHub(browser, admin, hubUrl, name, as, departmentId)
    await expect(joined.getByRole('navigation', { name: '会话分组' })).toBeVisible()
    const { items } = await admin.call<{ items: { id: string; name: string }[] }>('GET', '/agents')
    const id = items.find((one) => one.name === name)?.id ?? ''
    return { page: joined, id }
  }
  return { admin, workbench, page, before, after, says, text, sales, service, join }
}

test('who oversees a department finds, counts and exports what is theirs, and is refused the rest; who may not has no buttons', { tag: '@main' }, async ({
  hubUrl,
  browser,
}) => {
  const { page: owner, before, join } = await open(browser, hubUrl)
  const lead = (await join('沈主管', 'supervisor', before)).page
  await lead.goto(`${hubUrl}/workbench/records`)
  await expect(rows(lead)).toHaveCount(2)
  await expect(lead.getByText('共 2 条')).toBeVisible()
  await search(lead, '退款')
  await expect(rows(lead)).toHaveCount(1)
  await expect(lead.locator('mark').first()).toHaveText('退款')
  await expect(rows(lead)).toContainText('林小满')
  await search(lead, '售后的')
  await expect(lead.getByRole('heading', { name: '没有符合条件的聊天记录' })).toBeVisible()
  await expect(lead.getByRole('button', { name: '处理全部结果' })).toHaveCount(0)

  // The other department's: not by its address, nor by its customer's, nor in an export.
  await owner.goto(`${hubUrl}/workbench/records`)
  await expect(rows(owner)).toHaveCount(3)
  const theirs = (await (await asked(owner, 'GET', '/records')).json()).items.find((row: { contact: { title: string } }) => row.contact.title === '王芳')
  await lead.goto(`${hubUrl}/workbench/records/${theirs.id}`)
  await expect(lead.getByRole('heading', { name: '没有这条记录' })).toBeVisible()
  await lead.goto(`${hubUrl}/workbench/contacts/${theirs.contact.id}`)
  await expect(lead.getByRole('heading', { name: '没有这位客户' })).toBeVisible()
  for (const path of [`/records/${theirs.id}`, `/conversations/${theirs.id}/messages`, `/contacts/${theirs.contact.id}/messages`])
    expect(await statusOf(lead, 'GET', path), path).toBe(404)
  expect(await statusOf(lead, 'POST', '/records/batch', { action: 'archive', ids: [theirs.id] })).toBe(403)
  await lead.goto(`${hubUrl}/workbench/records`)
  await lead.getByTestId('export').click()
  const dialog = lead.getByRole('dialog', { name: '导出聊天记录' })
  await dialog.getByLabel('文件格式').selectOption('csv')
  await dialog.getByRole('button', { name: '开始导出' }).click()
  await dialog.getByRole('link', { name: '查看导出列表' }).click()
  const item = lead.getByTestId('exports').getByRole('article').first()
  await expect(item.getByText('已完成')).toBeVisible()
  const waiting = lead.waitForEvent('download')
  await item.getByRole('link', { name: '下载' }).click()
  const csv = await readFile(await (await waiting).path(), 'utf8')
  expect(csv).toContain('茶叶怎么退款')
  expect(csv).not.toContain('售后的退款单')
  await expect(lead.getByRole('group', { name: '导出', exact: true }).getByRole('button')).toHaveText(['我的', '共享给我的'])
  expect(await statusOf(lead, 'GET', '/x/export/exports?of=all')).toBe(403)

  // Who may read a department and nothing more: neither the buttons nor what is behind them.
  const reader = (await join('只读', [{ permission: 'conversation.read', scope: 'department' }], before)).page
  await reader.goto(`${hubUrl}/workbench/records`)
  await expect(rows(reader)).toHaveCount(2)
  for (const name of ['处理全部结果', '导出', '导出客户']) await expect(reader.getByRole('button', { name, exact: true })).toHaveCount(0)
  await expect(reader.getByLabel('选择本页全部')).toHaveCount(0)
  const exports = (await (await asked(lead, 'GET', '/x/export/exports')).json()).items as { id: string }[]
  for (const [method, path, data] of [
    ['GET', '/x/export/exports', undefined],
    ['GET', '/x/export/fields', undefined],
    ['GET', `/x/export/exports/${exports[0]?.id}/file`, undefined],
    ['POST', '/records/batch', { action: 'archive', filter: {} }],
  ] as const)
    expect(await statusOf(reader, method, path, data), path).toBe(403)
  // A stranger to both departments sees that there is nothing.
  const stranger = (await join('外人', 'agent')).page
  await stranger.goto(`${hubUrl}/workbench/records`)
  await expect(stranger.getByRole('heading', { name: '还没有聊天记录' })).toBeVisible()
})

test('records are narrowed by words, days, tags, ratings and what was sent; columns are one’s own; all that is found is tagged and put away', {
  tag: '@main',
}, async ({ hubUrl, browser }) => {
  const { admin, workbench, page } = await open(browser, hubUrl)
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('官网上的茶叶')
  await workbench.pick('官网上的茶叶')
  await page.getByRole('button', { name: '结束会话', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: '结束会话' }).click()
  await shop.chat.getByRole('button', { name: '满意' }).first().click()
  await expect(shop.chat.getByText('感谢您的评价')).toBeVisible()

  await page.goto(`${hubUrl}/workbench/records`)
  await expect(rows(page)).toHaveCount(4)
  // Fuzzy: every word somewhere; exact: the very text.
  await search(page, '退 款')
  await expect(rows(page)).toHaveCount(3)
  await page.getByLabel('匹配方式').selectOption('exact')
  await expect(rows(page)).toHaveCount(1)
  await expect(rows(page)).toContainText('陈立')
  await page.reload()
  await expect(rows(page)).toHaveCount(1)
  await clear(page)
  await expect(rows(page)).toHaveCount(4)

  await pick(page, '评价', '好评')
  await expect(rows(page)).toHaveCount(1)
  await clear(page)
  await pick(page, '附件', '链接')
  await expect(rows(page)).toHaveCount(1)
  await expect(rows(page)).toContainText('林小满')
  await clear(page)
  // Days of one's own: today is in it, the days before are not.
  await page.getByLabel('时间', { exact: true }).selectOption('custom')
  const day = (back: number) =>
    page.evaluate((days) => {
      const at = new Date()
      at.setDate(at.getDate() - days)
      return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, '0')}-${String(at.getDate()).padStart(2, '0')}`
    }, back)
  await page.getByLabel('开始日期').fill(await day(3))
  await page.getByLabel('结束日期').fill(await day(1))
  await expect(page.getByRole('heading', { name: '没有符合条件的聊天记录' })).toBeVisible()
  await page.getByLabel('结束日期').fill(await day(0))
  await expect(rows(page)).toHaveCount(4)
  await clear(page)

  // A star from the record shows in the list and narrows it.
  await rows(page).filter({ hasText: '陈立' }).getByRole('link').first().click()
  const starred = page.waitForResponse((response) => response.url().endsWith('/star') && response.ok())
  await page.getByRole('button', { name: '加星标' }).click()
  await expect(page.getByRole('button', { name: '取消星标' })).toBeVisible()
  await starred
  await page.goto(`${hubUrl}/workbench/records`)
  await expect(rows(page).filter({ hasText: '已加星标' })).toContainText('陈立')
  await page.getByLabel('只看星标').check()
  await expect(rows(page)).toHaveCount(1)
  await clear(page)

  // By keys alone: opened, chosen, closed, and back where one was.
  const status = page.getByRole('button', { name: /^状态/ })
  await status.press('Enter')
  const ticks = page.getByRole('list', { name: '状态' }).getByRole('checkbox')
  await expect(ticks.first()).toBeFocused()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Space')
  await expect(ticks.nth(1)).toBeChecked()
  await page.keyboard.press('Escape')
  await expect(status).toBeFocused()
  await expect(status).toHaveAttribute('aria-expanded', 'false')
  await clear(page)
  const chooser = page.getByRole('button', { name: '显示字段' })
  await chooser.press('Enter')
  await expect(page.getByRole('dialog', { name: '显示字段' }).getByRole('checkbox').first()).toBeFocused()
  await chooser.press('Escape')
  await expect(chooser).toHaveAttribute('aria-expanded', 'false')

  // Columns: chosen, moved, still so after a reload.
  const heads = page.getByRole('columnheader')
  await page.getByRole('button', { name: '显示字段' }).click()
  await page.getByRole('checkbox', { name: '渠道账号', exact: true }).check()
  await page.getByRole('checkbox', { name: '最后一句', exact: true }).uncheck()
  const { items } = await admin.call<{ items: { contact: { id: string } }[] }>('GET', '/records')
  await admin.call('PATCH', `/contacts/${items[0]?.contact.id}`, { phone: '13712345678' })
  await page.getByRole('checkbox', { name: '电话', exact: true }).check()
  await expect(rows(page).filter({ hasText: '13712345678' })).toHaveCount(1)
  await expect(heads.filter({ hasText: '渠道账号' })).toHaveCount(1)
  for (let i = 0; i < 2; i++) {
    const kept = page.waitForResponse((response) => response.url().endsWith('/preferences/record.columns') && response.ok())
    await page.getByRole('button', { name: '上移 最后消息' }).click()
    await kept
  }
  await expect(heads.filter({ hasText: '最后一句' })).toHaveCount(0)
  const arranged = await heads.allInnerTexts()
  await page.reload()
  await expect(rows(page)).toHaveCount(4)
  await expect(heads).toHaveText(arranged)

  // The whole result: a tag, then away with what has ended.
  await admin.call('POST', '/tags', { name: '需回访', system: true })
  await page.reload()
  await search(page, '茶叶')
  await expect(rows(page)).toHaveCount(2)
  await page.getByRole('button', { name: '处理全部结果' }).click()
  await page.getByRole('button', { name: '打标签', exact: true }).click()
  await page.getByRole('list', { name: '打标签' }).getByLabel('需回访', { exact: true }).check()
  await expect(page.getByText('给 2 条记录打上标签“需回访”？')).toBeVisible()
  await page.getByRole('dialog').getByRole('button', { name: '打标签' }).click()
  await expect(page.getByText('已处理 2 条')).toBeVisible()
  await clear(page)
  await pick(page, '标签', '需回访')
  await expect(rows(page)).toHaveCount(2)
  await page.getByRole('button', { name: '处理全部结果' }).click()
  await page.getByRole('button', { name: '归档全部结果' }).click()
  // Who goes on talking is not counted, and what was passed over is said.
  await expect(page.getByText('归档 1 条记录？')).toBeVisible()
  await page.getByRole('dialog').getByRole('button', { name: '归档' }).click()
  await expect(page.getByText('已处理 1 条，跳过 1 条')).toBeVisible()
  await expect(rows(page)).toHaveCount(1)
  await page.getByRole('button', { name: '处理全部结果' }).click()
  await page.getByRole('button', { name: '删除全部结果' }).click()
  await expect(page.getByText('找到的都是未结束的会话')).toBeVisible()
  await pick(page, '状态', '已归档')
  await expect(rows(page)).toHaveCount(1)
})

test('an export is locked, shared with one colleague, and stopped while it is written', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { page, join } = await open(browser, hubUrl)
  const all = [
    { permission: 'conversation.read', scope: 'all' },
    { permission: 'export.record', scope: 'all' },
  ]
  const [friend, other] = [(await join('同事甲', all)).page, (await join('同事乙', all)).page]
  await page.goto(`${hubUrl}/workbench/records`)
  await page.getByTestId('export').click()
  const dialog = page.getByRole('dialog', { name: '导出聊天记录' })
  await dialog.getByLabel('文件格式').selectOption('csv')
  await dialog.getByLabel('密码（选填，至少 12 位）').fill('mountain-tea-zip')
  // A schedule can keep it, too.
  await expect(dialog.getByRole('button', { name: '定时导出…' })).toBeEnabled()
  await expect(dialog.getByLabel('时区（文件中的时间）')).toHaveValue(/./)
  await dialog.getByRole('button', { name: '开始导出' }).click()
  await dialog.getByRole('link', { name: '查看导出列表' }).click()
  const item = page.getByTestId('exports').getByRole('article').first()
  await expect(item.getByText('已完成')).toBeVisible()
  const fetched = async (from: Page) => {
    const waiting = from.waitForEvent('download')
    await from.getByTestId('exports').getByRole('article').first().getByRole('link', { name: '下载' }).click()
    return readFile(await (await waiting).path())
  }
  const zipped = await fetched(page)
  const entryOf = async (bytes: Buffer) => {
    const [entry] = await new ZipReader(new BlobReader(new Blob([new Uint8Array(bytes)]))).getEntries()
    if (!entry || entry.directory) throw new Error('the zip is empty')
    return entry
  }
  const entry = await entryOf(zipped)
  expect(entry.encrypted).toBe(true)
  await expect(entry.getData(new TextWriter(), { password: 'guess-guess-guess' })).rejects.toThrow()
  expect(await entry.getData(new TextWriter(), { password: 'mountain-tea-zip' })).toContain('茶叶怎么退款')

  // Shared with one: that one has it, the other does not.
  await item.getByRole('button', { name: '共享', exact: true }).click()
  const sharing = item.getByRole('group', { name: /共享给/ })
  await sharing.getByLabel('同事甲').check()
  // Oneself has it anyhow.
  await expect(sharing.getByRole('checkbox')).toHaveCount(2)
  await item.getByRole('button', { name: '保存' }).click()
  await expect(sharing).toHaveCount(0)
  await friend.goto(`${hubUrl}/workbench/x/export/exports`)
  await friend.getByRole('button', { name: '共享给我的' }).click()
  expect((await fetched(friend)).byteLength).toBe(zipped.byteLength)
  await other.goto(`${hubUrl}/workbench/x/export/exports`)
  await other.getByRole('button', { name: '共享给我的' }).click()
  await expect(other.getByText('还没有导出')).toBeVisible()
  const [{ id }] = (await (await asked(page, 'GET', '/x/export/exports')).json()).items
  expect(await statusOf(other, 'GET', `/x/export/exports/${id}/file`)).toBe(404)
  expect(await statusOf(other, 'POST', `/x/export/exports/${id}/cancel`)).toBe(404)

  // Stopped: the list as it was a moment before shows it being written; the button asks for its end (what that does: export.test.ts).
  await page.route(
    '**/api/x/export/exports?of=mine',
    async (route) => {
      const answer = await route.fetch()
      const { items, cursor } = await answer.json()
      const shown = items.map((one: object, i: number) => (i === 0 ? { ...one, state: 'running', done: 0, total: 3 } : one))
      await route.fulfill({ response: answer, json: { items: shown, cursor } })
    },
    { times: 1 },
  )
  await page.reload()
  const stopped = page.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/cancel'))
  await item.getByRole('button', { name: '停止' }).click()
  expect((await stopped).url()).toContain(id)
})

test('a scheduled export of a named filter follows it, and the form says so; without a name it is a copy', async ({ hubUrl, browser }) => {
  const { page } = await open(browser, hubUrl)
  await page.goto(`${hubUrl}/workbench/records`)
  await search(page, '退款')
  const dialog = page.getByRole('dialog', { name: '导出聊天记录' })
  const form = page.getByTestId('schedule-form')
  await page.getByTestId('export').click()
  await dialog.getByRole('button', { name: '定时导出…' }).click()
  await expect(form.getByText('条件以此刻为准，以后不再变化。', { exact: false })).toBeVisible()
  await expect(form.getByRole('checkbox')).toHaveCount(0)
  await page.keyboard.press('Escape')

  await page.getByRole('button', { name: '保存筛选' }).click()
  await page.getByRole('dialog').getByLabel('名称').fill('退款问题')
  await page.getByRole('dialog').getByRole('button', { name: '保存' }).click()
  await expect(page.getByRole('button', { name: '退款问题', exact: true })).toHaveAttribute('aria-pressed', 'true')
  await page.getByTestId('export').click()
  await dialog.getByRole('button', { name: '定时导出…' }).click()
  await expect(form.getByLabel('跟随保存的筛选“退款问题”')).toBeChecked()
  await expect(form.getByText('以后修改这个筛选，定时导出随之改变', { exact: false })).toBeVisible()
  await form.getByLabel('名称', { exact: true }).fill('每日退款')
  await form.getByRole('button', { name: '保存' }).click()
  await expect(dialog.getByText('已设为定时导出', { exact: false })).toBeVisible()
  await page.keyboard.press('Escape')

  // The view is brought up to what is looked for now.
  await page.getByRole('button', { name: '退款问题', exact: true }).click()
  await pick(page, '附件', '链接')
  await page.getByRole('button', { name: '更新“退款问题”' }).click()
  await page.getByRole('dialog').getByRole('button', { name: '更新“退款问题”' }).click()
  await expect(page.getByRole('button', { name: '退款问题', exact: true })).toHaveAttribute('aria-pressed', 'true')
  await page.goto(`${hubUrl}/workbench/x/export/exports`)
  const schedule = page.getByTestId('schedule')
  await expect(schedule).toContainText('跟随筛选“退款问题”')
  await schedule.getByRole('button', { name: '修改' }).click()
  await expect(form.getByLabel('跟随保存的筛选“退款问题”')).toBeChecked()
})

test('an agent, a supervisor and an admin walk their own ways to the same records, and meet nothing of each other’s', async ({ hubUrl, browser }) => {
  const { admin, before, join } = await open(browser, hubUrl)
  await admin.call('PUT', '/contact-fields', { fields: [{ id: 'level', label: '客户等级', options: ['普通', '金牌'] }] })
  const { items } = await admin.call<{ items: { id: string; contact: { id: string; title: string } }[] }>('GET', '/records')
  const tea = items.find(({ contact }) => contact.title === '林小满')
  if (!tea) throw new Error('林小满 has no record')
  await admin.call('PATCH', `/contacts/${tea.contact.id}`, { fields: { 'hub.level': '金牌' } })
  const agent = await join('周晓', 'agent', before)
  await admin.call('POST', `/conversations/${tea.id}/transfer`, { agentId: agent.id })
  const pages = (page: Page) => page.getByRole('navigation').getByRole('link')
  /** The admin's pages and what is behind them. */
  const closed = async (page: Page, more: readonly (readonly [path: string, api: string])[]) => {
    for (const [path, api] of more) {
      expect(await statusOf(page, 'GET', api), api).toBe(403)
      await page.goto(`${hubUrl}/admin/${path}`)
      await expect(page.getByRole('heading', { name: '您没有这里的权限' })).toBeVisible()
    }
  }
  const span = `from=${new Date(Date.now() - 86_400_000).toISOString()}&to=${new Date().toISOString()}`

  // The agent: what is theirs, by a field of the customer that is a column too; the customer's page; the record.
  // Both conversations of the department waited for somebody of it.
  const mine = agent.page
  await mine.goto(`${hubUrl}/workbench/records`)
  await expect(rows(mine)).toHaveCount(2)
  await expect(rows(mine).filter({ hasText: '王芳' })).toHaveCount(0)
  const level = mine.getByRole('dialog').getByLabel('客户等级')
  await mine.getByRole('button', { name: '客户资料', exact: true }).click()
  await level.selectOption('普通')
  await expect(mine.getByRole('heading', { name: '没有符合条件的聊天记录' })).toBeVisible()
  await level.selectOption('金牌')
  await expect(rows(mine)).toHaveCount(1)
  await mine.keyboard.press('Escape')
  await expect(mine.getByRole('button', { name: '客户资料: 客户等级：金牌' })).toBeVisible()
  const shared = mine.url()
  await mine.getByRole('button', { name: '显示字段' }).click()
  await mine.getByRole('checkbox', { name: '客户等级', exact: true }).check()
  await expect(rows(mine)).toContainText('金牌')
  await mine.reload()
  await expect(mine.getByRole('columnheader', { name: '客户等级' })).toBeVisible()
  await expect(rows(mine)).toContainText('金牌')
  for (const name of ['处理全部结果', '归档']) await expect(mine.getByRole('button', { name, exact: true })).toHaveCount(0)
  await expect(mine.getByTestId('export')).toBeVisible()

  // One customer's thread, gathered as one likes, and so again the next time.
  await mine.getByRole('link', { name: '林小满 的全部往来' }).click()
  const groups = mine.getByTestId('thread-group')
  await expect(groups).toHaveCount(1)
  await mine.getByLabel('分组方式').selectOption('channel')
  await expect(groups.getByRole('heading', { level: 2 })).toHaveText(/应用.*已显示 2 条/)
  await mine.getByRole('button', { name: '看最新' }).click()
  await mine.goto(`${hubUrl}/workbench/contacts/${tea.contact.id}`)
  await expect(mine.getByLabel('分组方式')).toHaveValue('channel')
  await expect(mine.getByRole('button', { name: '看最新' })).toHaveAttribute('aria-pressed', 'true')
  await mine.getByLabel('分组方式').selectOption('conversation')
  await expect(mine.getByTestId('turn')).toHaveCount(1)
  await mine.getByTestId('turn').click()
  await expect(mine.getByTestId('message').filter({ hasText: '茶叶怎么退款' })).toBeVisible()
  expect(await statusOf(mine, 'PUT', `/records/${tea.id}/summary`, { answers: { resolved: true } })).toBe(200)
  expect(await statusOf(mine, 'DELETE', `/records/${items.find(({ id }) => id !== tea.id)?.id}/tags/${tea.id}`)).toBe(404)
  await closed(mine, [
    ['overview', `/reports/overview?${span}`],
    ['retention', '/retention'],
    ['system', '/x/audit/entries'],
  ])

  // The supervisor: the department's, from a link of the agent's too; the overview; nothing is restored or audited there.
  const chen = items.find(({ contact }) => contact.title === '陈立')
  const { agent: owner } = await admin.call<{ agent: { id: string } }>('GET', '/me')
  await admin.call('POST', `/conversations/${chen?.id}/transfer`, { agentId: owner.id })
  const lead = (await join('沈主管', 'supervisor', before)).page
  await lead.goto(shared)
  await expect(rows(lead)).toHaveCount(1)
  await clear(lead)
  await expect(rows(lead)).toHaveCount(2)
  await pick(lead, '客服', '周晓')
  await expect(rows(lead)).toHaveCount(2)
  await lead.getByRole('button', { name: '客服: 周晓' }).click()
  await lead.getByRole('button', { name: '最后接待', exact: true }).click()
  await expect(rows(lead)).toHaveCount(1)
  await expect(rows(lead)).toContainText('林小满')
  await lead.keyboard.press('Escape')
  await lead.goto(`${hubUrl}/admin/overview`)
  await expect(lead.getByRole('heading', { level: 1 })).toBeVisible()
  await expect(pages(lead).filter({ hasText: '数据概览' })).toHaveCount(1)
  for (const name of ['回收站', '保留规则', '审计日志']) await expect(pages(lead).filter({ hasText: name })).toHaveCount(0)
  await closed(lead, [
    ['recycle-bin', '/retention'],
    ['system', '/x/audit/entries'],
  ])

  // The admin: the global list, and every page of protection.
  const boss = (await join('管理员', 'admin')).page
  await boss.goto(`${hubUrl}/admin/records`)
  await expect(rows(boss)).toHaveCount(3)
  await expect(boss.getByRole('button', { name: '处理全部结果' })).toBeVisible()
  for (const [path, heading] of [
    ['recycle-bin', '回收站'],
    ['retention', '保留规则'],
    ['overview', '数据概览'],
    ['x/audit/log', '审计日志'],
  ] as const) {
    await boss.goto(`${hubUrl}/admin/${path}`)
    await expect(boss.getByRole('heading', { level: 1, name: heading })).toBeVisible()
  }
})
