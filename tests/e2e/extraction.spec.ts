/** The contact finder from a visitor's sentence to an agent's screen, a person's correction, and off and on again. */
import AxeBuilder from '@axe-core/playwright'
import { openDesk, openShop } from '../flows/open-desk.ts'
import { expect, test } from '../support/e2e.ts'

// Much of the whole in one go: on a busy machine it takes more than a minute.
test.setTimeout(150_000)

test('a number in disguise colours the row, is marked, filled in and tagged; a correction stays; off, nothing is left', async ({ hubUrl, browser }) => {
  const { context, workbench } = await openDesk(browser, hubUrl)
  const { page } = workbench
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('我的电话是 一三八 零零壹叁 八零零零 加我薇信同号')
  const row = workbench.list.getByRole('link').filter({ hasText: '一三八' })
  await expect(row).toHaveAttribute('data-tone', 'green')
  // Each kind has its own colour and sign; what they mean is said where the list is arranged.
  await expect(row.getByTitle('微信')).toHaveAttribute('data-tone', 'olive')
  await page.getByTestId('arrange').click()
  const legend = page.getByTestId('legend')
  await expect(legend.getByRole('listitem')).toHaveText([/手机/, /座机/, /微信/, /QQ/, /邮箱/, /年龄/, /性别/])
  const tones = await legend.locator('[data-tone]').evaluateAll((marks) => marks.map((mark) => mark.getAttribute('data-tone')))
  expect(new Set(tones).size).toBe(7)
  for (const dark of [false, true]) {
    await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' })
    await expect(page.locator('html')).toHaveClass(dark ? /dark/ : /^(?!.*dark)/)
    const { violations } = await new AxeBuilder({ page }).include('[data-testid="legend"]').include('a[data-tone]').withRules(['color-contrast']).analyze()
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
  }
  await page.keyboard.press('Escape')
  await page.emulateMedia({ colorScheme: 'light' })
  await expect(row.getByTitle('手机')).toBeVisible()
  await row.click()
  const mark = page.getByTestId('mark')
  await expect(mark).toHaveText('一三八 零零壹叁 八零零零')
  const panel = page.getByRole('complementary', { name: '客户资料' })
  await expect(panel.getByLabel('电话')).toHaveValue('13800138000')
  await expect(panel.getByLabel('微信', { exact: true })).toHaveValue('13800138000')
  for (const tag of ['转电', '转微']) await expect(panel.getByText(tag, { exact: true })).toBeVisible()
  await mark.click()
  await expect(page.getByTestId('fact-card')).toContainText('13800138000')
  await page.keyboard.press('Escape')

  // A person's correction, typed while the panel changes around it, and a suggestion that waits for one click.
  await panel.getByLabel('电话').fill('13900139000')
  await shop.say('我今年32岁')
  await expect(panel.getByLabel('年龄', { exact: true })).toHaveValue('32')
  await expect(panel.getByLabel('电话')).toHaveValue('13900139000')
  await panel.getByLabel('电话').press('Enter')
  await shop.say('打13700137000也行，我老公接')
  const facts = page.getByTestId('fact')
  const waiting = facts.filter({ hasText: '13700137000' })
  await expect(waiting.getByRole('button', { name: /^采纳/ })).toBeVisible()
  await expect(panel.getByLabel('电话')).toHaveValue('13900139000')
  const { violations } = await new AxeBuilder({ page }).include('[data-testid="extraction-panel"]').include('[data-testid="mark"]').analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
  await waiting.getByRole('button', { name: /^采纳/ }).click()
  await expect(panel.getByLabel('电话')).toHaveValue('13700137000')
  await waiting.getByRole('button', { name: /^撤销/ }).click()
  await expect(panel.getByLabel('电话')).toHaveValue('13900139000')
  await page.reload()
  await expect(page.getByTestId('mark')).toHaveCount(4)

  // Off: no colour, no mark, no panel, no field, no page.
  const admin = await context.newPage()
  await admin.goto(`${hubUrl}/admin/plugins`)
  const card = admin.getByRole('article').filter({ hasText: '信息识别' })
  await card.getByRole('button', { name: '停用' }).click()
  await expect(card.getByText('已停用')).toBeVisible()
  await expect(page.getByTestId('mark')).toHaveCount(0)
  await expect(page.getByTestId('extraction-panel')).toHaveCount(0)
  await expect(workbench.list.locator('[data-tone]')).toHaveCount(0)
  await page.getByTestId('arrange').click()
  await expect(page.getByRole('radio').first()).toBeVisible()
  await expect(page.getByTestId('legend')).toHaveCount(0)
  await page.keyboard.press('Escape')
  await expect(panel.getByLabel('年龄', { exact: true })).toHaveCount(0)
  await expect(admin.getByRole('link', { name: '信息识别' })).toHaveCount(0)
  await card.getByRole('button', { name: '启用' }).click()
  await expect(page.getByTestId('mark')).toHaveCount(4)
  await expect(page.getByTestId('extraction-panel')).toBeVisible()
  await expect(workbench.list.locator('[data-tone="green"]').first()).toBeVisible()

  await admin.getByRole('link', { name: '信息识别' }).click()
  await admin.getByTestId('try').fill('加v：abc_12345，订单号20240315138001380001')
  await expect(admin.getByTestId('try-result').getByRole('row')).toHaveCount(2)
  await expect(admin.getByTestId('try-result')).toContainText('abc_12345')
  const rules = await new AxeBuilder({ page: admin }).include('[data-testid="extraction-rules"]').analyze()
  expect(rules.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
})
