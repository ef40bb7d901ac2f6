/** The list as its reader arranges it: in sections, by who waits, the same on the next computer. */
import { AxeBuilder } from '@axe-core/playwright'
import { openDesk, openShop } from '../flows/open-desk.ts'
import { WorkbenchPage } from '../pages/pages.ts'
import { expect, owner, test } from '../support/e2e.ts'

test('cut by who waits, the longest wait first; folded, walked by keys, kept for the next computer', async ({ hubUrl, browser }) => {
  test.setTimeout(120_000)
  const { workbench } = await openDesk(browser, hubUrl)
  const { page } = workbench
  const sections = page.getByTestId('section')
  const rows = page.getByTestId('conversation-list').getByRole('link')
  for (const words of ['想问一下发货时间', '可以开发票吗']) {
    const { shop } = await openShop(browser, hubUrl)
    await shop.say(words)
    await expect(rows.filter({ hasText: words })).toBeVisible()
  }
  await expect(rows.first()).toContainText('可以开发票吗')

  await page.getByTestId('arrange').click()
  const kept = page.waitForResponse((response) => response.url().endsWith('/preferences/conversation.list') && response.request().method() === 'PUT')
  await page.getByLabel('等待最久在前').check()
  await kept
  await expect(rows.first()).toContainText('想问一下发货时间')
  await expect(rows.first()).toContainText(/刚到|等了/)
  await page.getByLabel('是否待回复').check()
  await expect(sections).toHaveText([/待回复\s*2/])
  await page.keyboard.press('Escape')

  // Answered, it goes to the other section by itself.
  await workbench.pick('想问一下发货时间')
  await page.getByTestId('composer').fill('明天发货')
  await page.getByTestId('composer').press('Enter')
  await expect(sections).toHaveText([/待回复\s*1/, /已回复\s*1/])
  await expect(rows).toHaveText([/可以开发票吗/, /明天发货/])

  // Keys go over the heads, and a folded section holds nothing to go to.
  await page.getByTestId('thread').click()
  await page.keyboard.press('k')
  await expect(rows.first()).toHaveAttribute('aria-current', 'true')
  await page.keyboard.press('j')
  await expect(rows.last()).toHaveAttribute('aria-current', 'true')
  await sections.last().click()
  await expect(sections.last()).toHaveAttribute('aria-expanded', 'false')
  await expect(rows).toHaveCount(1)
  const { violations } = await new AxeBuilder({ page }).include('[data-testid="conversation-list"]').analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join()}`)).toEqual([])

  const other = new WorkbenchPage(await (await browser.newContext({ locale: 'zh-CN' })).newPage())
  await other.page.goto(`${hubUrl}/workbench`)
  await other.login(owner.email, owner.password)
  await expect(other.page.getByTestId('section')).toHaveText([/待回复\s*1/, /已回复\s*1/])

  // What has ended is one list.
  await page.getByRole('link', { name: '已结束' }).click()
  await expect(sections).toHaveCount(0)
  await page.getByTestId('arrange').click()
  await expect(page.getByText('已结束的会话按时间排列')).toBeVisible()
})
