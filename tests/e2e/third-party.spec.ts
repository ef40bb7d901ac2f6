/** A plugin from a folder outside the repository, switched off and on in the middle of a conversation. */
import { cpSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { openDesk, openShop } from '../flows/open-desk.ts'
import { expect, test } from '../support/e2e.ts'

const outside = join(mkdtempSync(join(tmpdir(), 'somebody-')), 'loyalty')
cpSync(resolve(import.meta.dirname, '../third-party/loyalty'), outside, { recursive: true })
test.use({ extraPlugins: [[outside], { scope: 'test' }] })

test('its panel and page come and go, and the talk goes on', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { context, workbench } = await openDesk(browser, hubUrl)
  const { page } = workbench
  const admin = await context.newPage()
  await admin.goto(`${hubUrl}/admin/plugins`)
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('我有多少积分？')
  // The panel asks once: a listener may hear of the message a moment after the agent.
  const counted = async () => (await (await context.request.get(`${hubUrl}/api/x/loyalty/top`)).json()).items.length
  await expect.poll(counted).toBe(1)
  await workbench.pick('我有多少积分')
  await expect(page.getByTestId('loyalty')).toHaveText('会员积分：1')

  const card = admin.getByRole('article').filter({ hasText: 'loyalty' })
  await card.getByRole('button', { name: '停用' }).click()
  await expect(card.getByText('已停用')).toBeVisible()
  await expect(page.getByTestId('loyalty')).toHaveCount(0)
  expect((await context.request.get(`${hubUrl}/api/x/loyalty/top`)).status()).toBe(404)
  await expect(admin.getByRole('link', { name: '会员积分' })).toHaveCount(0)
  await shop.say('还在吗？')
  await expect(workbench.message('还在吗？')).toBeVisible()
  await workbench.reply('在的')
  await expect(shop.message('在的')).toBeVisible()

  await card.getByRole('button', { name: '启用' }).click()
  await expect(page.getByTestId('loyalty')).toBeVisible()
  await shop.say('现在呢？')
  await expect(workbench.message('现在呢？')).toBeVisible()
  await admin.getByRole('link', { name: '会员积分' }).click()
  await expect(admin.getByTestId('loyalty-count')).toHaveText('共 1 位客户有积分')
})
