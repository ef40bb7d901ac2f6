/** The workbench in an agent's hands: drafts, colleagues, files, keys, a phone, the assignment rules. */
import AxeBuilder from '@axe-core/playwright'
import type { Browser } from '@playwright/test'
import { joinHub, makeOwner, openDesk } from '../flows/open-desk.ts'
import { DeskPage } from '../pages/desk.ts'
import { ShopPage } from '../pages/pages.ts'
import { axeFaults } from '../support/axe.ts'
import { expect, owner, test, watchPolicy } from '../support/e2e.ts'
import { watchNotices } from '../support/in-page.ts'

const pdf = Buffer.from(
  '%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n',
)
const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')

/** The owner at their desk and a visitor who said something. */
async function begin(browser: Browser, hubUrl: string, words: string) {
  const context = await browser.newContext({ locale: 'zh-CN' })
  const blocked = await watchPolicy(context)
  const page = await context.newPage()
  await makeOwner(context, hubUrl)
  const desk = new DeskPage(page)
  await desk.open(hubUrl)
  const shop = new ShopPage(await (await browser.newContext({ locale: 'zh-CN' })).newPage())
  await shop.open(hubUrl)
  await shop.openChat()
  await shop.say(words)
  await desk.pick(words)
  await expect(desk.message(words)).toBeVisible()
  return { context, desk, shop, blocked }
}

test('what is begun is there after a reload and on another device, and gone once it is sent', async ({ hubUrl, browser }) => {
  const { context, desk } = await begin(browser, hubUrl, '请问几点关门？')
  const saved = desk.page.waitForResponse((response) => response.url().endsWith('/draft') && response.request().method() === 'PUT')
  await desk.composer.fill('我们晚上九点')
  await saved
  await desk.page.reload()
  await expect(desk.composer).toHaveValue('我们晚上九点')
  const other = new DeskPage(await (await browser.newContext({ locale: 'zh-CN' })).newPage())
  await other.page.goto(desk.page.url())
  await other.login(owner.email, owner.password)
  await expect(other.composer).toHaveValue('我们晚上九点')
  await desk.page.getByRole('link', { name: '已结束' }).click()
  await desk.page.getByRole('link', { name: /我的会话/ }).click()
  await expect(desk.list.getByText('[草稿]')).toBeVisible()
  await desk.pick('我们晚上九点')
  await expect(desk.composer).toHaveValue('我们晚上九点')
  const quoted = desk.page.locator('.composer .quoting')
  await test.step('and what it answers with it, where that can still be shown', async () => {
    const told = () => desk.page.waitForResponse((response) => response.url().endsWith('/draft') && response.request().method() === 'PUT')
    const put = (replyToId: string) =>
      context.request.put(`${hubUrl}/api/conversations/${desk.page.url().split('/').at(-1)}/draft`, {
        data: { text: '我们晚上九点', replyToId },
        headers: { origin: hubUrl },
      })
    await expect(quoted).toBeHidden()
    const quoting = told()
    await desk.thread.focus()
    await desk.press('q')
    await expect(quoted).toContainText('请问几点关门？')
    await quoting
    await desk.page.reload()
    await expect(quoted).toContainText('请问几点关门？')
    await expect(desk.composer).toHaveValue('我们晚上九点')
    const dropping = told()
    await desk.page.getByRole('button', { name: '取消回复' }).click()
    await dropping
    await desk.page.reload()
    await expect(desk.composer).toHaveValue('我们晚上九点')
    await expect(quoted).toBeHidden()
    // Asked for as soon as the desk hears of it, which may be before the page is loaded anew.
    const asked = desk.page.waitForResponse((response) => response.url().endsWith(`/messages/${'0'.repeat(26)}`))
    expect((await put('0'.repeat(26))).ok()).toBe(true)
    await desk.page.reload()
    expect((await asked).status()).toBe(404)
    await expect(desk.composer).toHaveValue('我们晚上九点')
    await expect(quoted).toBeHidden()
    const again = told()
    await desk.thread.focus()
    await desk.press('q')
    await again
  })
  await test.step('it is asked for once at a time: an earlier answer never passes for words of the agent', async () => {
    const asked: string[] = []
    const { promise: seen, resolve: answer } = Promise.withResolvers<void>()
    await desk.page.route(
      (url) => url.pathname.endsWith('/draft'),
      async (route) => {
        if (route.request().method() === 'GET') {
          asked.push(route.request().url())
          await seen
        }
        await route.continue()
      },
    )
    const first = desk.page.waitForRequest((request) => request.url().endsWith('/draft') && request.method() === 'GET')
    await desk.page.reload()
    await first
    // As when the agent comes back to this tab before the first answer is there.
    await desk.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(desk.message('请问几点关门？')).toBeVisible()
    answer()
    await expect(desk.composer).toHaveValue('我们晚上九点')
    await expect(quoted).toContainText('请问几点关门？')
    expect(asked).toHaveLength(1)
    await desk.page.unrouteAll({ behavior: 'wait' })
  })
  await test.step('a note that was begun comes back as a note', async () => {
    const noted = desk.page.waitForResponse((response) => response.url().endsWith('/draft') && response.request().method() === 'PUT')
    await desk.page.getByRole('tab', { name: '备注' }).click()
    await noted
    await desk.page.reload()
    await expect(desk.composer).toHaveValue('我们晚上九点')
    await expect(desk.page.getByRole('tab', { name: '备注' })).toHaveAttribute('aria-selected', 'true')
    await desk.page.getByRole('tab', { name: '回复' }).click()
  })
  const cleared = desk.page.waitForResponse((response) => response.url().endsWith('/draft') && response.request().method() === 'PUT')
  await desk.composer.press('Enter')
  await cleared
  await expect(desk.message('我们晚上九点').getByTitle('跳到被回复的消息')).toHaveText('回复：请问几点关门？')
  await expect(quoted).toBeHidden()
  await other.page.reload()
  await expect(other.message('我们晚上九点')).toBeVisible()
  await expect(other.composer).toHaveValue('')
  await context.close()
})

test('a colleague who looks and answers is shown, and no longer when they leave', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { context, desk } = await begin(browser, hubUrl, '有人在吗？')
  const roles = (await (await context.request.get(`${hubUrl}/api/roles`)).json()) as { items: { id: string; builtin: string }[] }
  const invited = await context.request.post(`${hubUrl}/api/agents`, {
    data: { email: 'wang.fang@shanye.cn', name: '王芳', roleIds: [roles.items.find((role) => role.builtin === 'admin')?.id] },
  })
  const { invitation } = (await invited.json()) as { invitation: string }
  const colleague = new DeskPage(await (await browser.newContext({ locale: 'zh-CN' })).newPage())
  await colleague.page.request.post(`${hubUrl}/api/invitations/${invitation.split('/').at(-1)}`, { data: { password: 'mountain-tea-2027' } })
  await colleague.page.goto(desk.page.url().replace('/mine/', '/open/'))
  await expect(desk.company).toHaveText(/王芳 正在查看/)
  await expect(colleague.company).toHaveText(/周敏 正在查看/)
  const kept = colleague.page.waitForResponse((response) => response.request().method() === 'PUT' && response.url().endsWith('/draft'))
  await colleague.composer.fill('我来回')
  await expect(desk.company).toHaveText(/王芳 正在回复/)
  expect((await kept).ok()).toBe(true)
  await colleague.page.close()
  await expect(desk.company).toHaveText('')

  await test.step('transferred by keyboard alone', async () => {
    const again = new DeskPage(await colleague.page.context().newPage())
    await again.open(hubUrl)
    await desk.thread.focus()
    await desk.press('t')
    const field = desk.page.getByRole('combobox', { name: '转接给' })
    await expect(field).toBeFocused()
    await field.fill('王')
    await field.press('Enter')
    await expect(desk.page.getByText('已转接给 王芳')).toBeVisible()
    await expect(again.list.getByRole('link').filter({ hasText: '[草稿]我来回' })).toBeVisible()
  })
})

test('colleagues are seen beside one’s own status, who is there first, and as it changes', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { page } = workbench
  const colleagues = page.getByRole('list', { name: /^同事/ }).getByRole('listitem')
  await page.getByTestId('presence').press('Enter')
  await expect(page.getByText('还没有其他同事。')).toBeVisible()
  await expect(colleagues).toHaveCount(0)
  expect(await axeFaults(page, 'alone')).toEqual([])
  await page.keyboard.press('Escape')

  const gone = await joinHub(browser, admin, hubUrl, '阿宝', 'agent')
  await gone.context().request.put(`${hubUrl}/api/me/presence`, { data: { presence: 'away' }, headers: { origin: hubUrl } })
  const wang = new DeskPage(await joinHub(browser, admin, hubUrl, '王芳', 'agent'))
  await expect(wang.page.getByTestId('presence')).toHaveAccessibleName(/在线/)
  await page.getByTestId('presence').press('Enter')
  await expect(colleagues).toHaveText(['王芳在线', '阿宝离开'])
  await expect(page.getByRole('heading', { name: '同事 · 1 人在线' })).toBeVisible()
  expect(await axeFaults(page, 'colleagues')).toEqual([])
  await test.step('who has no right but to answer sees them too, and hears of it at once', async () => {
    await wang.page.getByTestId('presence').press('Enter')
    const theirs = wang.page.getByRole('list', { name: /^同事/ }).getByRole('listitem')
    await expect(theirs).toHaveText(['周敏在线', '阿宝离开'])
    await admin.call('PUT', '/me/presence', { presence: 'busy' })
    await expect(theirs).toHaveText(['周敏忙碌', '阿宝离开'])
    await wang.page.getByRole('radio', { name: '忙碌' }).click()
    await expect(colleagues).toHaveText(['王芳忙碌', '阿宝离开'])
  })
})

test('a customer is blocked when the chat is over as well, and let in again where that is seen', async ({ hubUrl, browser }) => {
  const { desk, shop } = await begin(browser, hubUrl, '加我微信领红包')
  const { page } = desk
  const more = page.getByRole('button', { name: '更多操作' })
  const block = page.getByRole('menuitem', { name: '拉黑', exact: true })
  await page.getByRole('button', { name: '结束会话' }).click()
  await page.getByRole('dialog').getByRole('button', { name: '结束会话' }).click()
  await expect(page.getByText('会话已结束，客户再次发来消息会开启新会话。')).toBeVisible()
  await more.click()
  await block.click()
  const sure = page.getByRole('dialog')
  await expect(sure).toContainText('在同一渠道上进行中的会话也会立即结束')
  await sure.getByRole('button', { name: '拉黑' }).click()
  const panel = page.getByRole('complementary', { name: '客户资料' })
  await expect(panel.getByText('已拉黑')).toBeVisible()
  await more.click()
  await expect(page.getByRole('menuitem', { name: '复制会话链接' })).toBeVisible()
  await expect(block).toHaveCount(0)
  await page.getByRole('menuitem', { name: '解除拉黑' }).click()
  await expect(page.getByText('已解除拉黑')).toBeVisible()
  await expect(panel.getByText('已拉黑', { exact: true })).toHaveCount(0)
  // Who is let in again writes as before.
  await shop.say('不好意思，发错了')
  await expect(desk.list.getByText('不好意思，发错了')).toBeVisible()
})

test('what is written into a customer’s panel stays, with the reason at its place, until it is saved or given up', async ({ hubUrl, browser }) => {
  const { desk } = await begin(browser, hubUrl, '我的电话变了')
  const { page } = desk
  const phone = page.getByRole('complementary', { name: '客户资料' }).getByLabel('电话', { exact: true })
  const why = page.getByRole('complementary', { name: '客户资料' }).getByRole('alert')
  await page.route('**/api/contacts/*', (route) => (route.request().method() === 'PATCH' ? route.abort() : route.fallback()))
  await phone.fill('13712345678')
  await phone.press('Enter')
  await expect(phone).toHaveAttribute('aria-invalid', 'true')
  await expect(why).toHaveText('连不上服务器，请检查网络后重试。')
  await expect(phone).toHaveAttribute('aria-describedby', (await why.getAttribute('id')) ?? '')
  await expect(phone).toHaveValue('13712345678')
  await phone.press('Escape')
  await expect(phone).toHaveValue('')
  await expect(why).toHaveCount(0)
  // The hub refuses it: what it says stands there.
  await page.unroute('**/api/contacts/*')
  await phone.evaluate((input) => input.removeAttribute('maxlength'))
  await phone.fill('1'.repeat(41))
  await phone.press('Enter')
  await expect(why).toHaveText('最多 40 个字符。')
  await phone.fill('13712345678')
  await phone.press('Enter')
  await expect(why).toHaveCount(0)
  await page.reload()
  await expect(phone).toHaveValue('13712345678')
})

test('pictures and files are looked at here, and what cannot be is a download @pdf', async ({ hubUrl, browser }) => {
  const { desk, blocked } = await begin(browser, hubUrl, '把合同发我看看')
  const failures: string[] = []
  desk.page.on('pageerror', (error) => failures.push(error.message))
  await desk.attach('样品.png', 'image/png', png)
  await expect(desk.page.getByRole('button', { name: '查看图片 样品.png' })).toBeVisible()
  await desk.attach('合同.pdf', 'application/pdf', pdf)
  await expect(desk.page.getByRole('button', { name: '预览 合同.pdf' })).toBeVisible()
  await desk.attach('清单.txt', 'text/plain', Buffer.from('<script>alert(1)</script> 春茶 两饼'))
  await expect(desk.page.getByRole('button', { name: '预览 清单.txt' })).toBeVisible()
  await desk.attach('资料.zip', 'application/zip', Buffer.from('PK\u0005\u0006' + '\0'.repeat(18), 'latin1'))
  await expect(desk.page.getByRole('link', { name: '下载 资料.zip' })).toBeVisible()
  await expect(desk.page.getByRole('button', { name: '预览 资料.zip' })).toHaveCount(0)

  await desk.page.getByRole('button', { name: '查看图片 样品.png' }).click()
  await expect(desk.viewer.getByRole('img', { name: '样品.png' })).toBeVisible()
  await desk.viewer.getByRole('button', { name: '放大' }).click()
  await expect(desk.viewer.getByRole('img', { name: '样品.png' })).toHaveAttribute('data-zoomed', 'true')
  await desk.press('ArrowRight')
  await expect(desk.viewer.locator('iframe')).toHaveAttribute('title', '合同.pdf')
  await desk.viewer.getByRole('button', { name: '下一个文件' }).click()
  await expect(desk.viewer.getByText('<script>alert(1)</script> 春茶 两饼')).toBeVisible()
  await desk.press('ArrowRight')
  await expect(desk.viewer.getByText('这种文件不能在这里预览')).toBeVisible()
  const download = desk.page.waitForEvent('download')
  await desk.press('d')
  expect((await download).suggestedFilename()).toBe('资料.zip')
  await desk.press('Escape')
  await expect(desk.viewer).toHaveCount(0)

  // The same on the wall of what a search finds, and all of it in one zip.
  const { page } = desk
  await page.goto(`${hubUrl}/workbench/records`)
  await page.getByRole('button', { name: '附件', exact: true }).last().click()
  await expect(page).toHaveURL(/view=files/)
  const found = page.getByTestId('found-attachments')
  await expect(found).toHaveCount(1)
  await expect(found.getByRole('button', { name: '合同.pdf' })).toBeVisible()
  await found.getByRole('button', { name: '样品.png' }).click()
  await expect(desk.viewer.getByRole('img', { name: '样品.png' })).toBeVisible()
  await desk.press('Escape')
  await expect(desk.viewer).toHaveCount(0)
  const zip = page.waitForEvent('download')
  await page.getByRole('link', { name: '打包下载附件' }).click()
  expect((await zip).suggestedFilename()).toBe('attachments.zip')
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
  expect(failures).toEqual([])
  expect(blocked).toEqual([])
})

test('a day without a mouse: list, reply, quote, note, star, palette, help, end', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { desk, shop } = await begin(browser, hubUrl, '第一位客户')
  const second = new ShopPage(await (await browser.newContext({ locale: 'zh-CN' })).newPage())
  await second.open(hubUrl)
  await second.openChat()
  await second.say('第二位客户')
  await expect(desk.list.getByRole('link')).toHaveCount(2)
  await expect(desk.page).toHaveTitle(/^\(1\)/)
  await desk.thread.focus()
  await desk.press('u')
  await expect(desk.message('第二位客户')).toBeVisible()
  await expect(desk.page).not.toHaveTitle(/^\(/)
  await desk.press('j')
  await expect(desk.message('第一位客户')).toBeVisible()

  await desk.press('q')
  await expect(desk.composer).toBeFocused()
  await desk.page.keyboard.type('您好，在的')
  await desk.press('Enter')
  await expect(shop.message('您好，在的')).toBeVisible()
  await expect(desk.message('您好，在的').getByTitle('跳到被回复的消息')).toHaveText('回复：第一位客户')
  await desk.press('Alt+ArrowDown')
  await expect(desk.message('第二位客户')).toBeVisible()
  await desk.press('n')
  await desk.page.keyboard.type('这位要开发票')
  await desk.press('Enter')
  await expect(desk.message('这位要开发票')).toHaveAttribute('data-direction', 'note')
  await desk.press('Escape')
  await desk.press('s')
  await expect(desk.page.getByRole('button', { name: '取消星标' })).toBeVisible()

  await desk.press('?')
  const sheet = desk.page.getByRole('dialog', { name: '键盘快捷键' })
  await expect(sheet.getByText('引用客户最后一条消息')).toBeVisible()
  await expect(sheet.locator('dt')).toHaveCount(46)
  await desk.press('Escape')
  await expect(sheet).toBeHidden()

  const found = await desk.palette('您好，在')
  await expect(found.first()).toContainText('您好，在的')
  await desk.press('Enter')
  await expect(desk.message('您好，在的')).toBeVisible()
  await desk.palette('深色')
  await desk.press('Enter')
  await expect(desk.page.locator('html')).toHaveClass(/dark/)
  const actions = await desk.palette('结束会话')
  await expect(actions).toHaveCount(1)
  await desk.press('Enter')
  await expect(desk.page.getByRole('dialog').getByRole('button', { name: '结束会话' })).toBeFocused()
  await desk.press('Enter')
  await expect(desk.page.getByText('会话已结束，客户再次发来消息会开启新会话。')).toBeVisible()
})

test('each column beside the talk can be folded, by mouse and by key, and stays so', async ({ hubUrl, browser }) => {
  const { desk } = await begin(browser, hubUrl, '还有货吗？')
  const { page } = desk
  const groups = page.getByRole('navigation', { name: '会话分组' })
  const width = async () => (await desk.thread.boundingBox())?.width ?? 0
  const before = await width()
  await page.getByRole('button', { name: '收起会话分组' }).press('Enter')
  await expect(groups).toBeHidden()
  const showGroups = page.getByRole('button', { name: '展开会话分组' })
  await expect(showGroups).toBeFocused()
  await page.getByRole('button', { name: '收起会话列表' }).click()
  await expect(desk.list).toBeHidden()
  await expect.poll(width).toBeGreaterThan(before + 300)
  expect(await axeFaults(page, 'folded')).toEqual([])

  await page.reload()
  await expect(desk.message('还有货吗？')).toBeVisible()
  await expect(groups).toBeHidden()
  await expect(desk.list).toBeHidden()
  await showGroups.press('Enter')
  await expect(groups).toBeVisible()
  await expect(page.getByRole('button', { name: '收起会话分组' })).toBeFocused()

  await desk.thread.focus()
  await desk.press('Shift+L')
  await expect(desk.list.getByRole('link')).toHaveCount(1)
  await expect(desk.thread).toBeFocused()
  await desk.press('Shift+L')
  await expect(desk.list).toBeHidden()
  await test.step('who looks for somebody has the list again', async () => {
    await desk.press('/')
    await expect(page.getByRole('searchbox', { name: '搜索会话' })).toBeFocused()
    await expect(desk.list).toBeVisible()
  })
  await test.step('on a phone nothing is folded', async () => {
    await page.getByRole('button', { name: '收起会话列表' }).click()
    await page.setViewportSize({ width: 390, height: 844 })
    await page.getByRole('link', { name: '返回列表' }).click()
    await expect(desk.list.getByRole('link')).toHaveCount(1)
    await expect(groups).toBeVisible()
    await expect(page.getByRole('button', { name: /^(展开|收起)会话/ })).toHaveCount(0)
  })
})

test('the line tells its state, and a gap is filled after a drop', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { context, desk, shop } = await begin(browser, hubUrl, '在吗')
  await context.addInitScript(watchNotices)
  await desk.page.reload()
  await expect(desk.line).toHaveAttribute('data-state', 'live')
  await desk.page.evaluate('hide(true)')
  await context.setOffline(true)
  await expect(desk.page.getByText('连接已断开，正在重连…').last()).toBeVisible({ timeout: 45_000 })
  for (const text of ['一', '二', '三']) await shop.say(`断线时的第${text}句`)
  await expect(shop.message('断线时的第三句')).toBeVisible()
  await context.setOffline(false)
  for (const text of ['一', '二', '三']) await expect(desk.message(`断线时的第${text}句`)).toHaveCount(1)
  await expect(desk.line).toHaveAttribute('data-state', 'live')
  // Noticed like what comes while the line is up.
  expect(await desk.page.evaluate<number>('seen.tones')).toBeGreaterThan(0)
  await desk.page.evaluate('hide(false)')

  let deaf = false
  let missed = 0
  await test.step('a line the hub refuses is asked for again', async () => {
    let refused = false
    await desk.page.routeWebSocket(/\/socket\//, (line) => {
      if (refused) {
        const hub = line.connectToServer()
        hub.onMessage((packet) => {
          if (deaf && String(packet).includes('"conversation"')) missed++
          else line.send(packet)
        })
        return
      }
      refused = true
      line.onMessage(() => line.send('44{"message":"HUB_INTERNAL"}'))
      line.send('0{"sid":"made-up","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100000}')
    })
    await desk.page.reload()
    await expect(desk.line).toHaveAttribute('data-state', 'offline')
    await expect(desk.line).toHaveAttribute('data-state', 'live')
    expect(refused).toBe(true)
  })

  await test.step('what was missed on a live line is fetched until it has come', async () => {
    deaf = true
    await shop.say('没有推送到的')
    await expect.poll(() => missed).toBeGreaterThan(0)
    await expect(shop.waiting).toHaveCount(0)
    deaf = false
    let cut = true
    await desk.page.route('**/messages?afterRev=*', (route) => (cut ? route.abort() : route.continue()))
    await shop.say('推送到的')
    await expect(desk.list.getByText('推送到的')).toBeVisible()
    // No push comes after these.
    await new Promise((done) => setTimeout(done, 1_000))
    cut = false
    await expect(desk.message('没有推送到的')).toHaveCount(1)
    await expect(desk.line).toHaveAttribute('data-state', 'live')
  })

  await test.step('what the hub did not hear was read counts as unread, until the next look', async () => {
    await desk.page.route('**/read', (route) => route.abort(), { times: 1 })
    await shop.say('看到了吗')
    await expect(desk.message('看到了吗')).toBeVisible()
    const unread = desk.page.getByRole('link', { name: '会话，1 条未读' })
    await expect(unread).toBeVisible()
    await desk.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(unread).toHaveCount(0)
  })
})

test('on a phone one column at a time, and the way back', async ({ hubUrl, browser }) => {
  const { context, desk, shop } = await begin(browser, hubUrl, '手机上能回吗？')
  await desk.page.setViewportSize({ width: 390, height: 844 })
  await expect(desk.message('手机上能回吗？')).toBeVisible()
  await expect(desk.list).toBeHidden()
  await desk.reply('能的')
  await expect(shop.message('能的')).toBeVisible()
  expect(await desk.page.evaluate('document.documentElement.scrollWidth')).toBe(390)
  await desk.page.getByRole('button', { name: '展开资料' }).click()
  await expect(desk.page.getByRole('complementary', { name: '客户资料' })).toBeVisible()
  await desk.page.getByRole('button', { name: '收起资料' }).last().click()
  await desk.page.getByRole('link', { name: '返回列表' }).click()
  await expect(desk.list.getByRole('link')).toHaveCount(1)
  await context.close()
})

test('a rule is set, explained, and obeyed', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { desk } = await begin(browser, hubUrl, '第一位')
  const page = desk.page
  await page.goto(`${hubUrl}/admin/assignment`)
  await expect(page.getByTestId('assignment-preview').getByRole('status')).toHaveText('新会话会分给 周敏')
  await page.getByRole('button', { name: '编辑 全局规则' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('轮流分配').click()
  await dialog.getByLabel('每人最多同时接待').fill('1')
  await dialog.getByRole('button', { name: '保存' }).click()
  await expect(page.getByRole('row').filter({ hasText: '全局' })).toContainText('轮流分配 · 每人最多 1 个 · 排队等候')
  await expect(page.getByTestId('assignment-preview').getByRole('status')).toHaveText('新会话会排队')
  await expect(page.getByTestId('assignment-preview').getByText('已满')).toBeVisible()
  const waiting = new ShopPage(await (await browser.newContext({ locale: 'zh-CN' })).newPage())
  await waiting.open(hubUrl)
  await waiting.openChat()
  await waiting.say('我排队')
  await desk.page.goto(`${hubUrl}/workbench/conversations/queue`)
  await desk.pick('我排队')
  await desk.thread.focus()
  await desk.press('a')
  await expect(desk.page).toHaveURL(/conversations\/mine/)
  await expect(desk.composer).toBeFocused()
})
