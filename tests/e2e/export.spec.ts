/** An agent takes what a filter found out of the hub: chooses, watches, is told, downloads. Who may not sees nothing of it. */
import { readFile } from 'node:fs/promises'
import type { Page } from '@playwright/test'
import { readSheet } from 'read-excel-file/node'
import { extractText, getDocumentProxy } from 'unpdf'
import { joinHub, openDesk, openShop } from '../flows/open-desk.ts'
import { expect, test } from '../support/e2e.ts'

const statusOf = (page: Page, method: string, path: string, data?: object) =>
  page.request
    .fetch(new URL(`/api/x/export${path}`, page.url()).href, { method, data, headers: { origin: new URL(page.url()).origin } })
    .then((answer) => answer.status())

test('a result becomes a PDF and a workbook; others see neither the button nor the file', async ({ hubUrl, browser }) => {
  test.setTimeout(180_000)
  const { admin, workbench: desk } = await openDesk(browser, hubUrl)
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('我要退款，快递盒子压坏了')
  await desk.pick('我要退款')
  await desk.reply('非常抱歉，马上为您处理。')
  await expect(desk.message('非常抱歉，马上为您处理。')).toBeVisible()
  const all = [
    { permission: 'conversation.read', scope: 'all' },
    { permission: 'export.record', scope: 'all' },
  ]
  const page = await joinHub(browser, admin, hubUrl, '林晓', all)

  await page.goto(`${hubUrl}/workbench/records`)
  await page.getByLabel('搜索消息内容').fill('快递')
  await page.getByLabel('搜索消息内容').press('Enter')
  await expect(page.getByTestId('record')).toHaveCount(1)
  await page.getByTestId('export').click()
  const dialog = page.getByRole('dialog', { name: '导出聊天记录' })
  await expect(dialog.getByText('将导出当前筛选结果（约 1 条会话）。')).toBeVisible()
  await dialog.getByLabel('文件格式').selectOption({ label: 'PDF' })
  await expect(dialog.getByLabel('图片直接显示在聊天内容里')).toBeChecked()
  await dialog.getByLabel('图片直接显示在聊天内容里').uncheck()
  await expect(dialog.getByRole('listitem').first()).toContainText('渠道账号')
  await dialog.getByRole('textbox', { name: '文件名' }).fill('退款_{channel}_{date}_{count}')
  await expect(dialog.getByText(/预览：退款_网站_\d{8}_1\.pdf/)).toBeVisible()
  // What is put in is chosen by its name, not typed; the buttons are in sight all the time.
  await dialog.getByRole('textbox', { name: '文件名' }).fill('退款_')
  await dialog.getByRole('group', { name: '插入到文件名' }).getByRole('button', { name: '日期' }).click()
  await expect(dialog.getByRole('textbox', { name: '文件名' })).toHaveValue('退款_{date}')
  await dialog.getByLabel('文件格式').scrollIntoViewIfNeeded()
  await expect(dialog.getByRole('button', { name: '开始导出' })).toBeInViewport({ ratio: 1 })
  await dialog.getByRole('textbox', { name: '文件名' }).fill('退款_{date}_{count}')
  await expect(dialog.getByText(/预览：退款_\d{8}_1\.pdf/)).toBeVisible()
  await dialog.getByRole('button', { name: '开始导出' }).click()
  await expect(dialog.getByText('已开始导出，完成后会通知你。')).toBeVisible()

  // The list as it was a moment before: one is being written.
  await page.route(
    '**/api/x/export/exports?of=mine',
    async (route) => {
      const answer = await route.fetch()
      const { items, cursor } = await answer.json()
      await route.fulfill({ response: answer, json: { items: items.map((item: object) => ({ ...item, state: 'running', done: 0, total: 1 })), cursor } })
    },
    { times: 1 },
  )
  await dialog.getByRole('link', { name: '查看导出列表' }).click()
  const item = page.getByTestId('exports').getByRole('article').first()
  await expect(item.getByRole('progressbar')).toBeVisible()
  await expect(item.getByText('0 / 1 条会话')).toBeVisible()
  await expect(item.getByText('已完成')).toBeVisible()
  await expect(item.getByText(/1 条会话 · 1 页/)).toBeVisible()
  await page.getByTestId('bell').click()
  await expect(page.getByText('导出已完成，可以下载')).toBeVisible()
  await page.keyboard.press('Escape')

  const fetched = async () => {
    const waiting = page.waitForEvent('download')
    await item.getByRole('link', { name: '下载' }).click()
    const download = await waiting
    return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) }
  }
  const pdf = await fetched()
  expect(pdf.name).toMatch(/^退款_\d{8}_1\.pdf$/)
  const { text } = await extractText(await getDocumentProxy(new Uint8Array(pdf.bytes)), { mergePages: true })
  for (const words of ['我要退款，快递盒子压坏了', '非常抱歉，马上为您处理。', '林晓', '1 / 1']) expect(text).toContain(words)
  await page.reload()
  await expect(item.getByText('下载记录（1）')).toBeVisible()

  await page.goto(`${hubUrl}/workbench/records`)
  await page.getByTestId('record').getByRole('checkbox').check()
  await page.getByTestId('export').click()
  await expect(dialog.getByText('将导出选中的 1 条会话。')).toBeVisible()
  await dialog.getByRole('button', { name: '开始导出' }).click()
  await dialog.getByRole('link', { name: '查看导出列表' }).click()
  await expect(page.getByTestId('exports').getByRole('article')).toHaveCount(2)
  await expect(item.getByText('已完成')).toBeVisible()
  const workbook = await fetched()
  expect(workbook.name).toMatch(/\.xlsx$/)
  const rows = await readSheet(workbook.bytes)
  expect(rows.map((row) => row[7])).toEqual(['内容', '我要退款，快递盒子压坏了', '非常抱歉，马上为您处理。'])

  // Who may read but not export; and a colleague who guesses.
  const { items } = await page.request.get(`${hubUrl}/api/x/export/exports?of=mine`).then((answer) => answer.json())
  const reader = await joinHub(browser, admin, hubUrl, '只读', [{ permission: 'conversation.read', scope: 'all' }])
  await reader.goto(`${hubUrl}/workbench/records`)
  await expect(reader.getByTestId('record')).toHaveCount(1)
  await expect(reader.getByTestId('export')).toHaveCount(0)
  expect(await statusOf(reader, 'GET', '/exports')).toBe(403)
  expect(await statusOf(reader, 'GET', `/exports/${items[0].id}/file`)).toBe(403)
  const colleague = await joinHub(browser, admin, hubUrl, '同事', all)
  for (const { id } of items) {
    expect(await statusOf(colleague, 'GET', `/exports/${id}`)).toBe(404)
    expect(await statusOf(colleague, 'GET', `/exports/${id}/file`)).toBe(404)
  }
})
