/** Every page, with data and without: axe finds nothing serious in both looks, and nothing is written that the strict CSP blocks. */
import { openDesk, openShop } from '../flows/open-desk.ts'
import { AdminPage, WorkbenchPage } from '../pages/pages.ts'
import { axeFaults } from '../support/axe.ts'
import { expect, owner, test, watchPolicy } from '../support/e2e.ts'

const adminPages = [
  'records',
  'recycle-bin',
  'retention',
  'categories',
  'inboxes',
  'agents',
  'departments',
  'assignment',
  'roles',
  'tags',
  'plugins',
  'tokens',
  'system',
  'account',
]

test('axe finds nothing serious on any page', async ({ hubUrl, browser }) => {
  // Two dozen pages, each read whole by axe.
  test.setTimeout(240_000)
  const context = await browser.newContext({ locale: 'zh-CN' })
  const blocked = await watchPolicy(context)
  const page = await context.newPage()
  /** Read whole in one look; in the other one only what a look can change. */
  const seen = new Set<string>()
  const check = async (what: string) => {
    const name = what.replace(/ (?:light|dark)$/, '')
    expect(await axeFaults(page, what, { looks: seen.has(name) })).toEqual([])
    seen.add(name)
  }
  await page.goto(hubUrl)
  await expect(page.getByRole('heading', { name: '欢迎使用汇客' })).toBeVisible()
  await check('set-up light')
  await page.setViewportSize({ width: 390, height: 844 })
  await page.emulateMedia({ colorScheme: 'dark' })
  await check('set-up dark')
  await page.getByRole('button', { name: 'English' }).click()
  await expect(page.getByRole('heading', { name: 'Welcome to Huike' })).toBeVisible()
  await check('set-up in English')
  expect(await new AdminPage(page).beyond()).toEqual([])
  await page.getByRole('button', { name: '中文' }).click()
  await page.setViewportSize({ width: 1440, height: 900 })
  await new AdminPage(page).setUp(hubUrl, owner)
  for (const look of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: look })
    for (const name of adminPages) {
      await page.goto(`${hubUrl}/admin/${name}`)
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
      await expect(page.locator('.skeleton')).toHaveCount(0)
      await check(`admin ${name} ${look}`)
    }
    await page.goto(`${hubUrl}/workbench/visitors`)
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    await check(`visitors ${look}`)
    await page.goto(`${hubUrl}/workbench/records`)
    await expect(page.getByRole('heading', { name: '还没有聊天记录' })).toBeVisible()
    await check(`records ${look}`)
  }
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('请问几天能到？')
  const workbench = new WorkbenchPage(page)
  for (const look of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme: look })
    await workbench.open(hubUrl)
    await workbench.pick('几天能到')
    await expect(workbench.message('几天能到')).toBeVisible()
    await check(`conversation ${look}`)
  }
  expect(blocked).toEqual([])
  const policy = (await page.request.get(`${hubUrl}/workbench`)).headers()['content-security-policy']
  const { host } = new URL(hubUrl)
  expect(policy?.split(';')).toEqual([
    "default-src 'self'",
    "base-uri 'self'",
    "font-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'self'",
    "img-src 'self' data: blob:",
    "object-src 'none'",
    "script-src 'self'",
    "script-src-attr 'none'",
    "style-src 'self'",
    "media-src 'self' data: blob:",
    "frame-src 'self'",
    // The hub's own live line, by its name, and nobody else's.
    `connect-src 'self' ws://${host} wss://${host}`,
  ])
  expect(await axeFaults(shop.page, 'the widget', { include: 'iframe' })).toEqual([])
})

test('the visitors fit a phone, in both languages', async ({ hubUrl, browser }) => {
  const { context } = await openDesk(browser, hubUrl)
  for (const [locale, title, last] of [
    ['en', 'Visitors', 'Left without a word'],
    ['zh', '访客', '未对话已离开'],
  ]) {
    const page = await context.newPage()
    await page.addInitScript(`localStorage.setItem('huike.locale', '${locale}')`)
    await page.setViewportSize({ width: 390, height: 844 })
    await page.goto(`${hubUrl}/workbench/visitors`)
    const heading = page.getByRole('heading', { level: 1, name: title })
    await expect(heading).toBeVisible()
    await expect(page.getByRole('tab', { name: last })).toBeInViewport({ ratio: 1 })
    expect(await new AdminPage(page).beyond()).toEqual([])
    expect((await heading.boundingBox())?.y).toBeGreaterThanOrEqual(8)
  }
})
