/** What eight hours at the workbench and a look into the admin from a phone meet: a line that breaks, a name that is too long, a plugin that is off, an upgrade. */
import type { Browser } from '@playwright/test'
import { openDesk, openShop } from '../flows/open-desk.ts'
import { DeskPage } from '../pages/desk.ts'
import { AdminPage } from '../pages/pages.ts'
import { expect, owner, test } from '../support/e2e.ts'

const phone = { width: 390, height: 844 }

/** The owner at the desk, and one visitor for each sentence. */
async function begin(browser: Browser, hubUrl: string, ...sentences: string[]) {
  const { context, admin, workbench } = await openDesk(browser, hubUrl)
  for (const words of sentences) {
    const { shop } = await openShop(browser, hubUrl)
    await shop.say(words)
    await expect(workbench.list.getByText(words)).toBeVisible()
  }
  return { context, admin, desk: new DeskPage(workbench.page) }
}

test('without a line nothing begun is lost, and what could not be fetched comes by itself', async ({ hubUrl, browser }) => {
  const { context, desk } = await begin(browser, hubUrl, '请问有小样吗？', '能开发票吗？')
  await desk.pick('请问有小样吗？')
  const isDraft = (request: { url(): string; method(): string }) => request.url().endsWith('/draft') && request.method() === 'PUT'
  const saved = desk.page.waitForResponse((response) => isDraft(response.request()))
  await desk.composer.fill('有的')
  await saved
  await context.setOffline(true)
  await desk.composer.fill('有的，每款都有十克装')
  await desk.pick('能开发票吗？')
  await expect(desk.page.getByRole('heading', { name: '连不上服务器' })).toBeVisible()
  const told = desk.page.waitForResponse((response) => isDraft(response.request()) && response.ok())
  await context.setOffline(false)
  await expect(desk.message('能开发票吗？')).toBeVisible()
  await expect(desk.page.getByRole('heading', { name: '全渠道动态' })).toBeVisible()
  await told
  await desk.page.reload()
  await expect(desk.list.getByText('有的，每款都有十克装')).toBeVisible()
  await desk.pick('有的，每款都有十克装')
  await expect(desk.composer).toHaveValue('有的，每款都有十克装')
})

test('an answer sent without a line leaves no old draft behind', async ({ hubUrl, browser }) => {
  const { context, desk } = await begin(browser, hubUrl, '几点关门？', '有礼盒吗？')
  await desk.pick('几点关门？')
  const isDraft = (request: { url(): string; method(): string }) => request.url().endsWith('/draft') && request.method() === 'PUT'
  const saved = desk.page.waitForResponse((response) => isDraft(response.request()))
  await desk.composer.fill('晚上')
  await saved
  await context.setOffline(true)
  await desk.reply('晚上九点')
  await desk.pick('有礼盒吗？')
  const told = desk.page.waitForResponse((response) => isDraft(response.request()) && response.ok())
  await context.setOffline(false)
  // Impatience at the wrong moment: the answer may be on its way, or not yet.
  await told
  await desk.page.reload()
  await expect(desk.list.getByText('晚上九点')).toBeVisible()
  await expect(desk.list.getByText('[草稿]')).toHaveCount(0)
  await desk.pick('晚上九点')
  await expect(desk.message('晚上九点')).toHaveCount(1)
  await expect(desk.composer).toHaveValue('')
})

test('a tag is typed where one looks, and Enter takes the one there is', async ({ hubUrl, browser }) => {
  const { admin, desk } = await begin(browser, hubUrl, '想订两饼')
  await admin.call('POST', '/tags', { name: '高意向', system: false })
  await desk.page.reload()
  await desk.pick('想订两饼')
  await desk.composer.focus()
  await desk.page.getByTestId('info-strip').getByRole('button', { name: '添加标签' }).click()
  await expect(desk.page.getByRole('textbox', { name: '添加标签' })).toBeFocused()
  await desk.page.keyboard.type('高意')
  await desk.page.keyboard.press('Enter')
  await expect(desk.page.getByTestId('info-strip').getByRole('button', { name: '移除标签 高意向' })).toBeVisible()
  await expect(desk.composer).toHaveValue('')
  const { items } = await admin.call<{ items: { name: string }[] }>('GET', '/tags')
  expect(items.map(({ name }) => name)).not.toContain('高意')
})

test('a note is added, not sent', async ({ hubUrl, browser }) => {
  const { desk } = await begin(browser, hubUrl, '在吗？')
  await desk.pick('在吗？')
  await desk.page.getByRole('tab', { name: '备注' }).click()
  await desk.composer.fill('老客户，可以九五折')
  await expect(desk.page.getByRole('button', { name: '发送', exact: true })).toHaveCount(0)
  await desk.page.getByRole('button', { name: '添加备注' }).click()
  await expect(desk.message('老客户，可以九五折')).toHaveAttribute('data-direction', 'note')

  await test.step('so is a file, wherever one writes by the time it has come up', async () => {
    const late = Promise.withResolvers<void>()
    await desk.page.route('**/api/files', (route) => void late.promise.then(() => route.continue()))
    await desk.attach('底价.txt', 'text/plain', Buffer.from('九折'))
    await desk.page.getByRole('tab', { name: '回复' }).click()
    late.resolve()
    await expect(desk.message('底价.txt')).toHaveAttribute('data-direction', 'note')
  })

  await test.step('and one that is begun stays one, whatever one does beside it', async () => {
    const asNote = desk.page.getByRole('tab', { name: '备注' })
    await asNote.click()
    await desk.composer.fill('底价九折，别告诉他')
    await desk.message('在吗？').hover()
    await desk.message('在吗？').getByRole('button', { name: '回复', exact: true }).click()
    await expect(asNote).toHaveAttribute('aria-selected', 'true')
    await desk.composer.press('Enter')
    await expect(desk.message('底价九折')).toHaveAttribute('data-direction', 'note')
  })
})

test('a note on one who waits is no answer once one takes them', async ({ hubUrl, browser }) => {
  // As many as one may have: whoever comes after them waits.
  const { admin, desk } = await begin(browser, hubUrl, '在吗？')
  const { agent } = await admin.call<{ agent: { id: string } }>('GET', '/me')
  await admin.call('PATCH', `/agents/${agent.id}`, { capacity: 1 })
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('有人吗')
  await desk.page.goto(`${hubUrl}/workbench/conversations/queue`)
  await desk.pick('有人吗')
  await desk.page.getByRole('tab', { name: '备注' }).click()
  await desk.composer.fill('上次退过货')
  await desk.page.getByRole('button', { name: '接入' }).click()
  await expect(desk.page.getByRole('tab', { name: '备注' })).toHaveAttribute('aria-selected', 'true')
  await desk.composer.press('Enter')
  await expect(desk.message('上次退过货')).toHaveAttribute('data-direction', 'note')
})

test('names as long as they may be keep to their place on a phone', async ({ hubUrl, browser }) => {
  const { admin, desk } = await begin(browser, hubUrl, '这款还有吗？')
  await desk.pick('这款还有吗？')
  const { contact } = await admin.call<{ contact: { id: string } }>('GET', `/conversations/${desk.page.url().split('/').at(-1)}`)
  await admin.call('PATCH', `/contacts/${contact.id}`, { nickname: '一个很长很长的名字'.repeat(6) })
  await desk.page.setViewportSize(phone)
  await desk.page.reload()
  await expect(desk.page.getByRole('heading', { level: 1, name: '一个很长很长的名字' })).toBeVisible()
  await expect(desk.message('这款还有吗？')).toBeVisible()
  expect(await admin.beyond()).toEqual([])
  expect(await desk.page.evaluate('document.documentElement.scrollWidth')).toBe(phone.width)
  await desk.page.goto(`${hubUrl}/workbench/visitors`)
  await desk.page.getByRole('tab', { name: '对话中' }).click()
  await expect(desk.page.getByRole('button', { name: '浏览轨迹' })).toBeVisible()
  expect(await admin.beyond()).toEqual([])
})

test('the admin on a phone: every page within the window, the menu behind a button', async ({ hubUrl, browser }) => {
  const page = await (await browser.newContext({ locale: 'zh-CN', viewport: phone, hasTouch: true, isMobile: true })).newPage()
  const admin = new AdminPage(page)
  await admin.setUp(hubUrl, owner)
  await expect(admin.nav).toBeHidden()
  const menu = page.getByRole('button', { name: '管理导航' })
  await menu.click()
  await page.keyboard.press('Escape')
  await expect(admin.nav).toBeHidden()
  await menu.click()
  await admin.nav.getByRole('link', { name: '系统状态' }).click()
  await expect(admin.nav).toBeHidden()
  await expect(page.getByText('SQLite', { exact: true })).toBeVisible()
  await expect(page.getByText(/^\d+ 分钟$/)).toBeVisible()
  await expect(page).toHaveTitle('系统状态 · 汇客')
  const titles = {
    inboxes: '渠道接入',
    agents: '客服账号',
    departments: '部门与技能组',
    assignment: '分配规则',
    roles: '角色与权限',
    tags: '标签',
    plugins: '插件',
    tokens: '接口令牌',
    account: '我的账号',
  }
  for (const [name, title] of Object.entries(titles)) {
    await admin.open(hubUrl, name, title)
    expect(await admin.beyond(), name).toEqual([])
  }
  const { id } = await admin.call<{ id: string }>('POST', '/inboxes', { channel: 'email', name: '售后邮箱' })
  await admin.open(hubUrl, `inboxes/${id}`, '售后邮箱')
  await expect(page.getByLabel('邮箱服务商')).toBeVisible()
  expect(await admin.beyond(), 'a mailbox').toEqual([])
})

test('an inbox whose plugin is off says so, and leads to where it is switched on', async ({ hubUrl, browser }) => {
  const page = await (await browser.newContext({ locale: 'zh-CN' })).newPage()
  const admin = new AdminPage(page)
  await admin.setUp(hubUrl, owner)
  await expect(page.getByRole('row').filter({ hasText: '我的网站' })).toContainText('已启用')
  await admin.call('POST', '/plugins/website/switch', { enabled: false })
  await admin.open(hubUrl, 'inboxes', '渠道接入')
  await expect(page.getByRole('row').filter({ hasText: '我的网站' })).toContainText('插件已停用')
  await expect(page.getByRole('row').filter({ hasText: '我的网站' })).not.toContainText('已启用')
  await page.getByRole('link', { name: '我的网站' }).click()
  await expect(page.getByText('该渠道的插件已停用')).toBeVisible()
  await expect(page.getByRole('heading', { name: '连接状态' })).toHaveCount(0)
  await page.getByRole('main').getByRole('link', { name: '插件' }).click()
  await expect(page.getByRole('heading', { level: 1, name: '插件' })).toBeVisible()
})

test('an inbox page is that of its address, asks again when it was not answered, and keeps what is being written', async ({ hubUrl, browser }) => {
  const page = await (await browser.newContext({ locale: 'zh-CN' })).newPage()
  const admin = new AdminPage(page)
  await admin.setUp(hubUrl, owner)
  const { id } = await admin.website()
  const other = await admin.call<{ id: string }>('POST', '/inboxes', { channel: 'website', name: '茶园分站', settings: {} })
  await page.route('**/api/inboxes', (route) => route.abort())
  await page.goto(`${hubUrl}/admin/inboxes/${id}`)
  await expect(page.getByRole('heading', { name: '连不上服务器' })).toBeVisible()
  await page.unroute('**/api/inboxes')
  await page.getByRole('button', { name: '重试' }).click()
  await expect(page.getByRole('heading', { level: 1, name: '我的网站' })).toBeVisible()
  // As a notice leads from one to the next.
  await page.evaluate(`history.pushState(history.state, '', '/admin/inboxes/${other.id}'); history.pushState(history.state, '', location.href); history.back()`)
  await expect(page.getByRole('heading', { level: 1, name: '茶园分站' })).toBeVisible()
  await page.getByLabel('窗口标题').fill('山野茶事')
  await page.getByRole('button', { name: '停用' }).click()
  await expect(page.getByRole('button', { name: '启用' })).toBeVisible()
  await expect(page.getByLabel('窗口标题')).toHaveValue('山野茶事')
})

test('permissions of a plugin stand under its name; nobody is offered to switch off themselves', async ({ hubUrl, browser }) => {
  const page = await (await browser.newContext({ locale: 'zh-CN' })).newPage()
  const admin = new AdminPage(page)
  await admin.setUp(hubUrl, owner)
  await admin.open(hubUrl, 'roles', '角色与权限')
  await expect(page.getByRole('rowheader', { name: '插件：邮件' })).toBeVisible()
  await admin.open(hubUrl, 'agents', '客服账号')
  const row = page.getByRole('row').filter({ hasText: owner.email })
  await expect(row.getByRole('button', { name: '编辑' })).toBeVisible()
  await expect(row.getByRole('button', { name: '停用' })).toHaveCount(0)
})

test('who cannot read the sign-in page changes its language there', async ({ hubUrl, browser }) => {
  const { context } = await openDesk(browser, hubUrl)
  await context.clearCookies()
  const page = await context.newPage()
  await page.goto(`${hubUrl}/workbench`)
  await page.getByRole('button', { name: 'English' }).click()
  await expect(page.getByRole('heading', { name: 'Sign in to Huike' })).toBeVisible()
  await page.reload()
  await page.getByRole('button', { name: '中文' }).click()
  await expect(page.getByRole('heading', { name: '登录汇客' })).toBeVisible()
})

test('a page left open over an upgrade is fetched anew; without a line it stays', async ({ hubUrl, browser }) => {
  const { context, desk } = await begin(browser, hubUrl, '还在吗？')
  await desk.pick('还在吗？')
  await desk.page.evaluate('window.theSame = true')
  await context.setOffline(true)
  await desk.page.getByRole('link', { name: '访客' }).click()
  await expect(desk.page.getByText('连接已断开')).toBeVisible()
  await expect(desk.message('还在吗？')).toBeVisible()
  expect(await desk.page.evaluate('window.theSame')).toBe(true)
  await context.setOffline(false)
  await expect(desk.line).toHaveAttribute('data-state', 'live')
  // The old piece is gone from the hub.
  await desk.page.route(/VisitorsPage/, (route) => route.fulfill({ status: 404, body: '{}' }))
  const anew = desk.page.waitForEvent('load')
  await desk.page.getByRole('link', { name: '访客' }).click()
  await anew
  await expect(desk.message('还在吗？')).toBeVisible()
  expect(await desk.page.evaluate('window.theSame')).toBeUndefined()
})
