/** Exports of lists, schedules and destinations in the browser: ordered by keys and by dragging, planned, brought to a folder. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import { openDesk, openShop } from '../flows/open-desk.ts'
import { expect, test } from '../support/e2e.ts'

const out = mkdtempSync(join(tmpdir(), 'huike-e2e-out-'))
// The hub that the test starts gets it from here.
process.env.HUB_OUTPUT_DIR = out
test.afterAll(() => rmSync(out, { recursive: true, force: true }))

test('contacts in an order of one’s own, a template, a folder as destination, a schedule that rests and goes on', async ({ hubUrl, browser }) => {
  test.setTimeout(150_000)
  const { workbench: desk } = await openDesk(browser, hubUrl)
  const { shop } = await openShop(browser, hubUrl)
  const { page } = desk
  await shop.say('请把对账单发我一份')
  await desk.pick('请把对账单')

  await test.step('a destination below the folder that the operator allows', async () => {
    await page.goto(`${hubUrl}/workbench/x/export/exports`)
    await page.getByTestId('new-destination').click()
    const form = page.getByTestId('destination-form')
    await form.getByLabel('名称').fill('财务共享盘')
    await form.getByLabel('文件夹', { exact: true }).fill('../etc')
    await form.getByRole('button', { name: '保存' }).click()
    await expect(form.getByRole('alert')).toHaveText('填写的内容不正确。')
    await form.getByLabel('文件夹', { exact: true }).fill('财务/日报')
    await form.getByRole('button', { name: '保存' }).click()
    const row = page.getByTestId('destination').filter({ hasText: '财务共享盘' })
    await row.getByRole('button', { name: '测试' }).click()
    await expect(row).toContainText('可以写入')
  })

  await test.step('columns are moved by keys, by a button and by dragging; the template keeps them', async () => {
    await page.goto(`${hubUrl}/workbench/records`)
    await page.getByTestId('export-hub.contacts').click()
    const dialog = page.getByRole('dialog', { name: '导出客户' })
    const items = dialog.getByTestId('field-order').getByRole('listitem')
    const names = async () => (await items.allTextContents()).map((text) => text.replace(/[⠿↑↓×\s]/g, ''))
    await expect.poll(async () => (await names()).slice(0, 3)).toEqual(['客户号', '客户', '手机'])
    await dialog.getByRole('button', { name: '下移 客户号' }).click()
    await expect.poll(async () => (await names()).slice(0, 3)).toEqual(['客户', '客户号', '手机'])
    await expect(dialog.getByRole('button', { name: '下移 客户号' })).toBeFocused()
    await page.keyboard.press('Alt+ArrowDown')
    await expect.poll(async () => (await names()).slice(0, 3)).toEqual(['客户', '手机', '客户号'])
    await items.nth(2).dragTo(items.nth(0))
    await expect.poll(async () => (await names()).slice(0, 3)).toEqual(['客户号', '客户', '手机'])
    await dialog.getByRole('button', { name: '移除 手机' }).click()
    await dialog.getByLabel('添加字段').selectOption({ label: '微信' })
    const { violations } = await new AxeBuilder({ page }).include('dialog[open]').analyze()
    expect(violations.map(({ id }) => id)).toEqual([])
    await dialog.getByLabel('模板名称').fill('客户清单')
    await dialog.getByRole('button', { name: '存为模板' }).click()
    await expect(dialog.getByRole('status')).toHaveText('模板已保存。')
    const kept = await names()
    await dialog.getByRole('button', { name: '取消' }).click()
    await page.reload()
    await page.getByTestId('export-hub.contacts').click()
    await dialog.getByLabel(/^模板(?!名称)/).selectOption({ label: '客户清单' })
    expect(await names()).toEqual(kept)
    await dialog.getByLabel('同时发送到').selectOption({ label: '财务共享盘（文件夹）' })
    await dialog.getByRole('button', { name: '开始导出' }).click()
    await dialog.getByRole('link', { name: '查看导出列表' }).click()
    await expect(async () => {
      await page.reload()
      await expect(page.getByTestId('exports')).toContainText('已发送到财务共享盘', { timeout: 2_000 })
    }).toPass({ timeout: 60_000 })
    expect(readdirSync(join(out, '财务/日报')).filter((name) => /^客户_\d{8}_\w{6}\.xlsx$/.test(name))).toHaveLength(1)
  })

  await test.step('a schedule of the records at hand, from their dialog; paused, changed, deleted', async () => {
    await page.goto(`${hubUrl}/workbench/records`)
    await page.getByTestId('export').click()
    await page.getByRole('button', { name: '定时导出…' }).click()
    const form = page.getByTestId('schedule-form')
    await form.getByLabel('名称').fill('每周对账')
    await form.getByLabel('频率').selectOption({ label: '每周' })
    await form.getByLabel('星期').selectOption({ label: '周五' })
    await form.getByLabel('时间', { exact: true }).fill('18:30')
    await form.getByLabel('时区').fill('Mars/Olympus')
    await form.getByRole('button', { name: '保存定时导出' }).click()
    await expect(form.getByRole('alert')).toContainText('没有这个时区')
    await form.getByLabel('时区').fill('Asia/Shanghai')
    await form.getByRole('button', { name: '保存定时导出' }).click()
    await page.getByRole('link', { name: '查看导出列表' }).click()
    const row = page.getByTestId('schedule').filter({ hasText: '每周对账' })
    await expect(row).toContainText('每周五 18:30（Asia/Shanghai）')
    await expect(row).toContainText('下次：')
    await row.getByRole('button', { name: '暂停' }).click()
    await expect(row).toContainText('已暂停')
    await expect(row).not.toContainText('下次：')
    await row.getByRole('button', { name: '启用' }).click()
    await expect(row).toContainText('下次：')
    await row.getByRole('button', { name: '修改' }).click()
    await form.getByLabel('名称').fill('每月对账')
    await form.getByLabel('频率').selectOption({ label: '每月' })
    await form.getByRole('button', { name: '保存定时导出' }).click()
    const changed = page.getByTestId('schedule').filter({ hasText: '每月对账' })
    await expect(changed).toContainText('每月 1 日 18:30')
    const { violations } = await new AxeBuilder({ page }).include('[data-testid="exports"]').analyze()
    expect(violations.map(({ id }) => id)).toEqual([])
    await changed.getByRole('button', { name: '删除', exact: true }).click()
    await changed.getByRole('button', { name: '确认删除' }).click()
    await expect(page.getByTestId('schedules')).toContainText('还没有定时导出。')
  })

  await test.step('the audit log is a list to take along, too', async () => {
    await page.getByTestId('export-audit.entries').click()
    const dialog = page.getByRole('dialog', { name: '导出审计日志' })
    await dialog.getByRole('button', { name: '开始导出' }).click()
    await dialog.getByRole('button', { name: '关闭' }).click()
    await expect(page.getByTestId('exports').locator('article').filter({ hasText: '审计日志' }).getByRole('link', { name: '下载' })).toBeVisible({
      timeout: 30_000,
    })
  })
})
