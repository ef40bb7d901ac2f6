/** Every page, with data and without: axe finds nothing serious in both looks, and nothing is written that the strict CSP blocks. */
import AxeBuilder from '@axe-core/playwright'
import { openShop } from '../flows/open-desk.ts'
import { AdminPage, WorkbenchPage } from '../pages/pages.ts'
import { expect, owner, test, watchPolicy } from '../support/e2e.ts'

const adminPages = ['inboxes', 'agents', 'departments', 'assignment', 'roles', 'tags', 'plugins', 'tokens', 'system', 'account']

test('axe finds nothing serious on any page', async ({ hubUrl, browser }) => {
  // Two dozen pages, each read whole by axe.
  test.setTimeout(240_000)
  const context = await browser.newContext({ locale: 'zh-CN' })
  const blocked = await watchPolicy(context)
  const page = await context.newPage()
  const check = async (what: string) => {
    const { violations } = await new AxeBuilder({ page }).analyze()
    const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    expect(serious.map(({ id, nodes }) => `${what}: ${id} ${nodes.map((n) => n.target.join(' ')).join(', ')}`)).toEqual([])
  }
  await page.goto(hubUrl)
  await expect(page.getByRole('heading', { name: '欢迎使用汇客' })).toBeVisible()
  await check('set-up')
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
  expect(policy).toContain("style-src 'self';")
  expect(policy).not.toContain('unsafe')
  const frame = await new AxeBuilder({ page: shop.page }).include('iframe').analyze()
  expect(frame.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id }) => id)).toEqual([])
})
