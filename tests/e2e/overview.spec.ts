/** The overview: what was talked about is counted within a minute, and every number leads to its records. */
import { AxeBuilder } from '@axe-core/playwright'
import { openDesk, openShop } from '../flows/open-desk.ts'
import { expect, test } from '../support/e2e.ts'

test('a conversation is counted, and its bar opens the records that it counts', async ({ hubUrl, browser }) => {
  test.setTimeout(180_000)
  const { workbench: desk } = await openDesk(browser, hubUrl)
  const { page } = desk
  await page.goto(`${hubUrl}/admin/overview`)
  await expect(page.getByRole('heading', { name: '这段时间没有会话' })).toBeVisible()

  const { shop } = await openShop(browser, hubUrl)
  await shop.say('想问一下发货时间')
  await expect(async () => {
    await page.reload()
    await expect(page.getByTestId('figures').getByRole('listitem').first()).toContainText('1', { timeout: 2_000 })
  }).toPass({ timeout: 60_000 })

  // A bar of the picture: today's is the last one, on the right.
  const canvas = page.getByTestId('trend').locator('canvas')
  const box = await canvas.boundingBox()
  if (!box) throw new Error('the chart is not drawn')
  await expect(async () => {
    await canvas.click({ position: { x: box.width - 24, y: box.height - 40 }, timeout: 2_000 })
    await page.waitForURL(/\/admin\/records\?f=/, { timeout: 2_000 })
  }).toPass({ timeout: 20_000 })
  await expect(page.getByTestId('record')).toHaveCount(1)
  // Which time is meant is seen, and can be changed.
  await expect(page.getByLabel('按哪个时间')).toHaveValue('createdAt')

  // The same by the table below it, with the keyboard alone.
  await page.goBack()
  await page.getByTestId('channel').getByText('以表格查看').focus()
  await page.keyboard.press('Enter')
  await page.getByTestId('channel').getByRole('link').focus()
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/admin\/records\?f=/)
  await expect(page.getByTestId('record')).toHaveCount(1)

  // Another figure in all charts; it stands in the address too.
  await page.goBack()
  await page.getByRole('button', { name: '消息', exact: true }).click()
  await expect(page).toHaveURL(/measure=messages/)
  // Counted before it was somebody's, it is counted once more.
  await expect(async () => {
    await page.reload()
    await expect(page.getByTestId('agent').getByText('以表格查看')).toBeVisible({ timeout: 2_000 })
  }).toPass({ timeout: 60_000 })
  await page.getByTestId('agent').getByText('以表格查看').click()
  await expect(page.getByTestId('agent').getByRole('columnheader').last()).toHaveText('收到消息')
  await expect(page.getByTestId('agent').getByRole('row').last()).toHaveText(/周敏\s*1/)
  await page.getByRole('button', { name: '满意度', exact: true }).click()
  await expect(page.getByText('这段时间没有这项数据。')).toHaveCount(3)
  await page.getByRole('button', { name: '新会话', exact: true }).click()

  // Days of one's own choice: they stand in the address, and a span that is none is said.
  await expect(canvas).toBeVisible()
  await page.getByLabel('时间范围').selectOption('custom')
  const [first, last] = [page.getByLabel('开始日期'), page.getByLabel('结束日期')]
  const today = await last.inputValue()
  await first.fill(today)
  await first.blur()
  await expect(page).toHaveURL(new RegExp(`period=custom&from=${today}&to=${today}`))
  await expect(page.getByTestId('figures').getByRole('listitem').first()).toContainText('1')
  await page.reload()
  await expect(first).toHaveValue(today)
  await expect(page.getByTestId('figures').getByRole('listitem').first()).toContainText('1')
  await last.fill('2020-01-01')
  await last.blur()
  await expect(page.getByRole('alert')).toContainText('结束不早于开始')
  await last.fill(today)
  await last.blur()
  await expect(page.getByTestId('agents')).toBeVisible()
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join()}`)).toEqual([])
})
