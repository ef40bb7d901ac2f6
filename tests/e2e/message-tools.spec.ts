/** What is done with a message, and how one hears of it: copied, sent again, announced; the visitor sees that somebody writes. */
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Route } from '@playwright/test'
import { HubClient } from '../../plugins/app/example/client.ts'
import { openDesk, openShop } from '../flows/open-desk.ts'
import { DeskPage } from '../pages/desk.ts'
import { expect, test } from '../support/e2e.ts'
import { watchNotices } from '../support/in-page.ts'

test('the visitor sees that the agent writes, and that they have stopped', async ({ hubUrl, browser }) => {
  const { workbench: desk } = await openDesk(browser, hubUrl)
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('在吗？')
  await desk.pick('在吗？')
  await expect(desk.message('在吗？')).toBeVisible()
  const composer = desk.page.getByTestId('composer')
  const typing = shop.chat.getByText('对方正在输入')
  await composer.fill('我看一下')
  await expect(typing).toBeVisible()
  await composer.fill('')
  await expect(typing).toHaveCount(0)
  await composer.fill('我看过了')
  await expect(typing).toBeVisible()
  await composer.press('Enter')
  await expect(shop.message('我看过了')).toBeVisible()
  await expect(typing).toHaveCount(0)
})

test('the composer says that the inbox is switched off, while it is', async ({ hubUrl, browser }) => {
  const { admin, workbench: desk } = await openDesk(browser, hubUrl)
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('在吗？')
  await desk.pick('在吗？')
  await expect(desk.page.getByTestId('composer')).toBeVisible()
  const off = desk.page.getByText('这个渠道账号已停用：')
  await expect(off).toHaveCount(0)
  const { id } = await admin.website()
  await admin.call('PATCH', `/inboxes/${id}`, { enabled: false })
  await expect(off).toBeVisible()
  // A note goes to nobody there.
  await desk.page.getByRole('tab', { name: '备注' }).click()
  await expect(off).toHaveCount(0)
  await desk.page.getByRole('tab', { name: '回复' }).click()
  await expect(off).toBeVisible()
  await admin.call('PATCH', `/inboxes/${id}`, { enabled: true })
  await expect(off).toHaveCount(0)
})

test('a new message rings and is announced by the browser while nobody looks, and is opened from there', async ({ hubUrl, browser }) => {
  const { context, workbench: desk } = await openDesk(browser, hubUrl)
  await context.addInitScript(watchNotices)
  const { page } = desk
  await page.reload()
  await expect(page.getByTestId('line')).toHaveAttribute('data-state', 'live')
  const rung = () => page.evaluate<number>('seen.tones')
  const notices = () => page.evaluate<{ title: string; body: string }[]>('seen.notices.map(({ title, body }) => ({ title, body }))')
  await page.getByTestId('presence').click()
  await page.getByRole('checkbox', { name: '桌面通知' }).check()
  await page.keyboard.press('Escape')

  const { shop } = await openShop(browser, hubUrl)
  // Looked at, though not in this conversation: it rings, and the browser says nothing.
  await shop.say('第一句')
  await expect.poll(rung).toBeGreaterThan(0)
  await desk.pick('第一句')
  await expect(desk.message('第一句')).toBeVisible()
  expect(await notices()).toEqual([])

  await page.evaluate('hide(true)')
  const before = await rung()
  await shop.say('还在吗？')
  await expect.poll(notices).toEqual([{ title: expect.stringMatching(/发来新消息$/), body: '还在吗？' }])
  expect(await rung()).toBeGreaterThan(before)
  await expect(page).toHaveTitle(/^\(1\)/)

  await test.step('silenced, it still says so without a sound', async () => {
    await page.evaluate(
      "localStorage.setItem('huike.sound', 'false'); dispatchEvent(new StorageEvent('storage', { key: 'huike.sound', newValue: 'false', storageArea: localStorage }))",
    )
    const silent = await rung()
    await shop.say('那我等等')
    await expect.poll(async () => (await notices()).length).toBe(2)
    expect(await rung()).toBe(silent)
  })

  await page.evaluate('hide(false)')
  await expect(page).not.toHaveTitle(/^\(/)
  await page.getByRole('link', { name: '已结束' }).click()
  await page.evaluate('seen.notices.at(-1).onclick()')
  await expect(desk.message('那我等等')).toBeVisible()
})

test('a message and the way to it are copied', async ({ hubUrl, browser }) => {
  const { context, workbench } = await openDesk(browser, hubUrl, { permissions: ['clipboard-read', 'clipboard-write'] })
  const desk = new DeskPage(workbench.page)
  const { page } = desk
  const clipboard = () => page.evaluate<string>('navigator.clipboard.readText()')
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('寄到 成都市锦江区 1 号')
  await desk.pick('寄到 成都市')
  const message = desk.message('寄到 成都市')
  await message.hover()
  await message.getByRole('button', { name: '复制文字' }).click()
  await expect(page.getByText('已复制')).toBeVisible()
  expect(await clipboard()).toBe('寄到 成都市锦江区 1 号')

  await page.getByRole('button', { name: '更多操作' }).click()
  await page.getByRole('menuitem', { name: '复制会话链接' }).click()
  await expect.poll(clipboard).toBe(page.url())
  // It leads whoever may see it to the same place.
  const other = await context.newPage()
  await other.goto(await clipboard())
  await expect(new DeskPage(other).message('寄到 成都市')).toBeVisible()

  await page.getByRole('button', { name: '更多操作' }).click()
  await page.getByRole('menuitem', { name: '复制全部聊天记录' }).click()
  await expect.poll(clipboard).toMatch(/^\d{4}\/\d\d\/\d\d .+: 寄到 成都市锦江区 1 号$/)
})

test('what the hub refused is sent again by hand, what did not reach it by itself, each once', async ({ hubUrl, browser }) => {
  const { workbench: desk } = await openDesk(browser, hubUrl)
  const { page } = desk
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('有优惠吗？')
  await desk.pick('有优惠吗？')
  await expect(desk.message('有优惠吗？')).toBeVisible()
  const meet = (post: (route: Route) => Promise<void>) =>
    page.route('**/api/conversations/*/messages', (route) => (route.request().method() === 'POST' ? post(route) : route.fallback()))
  const pending = page.getByTestId('pending')

  await meet((route) => route.fulfill({ status: 429, json: { code: 'HUB_RATE_LIMITED', message: '' } }))
  await desk.reply('满三百减五十')
  await expect(pending).toHaveAttribute('data-state', 'failed')
  await page.unroute('**/api/conversations/*/messages')
  await pending.getByRole('button', { name: '重新发送' }).click()
  await expect(desk.message('满三百减五十')).toHaveAttribute('data-state', /sent|delivered|read/)
  await expect(pending).toHaveCount(0)

  // The live line holds: nothing but time says that the network is back.
  let away = true
  await meet((route) => (away ? route.abort() : route.fallback()))
  await desk.reply('满五百减一百')
  await expect(pending).toHaveAttribute('data-state', 'waiting')
  await expect(pending).toContainText('网络恢复后自动发送')
  away = false
  await expect(desk.message('满五百减一百')).toHaveAttribute('data-state', /sent|delivered|read/)
  await expect(pending).toHaveCount(0)
  for (const said of ['满三百减五十', '满五百减一百']) await expect(shop.message(said)).toHaveCount(1)
})

test('what the other side refused is said with its reason and sent again', async ({ hubUrl, browser }) => {
  const { admin, workbench: desk } = await openDesk(browser, hubUrl)
  const { page } = desk
  /** A shop's app that takes nothing until it is told to. */
  let refusing = true
  const got: string[] = []
  const app = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { type, data } = JSON.parse(body) as { type: string; data: { messageId: string; content: { text?: string }[] } }
    if (type !== 'message.created') return void response.end('{}')
    if (refusing) return void response.writeHead(422).end('{"error":"blocked words"}')
    got.push(data.content[0]?.text ?? '')
    response.end(JSON.stringify({ externalMessageId: data.messageId }))
  })
  await new Promise<void>((done) => app.listen(0, '127.0.0.1', done))
  try {
    const secret = `whsec_${randomBytes(32).toString('base64')}`
    const kept = await admin.call<object>('GET', '/x/app/settings').catch(() => ({}))
    await admin.call('PUT', '/plugins/app/settings', { ...kept, allowPrivateAddresses: true })
    const settings = { endpointUrl: `http://127.0.0.1:${(app.address() as AddressInfo).port}/hub`, secret }
    const { id } = await admin.call<{ id: string }>('POST', '/inboxes', { channel: 'app', name: '会员 App', settings })
    await new HubClient(`${hubUrl}/api/channels/app/${id}`, secret).tell('message.created', {
      externalMessageId: randomUUID(),
      conversation: { externalId: 'chat-1' },
      sender: { externalId: 'member-1', role: 'customer', name: '林小满' },
      content: [{ type: 'text', text: '积分怎么用？' }],
    })
    await desk.pick('积分怎么用？')
    await expect(desk.message('积分怎么用？')).toBeVisible()
    await desk.reply('结账时直接抵扣')
    const sent = desk.message('结账时直接抵扣')
    await expect(sent).toHaveAttribute('data-state', 'failed')
    await expect(sent).toContainText('拒绝')
    refusing = false
    await sent.getByRole('button', { name: '重新发送' }).click()
    await expect(sent).toHaveAttribute('data-state', 'sent')
    expect(got).toEqual(['结账时直接抵扣'])
    await expect(page.getByTestId('pending')).toHaveCount(0)
  } finally {
    app.closeAllConnections()
    app.close()
  }
})

test('on a phone a tap brings a message’s tools, one message’s at a time, and the bubble keeps its width', async ({ hubUrl, browser }) => {
  const { context, workbench } = await openDesk(browser, hubUrl)
  const { shop } = await openShop(browser, hubUrl)
  const long = '麻烦问一下，这款头采的龙井现在还有现货吗？今天下单的话大概几天能到杭州？'
  await shop.say(long)
  await shop.say('谢谢')
  await workbench.pick('谢谢')
  const touch = await browser.newContext({
    locale: 'zh-CN',
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
    storageState: await context.storageState(),
  })
  const phone = new DeskPage(await touch.newPage())
  await phone.page.goto(workbench.page.url())
  const tools = (words: string) => phone.message(words).getByRole('group', { name: '消息操作' })
  const width = async (words: string) => (await tools(words).boundingBox())?.width ?? 0
  const said = () => phone.message(long).getByText(long).boundingBox()
  await expect.poll(() => width(long)).toBe(1)
  const before = await said()
  await phone.message(long).getByText(long).tap()
  await expect.poll(() => width(long)).toBeGreaterThan(100)
  expect((await said())?.width).toBe(before?.width)
  await phone.message('谢谢').getByText('谢谢').tap()
  await expect.poll(() => width('谢谢')).toBeGreaterThan(40)
  expect(await width(long)).toBe(1)
  await phone.message('谢谢').getByText('谢谢').tap()
  await expect.poll(() => width('谢谢')).toBe(1)
  // Keys reach them all the same.
  await tools(long).getByRole('button', { name: '回复' }).focus()
  await expect.poll(() => width(long)).toBeGreaterThan(100)
})
