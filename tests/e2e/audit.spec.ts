/** The audit log in the browser: an agent reads a record, the admin sees who did, on the record and in the whole log. */
import AxeBuilder from '@axe-core/playwright'
import { openDesk, openShop } from '../flows/open-desk.ts'
import { expect, test } from '../support/e2e.ts'

test('a record that was viewed is in its own log and in the whole one; filtered, exported, gone while switched off', async ({ hubUrl, browser }) => {
  test.setTimeout(120_000)
  const { workbench: desk } = await openDesk(browser, hubUrl)
  const { shop } = await openShop(browser, hubUrl)
  const { page } = desk
  await shop.say('发票什么时候能开好？')
  await desk.pick('发票什么时候')
  await page.goto(`${hubUrl}/workbench/records`)
  await page.getByTestId('record').getByRole('link').first().click()
  const own = page.getByTestId('audit-record')
  await expect(own.getByRole('heading', { name: '操作日志' })).toBeVisible()
  // The log hears of it after the page has asked for it.
  await expect(async () => {
    await page.reload()
    await expect(own).toContainText('周敏 查看了记录', { timeout: 2_000 })
  }).toPass({ timeout: 30_000 })

  await page.goto(`${hubUrl}/admin`)
  await page.getByRole('link', { name: '审计日志' }).click()
  await expect(page.getByTestId('audit-entry').filter({ hasText: '查看了记录' })).toHaveCount(1)
  await page.getByLabel('做了什么').selectOption({ label: '查看了记录' })
  await expect(page.getByTestId('audit-entry')).toHaveCount(1)
  await expect(page.getByTestId('audit-entry')).toContainText('周敏')
  await expect(page).toHaveURL(/event=record\.viewed/)
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id }) => id)).toEqual([])
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: '导出 CSV' }).click()])
  expect(download.suggestedFilename()).toMatch(/^audit-.*\.csv$/)
  await page.getByRole('button', { name: '清除筛选' }).click()
  await expect(async () => {
    await page.reload()
    await expect(page.getByTestId('audit-entry').filter({ hasText: '导出了审计日志' })).toHaveCount(1, { timeout: 2_000 })
  }).toPass({ timeout: 30_000 })

  await page.request.post(`${hubUrl}/api/plugins/audit/switch`, { data: { enabled: false } })
  await expect(page.getByRole('link', { name: '审计日志' })).toHaveCount(0)
})
