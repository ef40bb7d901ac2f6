/** The widget on other people's pages: strict ones, old browsers, several tabs, bad lines. */
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import type { Browser, BrowserContext, Page } from '@playwright/test'
import { joinHub, openDesk } from '../flows/open-desk.ts'
import { type AdminPage, ShopPage } from '../pages/pages.ts'
import { expect, test } from '../support/e2e.ts'
import { forgetNewThings, inPage, watchPage } from '../support/in-page.ts'
import { openSite, type Site, snippet } from '../support/site.ts'

const picture = readFileSync(join(import.meta.dirname, '../../core/docs/images/workbench.png'))
const sites: Site[] = []
test.afterEach(async () => {
  for (const site of sites.splice(0)) await site.close()
})

/** A page of somebody else's with the hub's first site on it. */
async function openShopSite(hubUrl: string, admin: AdminPage, headers: Record<string, string> = {}): Promise<{ site: Site; inboxId: string }> {
  const { id } = await admin.website()
  const site = await openSite(snippet(hubUrl, id), headers)
  sites.push(site)
  return { site, inboxId: id }
}
async function openVisitor(browser: Browser, ...scripts: string[]): Promise<{ context: BrowserContext; shop: ShopPage }> {
  const context = await browser.newContext({ locale: 'zh-CN' })
  for (const content of scripts) await context.addInitScript({ content })
  return { context, shop: new ShopPage(await context.newPage()) }
}
const frameOf = (page: Page) => {
  const frame = page.frames().find((one) => one.url().includes('/website/frame/'))
  if (!frame) throw new Error('there is no frame')
  return frame
}
/** What the site's server says of a user. */
function signed(claims: object, key: string): string {
  const text = [{ alg: 'HS256' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
}
const kept = (page: Page) => page.evaluate<Record<string, string>>('({ ...localStorage })')

test('a page that allows a script and a frame and nothing else', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const strict = [
    "default-src 'none'",
    `script-src ${hubUrl}`,
    `frame-src ${hubUrl}`,
    "connect-src 'none'; style-src 'none'; img-src data:; font-src 'none'; media-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'",
    "require-trusted-types-for 'script'; trusted-types 'none'",
  ].join('; ')
  const { site, inboxId } = await openShopSite(hubUrl, admin, { 'content-security-policy': strict, 'cross-origin-embedder-policy': 'require-corp' })
  const { context, shop } = await openVisitor(browser, watchPage)
  await shop.visit(`${site.origin}/`)

  await test.step('nothing is kept before the first word', async () => {
    await shop.openChat()
    expect(await context.cookies()).toEqual([])
    expect(await kept(shop.page)).toEqual({})
    // Browsers that keep frames of other sites from storing anything throw at the question: as good an answer.
    const amount =
      "(() => { try { return localStorage.length + sessionStorage.length + document.cookie.length } catch (e) { return e.name === 'SecurityError' ? 0 : e.name } })()"
    for (const frame of shop.page.frames()) expect(await frame.evaluate(amount)).toBe(0)
  })

  await test.step('a silent visitor is seen with their trail', async () => {
    await shop.page.goto(`${site.origin}/tea`)
    await workbench.page.goto(`${hubUrl}/workbench/visitors`)
    await expect(workbench.page.getByRole('link', { name: '商品详情' })).toBeVisible()
    await workbench.open(hubUrl)
    await shop.openChat()
  })

  await test.step('both talk; what is kept is who the visitor is and what they have seen', async () => {
    await shop.say('这一款有货吗？')
    await workbench.pick('这一款有货吗')
    await workbench.reply('有的')
    await expect(shop.message('有的')).toBeVisible()
    await expect(workbench.message('有的')).toHaveAttribute('data-state', 'read')
    await expect.poll(async () => Object.keys(await kept(shop.page)).sort()).toEqual([`huike.${inboxId}`, `huike.${inboxId}.seen`])
    expect(await context.cookies()).toEqual([])
  })

  await test.step('the visitor comes back to the same thread', async () => {
    await shop.visit(`${site.origin}/`)
    await shop.openChat()
    await expect(shop.message('有的')).toBeVisible()
    await expect(shop.message('这一款有货吗？')).toBeVisible()
  })

  await test.step('the policy forbade nothing and nothing moved', async () => {
    for (const frame of shop.page.frames()) expect(await frame.evaluate('seen.violations')).toEqual([])
    expect(await shop.page.evaluate('seen.shift')).toBe(0)
  })

  await test.step('a site that is not allowed gets no button, and its own requests no answer', async () => {
    const { settings } = await admin.website()
    await admin.call('PATCH', `/inboxes/${inboxId}`, { settings: { ...settings, allowedOrigins: ['https://www.shanye.cn'] } })
    const stranger = await openSite(snippet(hubUrl, inboxId))
    sites.push(stranger)
    const page = await context.newPage()
    const refused = page.waitForEvent('console', (message) => message.text().includes('frame-ancestors') || message.text().includes('Framing'))
    await page.goto(stranger.origin)
    await refused
    await expect(page.getByRole('button')).toHaveCount(0)
    const asked = await page.evaluate(
      `fetch('${hubUrl}/api/x/website/inboxes/${inboxId}/session', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }).then((r) => r.status, (e) => e.name)`,
    )
    expect(asked).toBe('TypeError')
    await admin.call('PATCH', `/inboxes/${inboxId}`, { settings: { ...settings, allowedOrigins: [stranger.origin] } })
    await new ShopPage(page).visit(stranger.origin)
  })
})

test('a browser of 2018, and one that keeps nothing', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { site } = await openShopSite(hubUrl, admin)

  await test.step('without all that came later', async () => {
    const { shop } = await openVisitor(browser, forgetNewThings)
    const faults: string[] = []
    shop.page.on('pageerror', (error) => faults.push(error.message))
    await shop.visit(site.origin)
    await shop.openChat()
    await shop.say('我用的是老手机')
    await workbench.pick('我用的是老手机')
    await workbench.reply('看得到')
    await expect(shop.message('看得到')).toBeVisible()
    await expect(shop.chat.getByRole('button', { name: '语音' })).toHaveCount(0)
    await shop.chat.getByRole('button', { name: '结束会话' }).click()
    await shop.chat.getByRole('button', { name: '结束', exact: true }).click()
    await shop.chat.getByRole('button', { name: '🙂 满意' }).click()
    await expect(shop.chat.getByText('感谢您的评价')).toBeVisible()
    expect(faults).toEqual([])
  })

  const forbid = (where: string) =>
    `if (${where}) for (const name of ['localStorage', 'sessionStorage', 'indexedDB', 'caches'])
       Object.defineProperty(window, name, { get() { throw new DOMException('The operation is insecure.', 'SecurityError') } })`
  await test.step('where frames of other sites may keep nothing, the page keeps', async () => {
    const { shop } = await openVisitor(browser, forbid('window !== top'))
    await shop.visit(site.origin)
    await shop.openChat()
    await shop.say('第三方存储被禁用')
    await workbench.pick('第三方存储被禁用')
    await shop.visit(`${site.origin}/tea`)
    await shop.openChat()
    await expect(shop.message('第三方存储被禁用')).toBeVisible()
    await expect(shop.notice).toBeHidden()
  })

  await test.step('where the page may keep nothing either, the visitor talks and is told', async () => {
    const { shop } = await openVisitor(browser, forbid('true'))
    await shop.visit(site.origin)
    await shop.openChat()
    await shop.say('什么都不能保存')
    await workbench.pick('什么都不能保存')
    await workbench.reply('也能聊')
    await expect(shop.message('也能聊')).toBeVisible()
    await expect(shop.notice).toHaveText('浏览器不允许本站保存数据，离开页面后将看不到这段对话')
    await shop.visit(site.origin)
    await shop.openChat()
    await expect(shop.message('什么都不能保存')).toHaveCount(0)
  })
})

test('two tabs are one visitor: one thread, one badge, one sound', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { site } = await openShopSite(hubUrl, admin)
  const { context, shop: first } = await openVisitor(browser, watchPage)
  await first.visit(site.origin)
  const second = new ShopPage(await context.newPage())
  await second.visit(`${site.origin}/tea`)
  const tabs = [first, second]
  const tones = async () => {
    const counts = tabs.map((tab) => frameOf(tab.page).evaluate<number>('seen.tones'))
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
  }

  // The second one is a stranger with an open window when the first begins to speak.
  await second.openChat()
  await first.openChat()
  await first.say('我开了两个页面')
  await expect(second.message('我开了两个页面')).toBeVisible()
  await second.say('在第二个页面说')
  await expect(first.message('在第二个页面说')).toBeVisible()
  await workbench.pick('在第二个页面说')
  await expect(workbench.message('我开了两个页面')).toBeVisible()

  for (const tab of tabs) await tab.chat.getByRole('button', { name: '收起' }).click()
  await workbench.reply('好的，我都看到了')
  for (const tab of tabs) await expect(tab.page.getByRole('button', { name: '联系客服 (1)' })).toBeVisible()
  await expect.poll(tones).toBe(1)
  await workbench.reply('还有别的吗？')
  for (const tab of tabs) await expect(tab.page.getByRole('button', { name: '联系客服 (2)' })).toBeVisible()

  await test.step('a tab nobody looks at says it in its title', async () => {
    const look = (state: string) =>
      `Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => '${state}' }); document.dispatchEvent(new Event('visibilitychange'))`
    await second.page.evaluate(look('hidden'))
    await expect(second.page).toHaveTitle('(2) 商品详情')
    await first.openChat()
    await expect(second.page).toHaveTitle('商品详情')
    await second.page.evaluate(look('visible'))
  })
  for (const tab of tabs) await expect(tab.page.getByRole('button', { name: '联系客服', exact: true })).toBeVisible()
  expect(await tones()).toBeLessThanOrEqual(2)

  await test.step('an answer that came while no page was open is there with the next', async () => {
    await first.page.close()
    await second.page.goto('about:blank')
    await workbench.reply('那我先结束了')
    await second.visit(site.origin)
    await expect(second.page.getByRole('button', { name: '联系客服 (1)' })).toBeVisible()
    await second.visit(`${site.origin}/tea`)
    await second.page.getByRole('button', { name: '联系客服 (1)' }).click()
    await expect(second.message('那我先结束了')).toBeVisible()
    await second.visit(site.origin)
    await expect(second.chat.getByTestId('visitor-message').first()).toBeAttached()
    await expect(second.page.getByRole('button', { name: '联系客服', exact: true })).toBeVisible()
  })

  await test.step('the first answer of all is no exception', async () => {
    const { shop } = await openVisitor(browser)
    // The plugin is just being switched on.
    await shop.page.route('**/session', (route) => route.fulfill({ status: 404, json: { code: 'HUB_NOT_FOUND' } }), { times: 1 })
    await shop.visit(site.origin)
    await shop.openChat()
    await shop.say('头一回来')
    await expect(shop.message('头一回来')).toBeVisible()
    await shop.page.goto('about:blank')
    await workbench.pick('头一回来')
    await workbench.reply('欢迎')
    await expect(workbench.message('欢迎')).toBeVisible()
    await shop.visit(site.origin)
    await expect(shop.page.getByRole('button', { name: '联系客服 (1)' })).toBeVisible()
  })
})

test('a user whose token has ended goes on with the JWT of the page, and without a good one as a stranger', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { site, inboxId } = await openShopSite(hubUrl, admin)
  const setKey = (identitySecret: string) => admin.call('PATCH', `/inboxes/${inboxId}`, { settings: { identitySecret } })
  const key = 'a-key-between-the-shop-and-the-hub'
  await setKey(key)
  const jwt = signed({ sub: '42', name: '林一', exp: Math.floor(Date.now() / 1_000) + 3_600 }, key)
  const { context, shop } = await openVisitor(browser)
  let sessions = 0
  context.on('request', (request) => {
    if (request.url().endsWith('/session')) sessions++
  })
  const enter = async (tab: ShopPage, path: string) => {
    await tab.visit(site.origin + path)
    await tab.page.evaluate(`Huike.identify('${jwt}')`)
    await tab.openChat()
  }
  await enter(shop, '/')
  await shop.say('我的订单到哪了？')
  await workbench.pick('我的订单到哪了')
  await expect(shop.message('我的订单到哪了')).toHaveCount(1)
  const second = new ShopPage(await context.newPage())
  await enter(second, '/tea')
  await expect(second.message('我的订单到哪了')).toHaveCount(1)

  await test.step('the token ends in the middle of a sentence', async () => {
    await context.route('**/api/x/website/messages', (route) => route.fulfill({ status: 401, json: { code: 'HUB_AUTH_REQUIRED' } }), { times: 1 })
    await shop.say('单号尾数是 0042')
    await expect(workbench.message('单号尾数是 0042')).toHaveCount(1)
    await expect(shop.message('我的订单到哪了')).toHaveCount(1)
    await expect(shop.message('单号尾数是 0042')).toHaveCount(1)
    await expect(shop.waiting).toHaveCount(0)
    await workbench.reply('今天送到')
    for (const tab of [shop, second]) await expect(tab.message('今天送到')).toHaveCount(1)
    // Two tabs, and once more for the new token: they do not wake each other with theirs.
    expect(sessions).toBeLessThanOrEqual(4)
  })

  await test.step('what was read last has been purged', async () => {
    await context.route('**/thread?cursor=*', (route) => route.fulfill({ status: 400, json: { code: 'HUB_REQUEST_INVALID' } }), { times: 1 })
    await workbench.reply('请留意签收')
    for (const tab of [shop, second]) {
      await expect(tab.message('请留意签收')).toHaveCount(1)
      await expect(tab.message('今天送到')).toHaveCount(1)
    }
  })

  await test.step('a fresh word about the same user takes nothing away from them', async () => {
    const frame = frameOf(second.page)
    await second.input.fill('写到一半')
    const entered = second.page.waitForResponse((response) => response.url().endsWith('/session'))
    await second.page.evaluate(`Huike.identify('${signed({ sub: '42', name: '林一', exp: Math.floor(Date.now() / 1_000) + 7_200 }, key)}')`)
    await entered
    await expect(second.input).toHaveValue('写到一半')
    await expect(second.message('今天送到')).toHaveCount(1)
    expect(frame.isDetached()).toBe(false)
  })

  await test.step('a page that says nothing of its user is a stranger’s; what they say is the user’s with the next page that does, and then they are somebody new', async () => {
    const third = new ShopPage(await context.newPage())
    await third.visit(site.origin)
    await third.openChat()
    await expect(third.message('今天送到')).toHaveCount(0)
    await third.say('没登录时问的')
    await expect(third.message('没登录时问的')).toHaveCount(1)
    const token = async () => (await kept(second.page))[`huike.${inboxId}`]
    const theirs = await token()
    await enter(second, '/tea')
    await expect.poll(token).not.toBe(theirs)
    for (const text of ['没登录时问的', '今天送到']) await expect(second.message(text)).toHaveCount(1)
    await third.say('还在吗？')
    await expect(third.message('还在吗？')).toHaveCount(1)
    await expect(third.waiting).toHaveCount(0)
    await expect(third.message('今天送到')).toHaveCount(0)
    await third.page.close()
  })

  await test.step('the site has another key: what is said next is a stranger’s, and nothing of the user is shown', async () => {
    await second.page.close()
    await setKey('another-key-that-is-as-long-as-that')
    await shop.say('换了密钥以后说的')
    await expect(shop.message('换了密钥以后说的')).toHaveCount(1)
    await expect(shop.waiting).toHaveCount(0)
    await expect(shop.message('今天送到')).toHaveCount(0)
    await expect(workbench.message('换了密钥以后说的')).toHaveCount(0)
    await workbench.pick('换了密钥以后说的')
    await expect(workbench.message('换了密钥以后说的')).toHaveCount(1)
    await expect(workbench.message('我的订单到哪了')).toHaveCount(0)
  })
})

test('who logs in on the site goes on with the same talk, and its agent is told who it is', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { id } = await admin.website()
  const key = 'a-key-between-the-shop-and-the-hub'
  await admin.call('PATCH', `/inboxes/${id}`, { settings: { identitySecret: key } })
  const identity = signed({ sub: '42', name: '王芳' }, key)
  const site = await openSite((path) => snippet(hubUrl, id, path === '/account' ? ` data-identity="${identity}"` : ''))
  sites.push(site)
  const { shop } = await openVisitor(browser)
  await shop.visit(`${site.origin}/`)
  await shop.openChat()
  await shop.say('这双鞋有42码吗')
  await workbench.pick('这双鞋有42码吗')
  await workbench.reply('有的，请先登录下单')
  await expect(shop.message('有的，请先登录下单')).toBeVisible()
  await expect(workbench.message('有的，请先登录下单')).toHaveAttribute('data-state', 'read')

  await test.step('the page after the login shows the talk, and the answer that came meanwhile', async () => {
    await shop.page.goto('about:blank')
    await workbench.reply('今天下单送袜子')
    await shop.visit(`${site.origin}/account`)
    await expect(shop.page.getByRole('button', { name: '联系客服 (1)' })).toBeVisible()
    await shop.openChat()
    for (const text of ['这双鞋有42码吗', '有的，请先登录下单', '今天下单送袜子']) await expect(shop.message(text)).toHaveCount(1)
    await expect(workbench.message('今天下单送袜子')).toHaveAttribute('data-state', 'read')
  })

  await test.step('the agent reads it in the same conversation, without loading anything anew', async () => {
    await expect(workbench.page.getByText('访客登录了账号：王芳 (42)')).toHaveCount(1)
    await expect(workbench.list.getByRole('link')).toHaveCount(1)
    await expect(workbench.list.getByRole('link')).toContainText('王芳')
    await shop.say('我登录了')
    await expect(workbench.message('我登录了')).toHaveCount(1)
    await workbench.reply('看到了')
    await expect(shop.message('看到了')).toBeVisible()
  })

  await test.step('a page that does not say who it is shows nothing of it, and the next that does shows all', async () => {
    await shop.visit(`${site.origin}/`)
    await shop.openChat()
    await expect(shop.chat.getByText('您好')).toBeVisible()
    await expect(shop.chat.getByTestId('visitor-message')).toHaveCount(0)
    await shop.visit(`${site.origin}/account`)
    await shop.openChat()
    await expect(shop.chat.getByTestId('visitor-message')).toHaveCount(5)
    await expect(workbench.list.getByRole('link')).toHaveCount(1)
  })
})

test('an identity that ends on an open page: the page is asked for a fresh one, and the talk goes on', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { site, inboxId } = await openShopSite(hubUrl, admin)
  const setKey = (identitySecret: string) => admin.call('PATCH', `/inboxes/${inboxId}`, { settings: { identitySecret } })
  let key = 'a-key-between-the-shop-and-the-hub'
  const now = () => Math.floor(Date.now() / 1_000)
  const fresh = () => signed({ sub: '42', name: '林一', exp: now() + 3_600 }, key)
  await setKey(key)
  // The site's own server, by a way that needs no permission of the page.
  let asked = 0
  let answer: () => Promise<string> = async () => fresh()
  const { context, shop } = await openVisitor(browser, 'window.Huike = { onIdentityExpired: () => freshIdentity() }')
  await context.exposeFunction('freshIdentity', () => {
    asked++
    return answer()
  })
  await shop.visit(site.origin)
  // Clocks may differ by a minute: this one ends in a few seconds.
  await shop.page.evaluate(`Huike.identify('${signed({ sub: '42', name: '林一', exp: now() - 54 }, key)}')`)
  await shop.openChat()
  await shop.say('我的订单到哪了？')
  await workbench.pick('我的订单到哪了')

  await test.step('the JWT has ended: asked once, before anything is said as a stranger', async () => {
    await expect.poll(() => asked, { timeout: 20_000 }).toBe(1)
    await shop.say('单号尾数是 0042')
    await expect(workbench.message('单号尾数是 0042')).toHaveCount(1)
    await workbench.reply('今天送到')
    await expect(shop.message('今天送到')).toHaveCount(1)
    await expect(shop.message('我的订单到哪了')).toHaveCount(1)
    expect(asked).toBe(1)
  })

  await test.step('another key, and a callback given later: what is written while it is waited for is the user’s', async () => {
    const late = Promise.withResolvers<void>()
    answer = async () => {
      await late.promise
      return fresh()
    }
    await shop.page.evaluate('Huike.onIdentityExpired(() => freshIdentity())')
    key = 'another-key-that-is-as-long-as-that'
    await setKey(key)
    await shop.say('换了密钥以后说的')
    await expect.poll(() => asked).toBe(2)
    await expect(shop.waiting).toHaveCount(1)
    late.resolve()
    await expect(workbench.message('换了密钥以后说的')).toHaveCount(1)
    await expect(shop.waiting).toHaveCount(0)
    await expect(shop.message('我的订单到哪了')).toHaveCount(1)
  })

  await test.step('logged out meanwhile: the late answer is nobody’s', async () => {
    const late = Promise.withResolvers<void>()
    answer = async () => {
      await late.promise
      return fresh()
    }
    key = 'a-third-key-that-is-as-long-as-those'
    await setKey(key)
    await shop.say('退出前写的')
    await expect.poll(() => asked).toBe(3)
    await shop.page.evaluate('Huike.logout()')
    late.resolve()
    await shop.openChat()
    await expect(shop.message('我的订单到哪了')).toHaveCount(0)
    await shop.say('退出后写的')
    await expect(shop.message('退出后写的')).toHaveCount(1)
    await expect(shop.waiting).toHaveCount(0)
    await workbench.pick('退出后写的')
    await expect(workbench.message('我的订单到哪了')).toHaveCount(0)
    await expect(workbench.message('退出前写的')).toHaveCount(0)
  })

  await test.step('a page that has nothing, or whose callback fails: a stranger, at once', async () => {
    for (const [word, failing] of [
      ['空手的', async () => ''],
      ['出错的', () => Promise.reject(new Error('made up: the site is down'))],
    ] as const) {
      answer = failing
      await shop.page.evaluate(`Huike.identify('${signed({ sub: '42' }, 'a-key-that-nobody-here-has-ever-had')}')`)
      await shop.say(`${word}也能说话`)
      await expect(shop.message(`${word}也能说话`)).toHaveCount(1)
      await expect(shop.waiting).toHaveCount(0)
    }
    expect(asked).toBe(5)
  })
})

// On the served profile the fault run does this, and worse.
test('bad lines: every word arrives once', async ({ hub, browser }) => {
  const { admin, workbench } = await openDesk(browser, hub.url)
  const { site, inboxId } = await openShopSite(hub.url, admin)
  const { context, shop } = await openVisitor(browser)
  await shop.visit(site.origin)
  await shop.openChat()

  await test.step('the answer gets lost and the page is closed: the next page sends it again, and it is one', async () => {
    const taken: unknown[] = []
    await context.route('**/api/x/website/messages', async (route) => {
      const answer = await route.fetch()
      if (answer.status() === 201) taken.push(await answer.json())
      await route.abort()
    })
    // What the hub has says so to the window, too: that way is closed as well.
    await context.route('**/api/x/website/thread*', (route) => route.abort())
    await shop.say('回执丢了的一句')
    await expect.poll(() => taken.length, { timeout: 15_000 }).toBeGreaterThan(1)
    expect(taken[0]).toMatchObject({ duplicate: false })
    expect(taken[1]).toMatchObject({ duplicate: true })
    await workbench.pick('回执丢了的一句')
    expect(await kept(shop.page)).toHaveProperty([`huike.${inboxId}.out`])
    await shop.page.goto('about:blank')
    await context.unrouteAll({ behavior: 'wait' })
    await shop.visit(site.origin)
    await shop.openChat()
    await expect(shop.message('回执丢了的一句')).toHaveCount(1)
    await expect(workbench.message('回执丢了的一句')).toHaveCount(1)
    await expect.poll(async () => Object.keys(await kept(shop.page))).not.toContain(`huike.${inboxId}.out`)
  })

  await test.step('written without a line and the page closed: it goes out by itself from the next page', async () => {
    await context.setOffline(true)
    await shop.say('断网时写的')
    await expect(shop.waiting).toContainText('网络已断开，恢复后会自动发送')
    await expect(shop.notice).toHaveText('网络已断开，正在重新连接…')
    await shop.give('paste', { name: '收据.png', type: 'image/png', bytes: picture })
    await expect(shop.waiting).toHaveCount(2)
    await shop.page.close()
    await context.setOffline(false)
    const next = new ShopPage(await context.newPage())
    await next.visit(`${site.origin}/tea`)
    await expect(workbench.message('断网时写的')).toHaveCount(1)
    await next.openChat()
    await expect(next.message('断网时写的')).toHaveCount(1)
    await expect(next.waiting).toHaveCount(0)
  })

  await test.step('the hub is gone for a while: both go on where they were', async () => {
    const next = new ShopPage(context.pages().at(-1) as Page)
    await hub.stop()
    await next.say('服务器重启时说的')
    await expect(next.waiting).toContainText('发送中')
    await hub.start()
    await expect(next.message('服务器重启时说的')).toHaveCount(1, { timeout: 20_000 })
    await expect(workbench.message('服务器重启时说的')).toHaveCount(1, { timeout: 20_000 })
    await workbench.reply('我回来了')
    await expect(next.message('我回来了')).toHaveCount(1, { timeout: 20_000 })
    await expect(next.chat.getByTestId('visitor-message')).toHaveCount(4)
  })
})

test('pictures, photos, voice, and what cannot be sent; by mouse, finger, keyboard and screen reader', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { site } = await openShopSite(hubUrl, admin)
  const context = await browser.newContext({ locale: 'zh-CN', viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme: 'dark' })
  const shop = new ShopPage(await context.newPage())
  await shop.visit(site.origin)
  await shop.openChat()
  const box = await shop.page.locator('iframe').boundingBox()
  expect(box).toEqual({ x: 0, y: 0, width: 390, height: 844 })

  await shop.give('paste', { name: '截图.png', type: 'image/png', bytes: picture })
  await workbench.pick('[图片]')
  await expect(workbench.page.getByTestId('message').locator('img')).toHaveCount(1)
  await shop.give('drop', { name: '照片.png', type: 'image/png', bytes: picture })
  await expect(workbench.page.getByTestId('message').locator('img')).toHaveCount(2)
  const camera = shop.chat.getByTestId('visitor-camera')
  await expect(camera).toHaveAttribute('capture', 'environment')
  await expect(camera).toHaveAttribute('accept', 'image/*')
  const chooser = shop.page.waitForEvent('filechooser')
  await shop.chat.getByRole('button', { name: '拍照' }).tap()
  await (await chooser).setFiles({ name: 'IMG_0001.png', mimeType: 'image/png', buffer: picture })
  await expect(workbench.page.getByTestId('message').locator('img')).toHaveCount(3)

  await shop.chat.getByRole('button', { name: '语音' }).tap()
  await expect(shop.notice).toHaveText('正在录音，再次点击话筒发送')
  await shop.page.waitForFunction('new Promise((done) => setTimeout(done, 600, true))')
  await shop.chat.getByRole('button', { name: '结束录音并发送' }).tap()
  await expect(shop.chat.getByLabel('语音消息')).toBeVisible()
  await expect(workbench.page.getByTestId('message').locator('audio')).toHaveCount(1)

  await shop.chat.getByTestId('visitor-files').setInputFiles({ name: 'big.zip', mimeType: 'application/zip', buffer: Buffer.alloc(20 * 1024 * 1024 + 1) })
  await expect(shop.notice).toHaveText('文件不能超过 20 MB')
  await shop.say('🙂 表情 👍')
  await expect(workbench.message('🙂 表情 👍')).toBeVisible()

  await test.step('a picture is looked at and closed by keyboard; the emoji and the end of the chat too', async () => {
    const thumbnail = shop.chat.getByRole('button', { name: '图片 照片.png' })
    await thumbnail.focus()
    await thumbnail.press('Enter')
    const viewer = shop.chat.getByRole('dialog')
    await expect(viewer.getByRole('button', { name: '关闭' })).toBeFocused()
    await viewer.press('Tab')
    await expect(viewer.getByRole('link', { name: '查看原图' })).toBeFocused()
    await viewer.press('Escape')
    await expect(viewer).toHaveCount(0)
    await expect(thumbnail).toBeFocused()
    await shop.chat.getByRole('button', { name: '表情' }).press('Enter')
    await shop.chat.getByRole('button', { name: '😀' }).press('Enter')
    await expect(shop.input).toBeFocused()
    await expect(shop.input).toHaveValue('😀')
    await shop.chat.getByRole('button', { name: '结束会话' }).press('Enter')
    await expect(shop.chat.getByRole('button', { name: '继续咨询' })).toBeFocused()
    await shop.chat.getByRole('button', { name: '继续咨询' }).press('Escape')
    await expect(shop.input).toBeFocused()
    await shop.input.press('Escape')
    await expect(shop.page.getByRole('button', { name: '联系客服' })).toBeFocused()
    await shop.openChat()
  })

  await test.step('axe finds nothing in either look', async () => {
    for (const colorScheme of ['dark', 'light'] as const) {
      await shop.page.emulateMedia({ colorScheme })
      const { violations } = await new AxeBuilder({ page: shop.page }).include('iframe').analyze()
      expect(violations.map(({ id, nodes }) => `${colorScheme}: ${id} ${nodes.map((node) => node.target.join(' ')).join(', ')}`)).toEqual([])
    }
  })
})

test('what an answer refers to stands above it, as text, and goes when it is taken back', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { site } = await openShopSite(hubUrl, admin)
  const { shop } = await openVisitor(browser)
  await shop.visit(site.origin)
  await shop.openChat()
  const written = '<b onclick="alert(1)">这款</b>有几种规格？'
  await shop.say(written)
  await shop.say('还有，包邮吗？')
  await workbench.pick('包邮吗')
  const answer = async (to: string, text: string) => {
    await workbench.message(to).last().hover()
    await workbench.message(to).last().getByRole('button', { name: '回复', exact: true }).click()
    await workbench.reply(text)
    await expect(shop.message(text).last()).toBeVisible()
  }
  await answer('有几种规格', '三种：一饼、三饼、七饼')
  const quote = (text: string) => shop.message(text).locator('.quote')
  await expect(quote('三种：一饼')).toHaveText(`回复：${written}`)
  await expect(quote('三种：一饼').locator('*')).toHaveCount(0)
  await expect(shop.chat.locator('.quote')).toHaveCount(1)
  await answer('三种：一饼', '都是今年的春茶')
  await expect(quote('都是今年的春茶')).toHaveText('回复：三种：一饼、三饼、七饼')
  for (const colorScheme of ['light', 'dark'] as const) {
    await shop.page.emulateMedia({ colorScheme })
    const { violations } = await new AxeBuilder({ page: shop.page }).include('iframe').analyze()
    expect(violations.map(({ id }) => id)).toEqual([])
  }

  const first = workbench.message('三种：一饼').first()
  await first.hover()
  await first.getByRole('button', { name: '撤回' }).click()
  await expect(shop.chat.getByText('对方撤回了一条消息')).toBeVisible()
  await expect(quote('都是今年的春茶')).toHaveCount(0)
})

test('nobody is there for who comes back: they leave a message, and are told so for as long as it waits', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { site, inboxId } = await openShopSite(hubUrl, admin)
  const offlineText = '客服暂时不在线，请留言并留下联系方式'
  const { shop } = await openVisitor(browser)
  const status = shop.chat.locator('.status')
  /** The hub keeps its answer for a second. */
  const be = async (presence: 'online' | 'offline') => {
    await admin.call('PUT', '/me/presence', { presence })
    const asked = async () => ((await (await fetch(`${hubUrl}/api/x/website/inboxes/${inboxId}/attended`)).json()) as { attended: boolean }).attended
    await expect.poll(asked).toBe(presence === 'online')
  }
  const comeBack = async () => {
    await shop.visit(site.origin)
    await shop.openChat()
  }
  await comeBack()
  await shop.say('茶饼怎么保存？')
  await workbench.pick('茶饼怎么保存')
  await workbench.reply('阴凉干燥就好')
  await expect(shop.message('阴凉干燥就好')).toBeVisible()
  await expect(shop.chat.getByText(offlineText)).toHaveCount(0)
  await shop.chat.getByRole('button', { name: '结束会话' }).click()
  await shop.chat.getByRole('button', { name: '结束', exact: true }).click()
  await expect(status).toHaveText('在线')
  await be('offline')

  await test.step('the conversation has ended: the form, below what was said', async () => {
    await comeBack()
    await expect(shop.message('阴凉干燥就好')).toBeVisible()
    await expect(status).toHaveText('暂不在线')
    await expect(shop.chat.getByText(offlineText)).toBeInViewport()
    await shop.chat.getByLabel('手机号或邮箱').fill('13800138000')
    await shop.input.fill('还想再要两饼')
    await shop.chat.getByRole('button', { name: '提交留言' }).click()
    await expect(shop.message('还想再要两饼')).toBeVisible()
  })

  await test.step('what was left is said to be here, now and after the page is loaded anew', async () => {
    for (const again of [false, true]) {
      if (again) await comeBack()
      await expect(status).toHaveText('暂不在线，会尽快回复您')
      await expect(shop.chat.getByText('留言已收到，我们会尽快联系您')).toBeVisible()
      await expect(shop.chat.getByRole('button', { name: '提交留言' })).toBeHidden()
      await expect(shop.chat.getByText(offlineText)).toHaveCount(0)
    }
    const { violations } = await new AxeBuilder({ page: shop.page }).include('iframe').analyze()
    expect(violations.map(({ id }) => id)).toEqual([])
  })

  await test.step('somebody comes, and it is a conversation', async () => {
    await be('online')
    await workbench.open(hubUrl)
    await workbench.pick('还想再要两饼')
    await workbench.reply('给您留着')
    await expect(shop.message('给您留着')).toBeVisible()
    await expect(shop.chat.getByText('留言已收到，我们会尽快联系您')).toHaveCount(0)
    await expect(status).not.toHaveText('暂不在线，会尽快回复您')
  })
})

test('nobody is there: a message is left, and a script that fills in everything is told to stop', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { site } = await openShopSite(hubUrl, admin)
  await admin.call('PUT', '/me/presence', { presence: 'offline' })
  const { shop } = await openVisitor(browser)
  await shop.visit(site.origin)
  await shop.openChat()
  await expect(shop.chat.getByText('客服暂时不在线，请留言并留下联系方式')).toBeVisible()
  const { violations } = await new AxeBuilder({ page: shop.page }).include('iframe').analyze()
  expect(violations.map(({ id }) => id)).toEqual([])

  await test.step('what nobody sees is filled in: a kind sentence, and once more as a person it goes out', async () => {
    const trap = shop.chat.locator('[name=subject]')
    await expect(trap).toHaveAttribute('tabindex', '-1')
    expect(await trap.evaluate(inPage('return element.getBoundingClientRect().right'))).toBeLessThan(0)
    await trap.evaluate(inPage("element.value = 'cheap'; element.dispatchEvent(new Event('input'))"))
    await shop.chat.getByLabel('您的称呼').fill('陈晓')
    await shop.chat.getByLabel('手机号或邮箱').fill('13800138000')
    await shop.input.fill('请明天上午给我回电')
    await shop.chat.getByRole('button', { name: '提交留言' }).click()
    await expect(shop.chat.getByRole('alert')).toContainText('这条消息没有通过检查，请稍后再试一次')
    await shop.chat.getByRole('button', { name: '重试' }).click()
    await expect(shop.message('请明天上午给我回电')).toBeVisible()
    await expect(shop.chat.getByText('留言已收到，我们会尽快联系您')).toBeVisible()
  })

  await test.step('the agent finds it with the name and the number', async () => {
    await admin.call('PUT', '/me/presence', { presence: 'online' })
    await workbench.open(hubUrl)
    await workbench.pick('请明天上午给我回电')
    await expect(workbench.page.getByText('陈晓').first()).toBeVisible()
    await expect(workbench.page.getByRole('textbox', { name: '电话' })).toHaveValue('13800138000')
  })

  await test.step('too much at once is said in a sentence, and goes on by itself', async () => {
    await shop.page.route('**/api/x/website/messages', (route) =>
      route.fulfill({ status: 429, json: { code: 'HUB_RATE_LIMITED', message: 'Too many', requestId: 'x' } }),
    )
    await shop.say('还有一句')
    await expect(shop.notice).toHaveText('消息有点多，稍等片刻会自动继续发送', { timeout: 15_000 })
    await shop.page.unroute('**/api/x/website/messages')
    await expect(shop.message('还有一句')).toBeVisible({ timeout: 15_000 })
    await expect(shop.notice).toBeHidden()
  })

  await test.step('who is blocked is told so, and has nothing to write in', async () => {
    const { items } = await admin.call<{ items: { contact: { id: string }; identityId: string }[] }>('GET', '/conversations?group=open&limit=10')
    const [{ contact, identityId } = { contact: { id: '' }, identityId: '' }] = items
    await admin.call('POST', `/contacts/${contact.id}/block`, { identityId })
    // Every process asks for the list of the blocked once a second.
    await expect(async () => {
      await shop.visit(site.origin)
      await shop.button.click()
      await expect(shop.notice).toHaveText('暂时无法使用在线客服', { timeout: 3_000 })
    }).toPass()
    await expect(shop.input).toBeHidden()
  })
})

test('who has the conversation has gone home: it says so, and an address is left', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { site, inboxId } = await openShopSite(hubUrl, admin)
  const { shop } = await openVisitor(browser)
  const status = shop.chat.locator('.status')
  const away = shop.chat.getByText('客服暂时不在线，请留言并留下联系方式')
  const waits = shop.chat.getByText('留言已收到，我们会尽快联系您')
  const submit = shop.chat.getByRole('button', { name: '提交留言' })
  const be = (presence: string) => admin.call('PUT', '/me/presence', { presence })
  /** The hub keeps its answer for a second. */
  const attended = (there: boolean) =>
    expect.poll(async () => ((await (await fetch(`${hubUrl}/api/x/website/inboxes/${inboxId}/attended`)).json()) as { attended: boolean }).attended).toBe(there)
  const comeBack = async () => {
    await shop.visit(site.origin)
    await shop.openChat()
  }
  await comeBack()
  await shop.say('下午好')
  await workbench.pick('下午好')
  await workbench.reply('您好，请讲')
  await expect(status).toHaveText('周敏')

  await test.step('busy is there; whoever comes back to somebody who has gone finds the form, and no claim that they wait', async () => {
    await be('busy')
    await comeBack()
    await expect(status).toHaveText('周敏')
    await expect(submit).toBeHidden()
    await be('offline')
    await attended(false)
    await comeBack()
    await expect(status).toHaveText('暂不在线')
    await expect(status).toHaveAttribute('data-on', 'false')
    await expect(away).toBeInViewport()
    await expect(waits).toHaveCount(0)
    await shop.input.fill('有人吗？我要退货')
    await submit.click()
    await expect(shop.message('有人吗')).toBeVisible()
    await expect(status).toHaveText('暂不在线，会尽快回复您')
    await expect(waits).toBeVisible()
    await expect(submit).toBeHidden()
  })

  await test.step('what waits without an address can be given one later, once', async () => {
    await comeBack()
    await expect(waits).toBeVisible()
    await expect(away).toBeInViewport()
    const { violations } = await new AxeBuilder({ page: shop.page }).include('iframe').analyze()
    expect(violations.map(({ id }) => id)).toEqual([])
    await shop.chat.getByLabel('手机号或邮箱').fill('13800138000')
    await shop.input.fill('打这个电话也行')
    await submit.click()
    await expect(shop.message('打这个电话也行')).toBeVisible()
    for (const again of [false, true]) {
      if (again) await comeBack()
      await expect(waits).toBeVisible()
      await expect(submit).toBeHidden()
      await expect(away).toHaveCount(0)
    }
    await workbench.open(hubUrl)
    await workbench.pick('打这个电话也行')
    await expect(workbench.page.getByRole('textbox', { name: '电话' })).toHaveValue('13800138000')
  })
})

test('who has the conversation is away and a colleague is there, then nobody, while the window is open', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { site } = await openShopSite(hubUrl, admin)
  const { shop } = await openVisitor(browser)
  const status = shop.chat.locator('.status')
  const be = (presence: string) => admin.call('PUT', '/me/presence', { presence })
  /** What the window does once a minute. */
  const looks = (text: string) =>
    expect(async () => {
      await frameOf(shop.page).evaluate("document.dispatchEvent(new Event('visibilitychange'))")
      await expect(status).toHaveText(text, { timeout: 1_000 })
    }).toPass()
  await shop.visit(site.origin)
  await shop.openChat()
  await shop.say('下午好')
  await workbench.pick('下午好')
  await workbench.reply('您好，请讲')
  await expect(status).toHaveText('周敏')
  await joinHub(browser, admin, hubUrl, '小林', 'agent')
  const colleague = (await admin.call<{ items: { id: string; name: string }[] }>('GET', '/agents')).items.find(({ name }) => name === '小林')

  await be('away')
  await looks('周敏 暂不在线，其他客服在线')
  await expect(shop.chat.getByRole('button', { name: '提交留言' })).toBeHidden()
  await expect(shop.chat.getByText('客服暂时不在线')).toHaveCount(0)
  await admin.call('PATCH', `/agents/${colleague?.id}`, { active: false })
  await looks('暂不在线')
  await expect(shop.chat.getByText('客服暂时不在线')).toBeInViewport()
  await be('online')
  await looks('周敏')
  await expect(shop.chat.getByRole('button', { name: '提交留言' })).toBeHidden()
})

test('the message form keeps what it asked for: of who is signed in, and of who still writes when somebody comes', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { site, inboxId } = await openShopSite(hubUrl, admin)
  const key = 'a-key-between-the-shop-and-the-hub'
  await admin.call('PATCH', `/inboxes/${inboxId}`, { settings: { identitySecret: key } })
  await admin.call('PUT', '/me/presence', { presence: 'offline' })
  const { context, shop } = await openVisitor(browser)
  const fill = async (tab: ShopPage, name: string, address: string) => {
    await tab.chat.getByLabel('您的称呼').fill(name)
    await tab.chat.getByLabel('手机号或邮箱').fill(address)
  }
  const submit = (tab: ShopPage) => tab.chat.getByRole('button', { name: '提交留言' })

  await test.step('a signed visitor’s number is there, and the name that the site signed too', async () => {
    await shop.visit(site.origin)
    await shop.page.evaluate(`Huike.identify('${signed({ sub: '42', name: '林一', exp: Math.floor(Date.now() / 1_000) + 3_600 }, key)}')`)
    await shop.openChat()
    await fill(shop, '林先生', '13800138000')
    await shop.input.fill('请回电')
    await submit(shop).click()
    await expect(shop.message('请回电')).toBeVisible()
  })

  const second = new ShopPage(await (await browser.newContext({ locale: 'zh-CN' })).newPage())
  await test.step('somebody comes while the form is being filled in: it stays, and what stands in it goes out', async () => {
    await second.visit(site.origin)
    await second.openChat()
    await fill(second, '陈晓', '微信 wangwei_shop_2026_beijing 或电话（晚上八点以后）13812345678，请提前发短信')
    await admin.call('PUT', '/me/presence', { presence: 'online' })
    const status = second.chat.locator('.status')
    await expect(async () => {
      await frameOf(second.page).evaluate("document.dispatchEvent(new Event('visibilitychange'))")
      await expect(status).toHaveText('在线', { timeout: 1_000 })
    }).toPass()
    await expect(submit(second)).toBeVisible()
    await expect(second.chat.getByText('客服暂时不在线')).toHaveCount(0)
    await second.input.fill('想订二十饼')
    await submit(second).click()
    await expect(second.message('想订二十饼')).toContainText('13812345678，请提前发短信')
    await expect(submit(second)).toBeHidden()
    await second.say('谢谢')
    await expect(second.message('谢谢')).toBeVisible()
  })

  await test.step('the agent finds both', async () => {
    await workbench.open(hubUrl)
    const identities = workbench.page.getByTestId('identities')
    await workbench.pick('谢谢')
    await expect(workbench.page.getByRole('textbox', { name: '电话' })).toHaveValue('13812345678')
    await expect(workbench.message('wangwei_shop_2026_beijing')).toContainText('13812345678，请提前发短信')
    await expect(identities).not.toContainText('未核实')
    await workbench.pick('请回电')
    await expect(workbench.page.getByRole('textbox', { name: '电话' })).toHaveValue('13800138000')
    await expect(workbench.page.getByRole('textbox', { name: '姓名' })).toHaveValue('林一')
    await expect(identities).toContainText('自填姓名（未核实）林先生')
    await expect(identities).toContainText('自填电话（未核实）13800138000')
  })

  await test.step('who is blocked is asked for no rating, which would be refused', async () => {
    const face = second.chat.getByRole('button', { name: '🙂 满意' })
    const { items } = await admin.call<{ items: { contact: { id: string }; identityId: string }[] }>('GET', '/conversations?group=open&limit=10')
    await second.chat.getByRole('button', { name: '结束会话' }).click()
    await second.chat.getByRole('button', { name: '结束', exact: true }).click()
    await expect(face).toBeVisible()
    for (const { contact, identityId } of items) await admin.call('POST', `/contacts/${contact.id}/block`, { identityId })
    // Every process asks for the list of the blocked once a second.
    const refused = async () =>
      (await fetch(`${hubUrl}/api/x/website/inboxes/${inboxId}/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }))
        .status
    await expect.poll(refused).toBe(403)
    await face.click()
    await expect(second.notice).toHaveText('暂时无法使用在线客服')
    await expect(face).toHaveCount(0)
  })
  await context.close()
})

test('a page that puts another body in place keeps its chat', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { site, inboxId } = await openShopSite(hubUrl, admin)
  const { shop } = await openVisitor(browser)
  await shop.visit(site.origin)
  await shop.openChat()
  await shop.say('这一款有货吗？')
  await workbench.pick('这一款有货吗')
  await workbench.reply('有的')
  await expect(shop.message('有的')).toBeVisible()
  const frames = shop.page.locator('iframe')
  const buttons = shop.page.locator('#huike-widget')
  /** As Turbo Drive, pjax and htmx do: the address first, then the body; scripts of the new body run. */
  const goOn = (path: string, body: string) =>
    shop.page.evaluate(`(() => {
      history.pushState({}, '', '${path}')
      const next = ${body}
      document.documentElement.replaceChild(next, document.body)
    })()`)
  const made = (html: string) => `Object.assign(document.createElement('body'), { innerHTML: ${JSON.stringify(html)} })`

  await test.step('the open window is there again, with the thread', async () => {
    await goOn('/tea', made('<h1>下一页</h1>'))
    await expect(shop.button).toBeVisible()
    await expect(shop.message('有的')).toBeVisible()
    await shop.say('那我要两饼')
    await expect(workbench.message('那我要两饼')).toHaveCount(1)
    await expect(frames).toHaveCount(1)
  })

  await test.step('the page’s own word opens it at once', async () => {
    await shop.chat.getByRole('button', { name: '收起' }).click()
    await expect(frames).toBeHidden()
    await shop.page.evaluate(`document.body.innerHTML = '<h1>又一页</h1>'; Huike.open()`)
    await expect(shop.message('那我要两饼')).toBeVisible()
    await expect(buttons).toHaveCount(1)
  })

  await test.step('a body that was kept brings likenesses of button and window along: there is one of each, and it works', async () => {
    await goOn('/', 'document.body.cloneNode(true)')
    await expect(frames).toHaveCount(1)
    await expect(buttons).toHaveCount(1)
    await expect(shop.message('那我要两饼')).toBeVisible()
    await shop.button.click()
    await expect(frames).toBeHidden()
  })

  await test.step('a script in the new body begins anew: there is one widget', async () => {
    await goOn('/tea', made('<h1>商品</h1>'))
    await shop.page.evaluate(`window.old = Huike
      document.body.append(Object.assign(document.createElement('script'), { src: '${hubUrl}/widget.js' }))
      document.body.lastChild.dataset.inbox = '${inboxId}'`)
    await expect(shop.button).toBeVisible()
    await shop.openChat()
    await expect(shop.message('那我要两饼')).toBeVisible()
    // The one of before, which notices what its timer would.
    await shop.page.evaluate('old.open()')
    await expect(frames).toHaveCount(1)
    await expect(buttons).toHaveCount(1)
  })
})

test('the admin sees the window change as the form is filled in', async ({ hubUrl, browser }) => {
  const { admin } = await openDesk(browser, hubUrl)
  const { id } = await admin.website()
  await admin.page.goto(`${hubUrl}/admin/inboxes/${id}`)
  const preview = admin.page.frameLocator('iframe')
  await expect(preview.getByRole('heading', { name: '在线客服' })).toBeVisible()
  await admin.page.getByLabel('窗口标题').fill('山野茶事')
  await expect(preview.getByRole('heading', { name: '山野茶事' })).toBeVisible()
  await admin.page.getByLabel('欢迎语').fill('来喝茶')
  await expect(preview.getByText('来喝茶')).toBeVisible()
  await admin.page.getByLabel('主题色').fill('#ffd54f')
  const header = preview.locator('header')
  await expect(header).toHaveCSS('background-color', 'rgb(255, 213, 79)')
  await expect(header).toHaveCSS('color', 'rgb(28, 32, 38)')
  const launcher = preview.locator('.launcher')
  await expect(launcher).toHaveCSS('float', 'right')
  await admin.page.getByLabel('按钮位置').selectOption('left')
  await expect(launcher).toHaveCSS('float', 'left')
  await admin.page.getByLabel('界面语言').selectOption('en')
  await expect(preview.getByLabel('Write a message…')).toBeVisible()
  await expect(preview.getByRole('heading', { name: '山野茶事' })).toBeVisible()
})

test('a site is tried out on the demo page, from its own page in the admin', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { settings } = await admin.website()
  const { id } = await admin.call<{ id: string }>('POST', '/inboxes', { channel: 'website', name: '第二家店', settings: { ...settings, title: '第二家店' } })
  const page = await admin.page.context().newPage()
  await page.goto(`${hubUrl}/admin/inboxes/${id}`)
  const link = page.getByRole('link', { name: '在演示页试用' })
  const [opened] = await Promise.all([page.waitForEvent('popup'), link.click()])
  const shop = new ShopPage(opened)
  await expect(shop.button).toBeVisible()
  await expect(shop.page.locator('script[data-inbox]')).toHaveAttribute('data-inbox', id)
  await shop.openChat()
  await expect(shop.chat.getByRole('heading', { name: '第二家店' })).toBeVisible()
  await shop.say('试试看')
  await workbench.pick('试试看')
  await expect(workbench.message('试试看')).toBeVisible()
  // Home is the same shop still.
  await shop.page.getByRole('link', { name: '山野茶事' }).click()
  await expect(shop.page.locator('script[data-inbox]')).toHaveAttribute('data-inbox', id)

  await page.getByRole('button', { name: '停用' }).click()
  await expect(page.getByRole('button', { name: '启用' })).toBeVisible()
  await expect(link).toHaveCount(0)
})
