/** What is wrong with a form stands at its field, whoever found it. Needs the bundled plugins. */
import type { Locator, Page } from '@playwright/test'
import { openDesk } from '../flows/open-desk.ts'
import { expect, test } from '../support/e2e.ts'

/** The sentence that a control points at as its own. */
async function faultOf(control: Locator): Promise<string> {
  await expect(control).toHaveAttribute('aria-invalid', 'true')
  const ids = (await control.getAttribute('aria-describedby')) ?? ''
  const id = ids.split(' ').find((one) => one.endsWith('-fault')) ?? ''
  return control.page().locator(`[id="${id}"]`).innerText()
}

const row = (page: Page, at: number): Locator => page.locator('.designed .one').nth(at)

test('the forms of categories and customers’ fields say what is wrong where it is wrong', async ({ browser, hubUrl }) => {
  const { admin } = await openDesk(browser, hubUrl)
  const { page } = admin
  const ids: string[] = []
  for (const name of ['售后', '退款', '部分退款', '运费'])
    ids.push((await admin.call<{ id: string }>('POST', '/categories', { name, parentId: ids.at(-1) ?? null })).id)
  await admin.open(hubUrl, 'categories', '分类与小结')

  const name = page.getByLabel('新分类名称')
  await page.getByRole('button', { name: '添加', exact: true }).click()
  expect(await faultOf(name)).toBe('请填写此项。')
  await name.fill('售后')
  await expect(name).toHaveAttribute('aria-invalid', 'false')
  await page.getByRole('button', { name: '添加', exact: true }).click()
  await expect(page.getByText('这个名称已被使用。')).toBeVisible()
  expect(await faultOf(name)).toBe('这个名称已被使用。')
  // Its place has gone since the page was opened.
  await name.fill('换货')
  await page.getByLabel('上级').selectOption({ label: '　退款' })
  await page.route('**/api/categories', (route) =>
    route.request().method() === 'POST' ? route.continue({ postData: JSON.stringify({ name: '换货', parentId: ids[3] }) }) : route.continue(),
  )
  await page.getByRole('button', { name: '添加', exact: true }).click()
  expect(await faultOf(page.getByLabel('上级'))).toBe('最多 4 级。')
  await page.unroute('**/api/categories')

  // Of the summary's form: a choice without options, a field without a name, each at its own place.
  await page.getByRole('button', { name: '添加项目' }).click()
  await row(page, 2).getByLabel('类型').selectOption('choice')
  await page.locator('.designed').getByRole('button', { name: '保存' }).click()
  expect(await faultOf(row(page, 2).getByLabel('项目名称'))).toBe('请填写此项。')
  await expect(row(page, 2).getByLabel('项目名称')).toBeFocused()
  await row(page, 2).getByLabel('项目名称').fill('处理结果')
  await page.locator('.designed').getByRole('button', { name: '保存' }).click()
  expect(await faultOf(row(page, 2).getByLabel('选项，每行一个'))).toBe('请填写此项。')
  await row(page, 2).getByLabel('选项，每行一个').fill('已退款\n\n已换货\n已退款')
  await page.locator('.designed').getByRole('button', { name: '保存' }).click()
  await expect(page.getByText('已保存')).toBeVisible()
  await expect(row(page, 2).getByLabel('选项，每行一个')).toHaveValue('已退款\n已换货')

  // Of customers' fields: the second of the same name, and only that one, until it is mended.
  const fields = page.locator('.custom')
  const label = (at: number) => fields.locator('.one').nth(at).getByLabel('字段名称')
  for (const [at, words] of ['客户等级', '客户等级'].entries()) {
    await fields.getByRole('button', { name: '添加字段' }).click()
    await label(at).fill(words)
  }
  await fields.getByRole('button', { name: '保存' }).click()
  expect(await faultOf(label(1))).toBe('不能与其他项重名。')
  await expect(label(0)).toHaveAttribute('aria-invalid', 'false')
  await label(1).fill('咨询意图')
  await expect(label(1)).toHaveAttribute('aria-invalid', 'false')
  await fields.getByRole('button', { name: '保存' }).click()
  await expect(label(1)).toHaveValue('咨询意图')
  await expect.poll(async () => (await admin.call<{ fields: unknown[] }>('GET', '/contact-fields')).fields.length).toBe(2)
})

test('plugins’ pages say it at the field too', async ({ browser, hubUrl }) => {
  const { admin } = await openDesk(browser, hubUrl)
  const { page } = admin
  await page.goto(`${hubUrl}/workbench/x/export/exports`)
  await page.getByTestId('new-destination').click()
  const place = page.getByTestId('destination-form')
  await place.getByLabel('文件夹').fill('../etc')
  await place.getByRole('button', { name: '保存' }).click()
  expect(await faultOf(place.getByLabel('名称'))).toBe('请填写此项。')
  await place.getByLabel('名称').fill('档案')
  await place.getByRole('button', { name: '保存' }).click()
  expect(await faultOf(place.getByLabel('文件夹'))).toBe('填写的内容不正确。')
  await expect(place.getByRole('alert')).toHaveCount(1)

  await page.getByTestId('new-schedule').click()
  const form = page.getByTestId('schedule-form')
  await form.getByLabel('名称').fill('每日')
  await form.getByLabel('时区').fill('Mars/Olympus')
  await form.getByRole('button', { name: '保存' }).click()
  await expect(form.getByRole('alert')).toHaveCount(1)
  expect(await faultOf(form.getByLabel('时区'))).toBe('没有这个时区，请填写如 Asia/Shanghai。')

  await page.goto(`${hubUrl}/admin/x/extraction/rules`)
  const rule = page.getByTestId('new-rule')
  await rule.getByRole('button').click()
  expect(await faultOf(rule.getByLabel('提示词'))).toBe('请填写此项。')
})
