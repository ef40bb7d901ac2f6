/** Needs the bundled plugins: all that was said with one customer over two channels, as one thread on a page of its own. */
import { randomBytes, randomUUID } from 'node:crypto'
import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { HubClient } from '../../plugins/app/example/client.ts'
import { joinHub, openDesk } from '../flows/open-desk.ts'
import { expect, test } from '../support/e2e.ts'
import { markedWords, whatIsBeyond } from '../support/in-page.ts'

test.use({ actionTimeout: 15_000 })
test.setTimeout(120_000)
const key = `whsec_${randomBytes(32).toString('base64')}`
const texts = (page: Page) => page.getByTestId('contact-thread').getByTestId('message').locator('.text')

test('a customer of two channels is one thread, oldest first, live, narrowed like records; only for who may read it', { tag: '@main' }, async ({
  hubUrl,
  browser,
}) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { page } = workbench
  const inbox = async (name: string) =>
    new HubClient(
      `${hubUrl}/api/channels/app/${(await admin.call<{ id: string }>('POST', '/inboxes', { channel: 'app', name, settings: { secret: key } })).id}`,
      key,
    )
  const [app, shop] = [await inbox('会员 App'), await inbox('线下门店')]
  const who = { externalId: 'user-7', userId: '7', name: '林小满', verified: true }
  const tells = (from: HubClient, text: string) =>
    from.tell('message.created', { externalMessageId: randomUUID(), sender: who, content: [{ type: 'text', text }] })
  await tells(app, 'App 里的订单到哪了？')
  await tells(shop, '门店有茶样吗')
  await tells(app, '电话 13800138000，到了打给我')
  await page.reload()
  await workbench.pick('到了打给我')

  // From the panel to the page.
  await page.getByRole('link', { name: '全部往来' }).first().click()
  await expect(page).toHaveURL(/\/workbench\/contacts\/\w+$/)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('林小满')
  await expect(texts(page)).toHaveText(['App 里的订单到哪了？', '门店有茶样吗', '电话 13800138000，到了打给我'])
  await expect(page.getByTestId('turn')).toHaveText([/会员 App/, /线下门店/, /会员 App/])
  // Live, whichever channel it is.
  await tells(shop, '我下午过来取')
  await expect(texts(page).last()).toHaveText('我下午过来取')
  await expect(page.getByTestId('turn')).toHaveCount(4)
  const { violations } = await new AxeBuilder({ page }).include('main').analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])

  // Narrowed: the words, then nothing.
  const search = page.getByLabel('搜索消息内容')
  await search.fill('茶样')
  await search.press('Enter')
  await expect(texts(page)).toHaveText(['门店有茶样吗'])
  await expect.poll(() => page.evaluate(markedWords)).toEqual(['茶样'])
  await expect(page).toHaveURL(/f=/)
  await search.fill('没有人说过的话')
  await search.press('Enter')
  await expect(page.getByRole('heading', { name: '没有符合条件的消息' })).toBeVisible()
  await page.getByRole('button', { name: '清除条件' }).last().click()
  await expect(texts(page)).toHaveCount(4)
  await expect.poll(() => page.evaluate(markedWords)).toEqual([])
  // By keyboard to its end, and from a turn into the record.
  await page.getByTestId('contact-thread').focus()
  await page.keyboard.press('End')
  await page.getByRole('button', { name: '看最新' }).click()
  await expect(texts(page)).toHaveCount(4)
  await page.getByTestId('turn').nth(1).click()
  await expect(page).toHaveURL(/\/workbench\/records\/\w+\?at=1$/)
  await expect(page.getByTestId('message').filter({ hasText: '门店有茶样吗' })).toBeVisible()
  // From the record, and from the list of records, back to the customer.
  await page.getByRole('link', { name: '林小满' }).click()
  await expect(texts(page)).toHaveCount(4)
  const address = page.url()
  await page.goto(`${hubUrl}/workbench/records`)
  await page.getByRole('link', { name: '林小满 的全部往来' }).first().click()
  await expect(texts(page)).toHaveCount(4)
  await page.setViewportSize({ width: 390, height: 844 })
  await expect(texts(page)).toHaveCount(4)
  expect(await page.evaluate(whatIsBeyond)).toEqual([])

  // Who has no conversation with them, and who sees no numbers.
  const stranger = await joinHub(browser, admin, hubUrl, '外人', 'agent')
  await stranger.goto(address)
  await expect(stranger.getByRole('heading', { name: '没有这位客户' })).toBeVisible()
  const blind = await joinHub(browser, admin, hubUrl, '小何', [{ permission: 'conversation.read', scope: 'all' }])
  await blind.goto(address)
  await expect(texts(blind)).toHaveText(['App 里的订单到哪了？', '门店有茶样吗', '电话 138****8000，到了打给我', '我下午过来取'])
})
