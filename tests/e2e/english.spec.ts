/** The English UI is English: no Chinese in what the hub itself writes, and nowhere the name of a word in its place. */
import { everyPage, goTo } from '../pages/every-page.ts'
import { AdminPage, ShopPage } from '../pages/pages.ts'
import { expect, test } from '../support/e2e.ts'
import { wordReader } from '../support/words.ts'

const chinese = /[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]/
/** The mark of the house is a character, a tag is called what the shop calls it, and a visitor's page bears the name of the demonstration's shop. */
const data = /^汇$|转[电微]|山野茶事/

test('no page in English shows Chinese of its own, or a raw key', async ({ hubUrl, browser }) => {
  test.setTimeout(120_000)
  const context = await browser.newContext({ locale: 'en-GB' })
  const page = await context.newPage()
  const admin = new AdminPage(page)
  const { faults, read } = wordReader(page, 'zh-CN', (text) => chinese.test(text) && !data.test(text))
  // Set up in English by people with English names: then all Chinese there is would be the hub's.
  await page.goto(hubUrl)
  await expect(page.getByRole('heading', { name: 'Welcome to Huike' })).toBeVisible()
  await read('set-up')
  await page.getByLabel('Your name').fill('Ada Lane')
  await page.getByLabel('Email').fill('ada@shop.example')
  await page.getByLabel('Password').fill('mountain-tea-2026')
  await page.getByRole('button', { name: 'Create account' }).click()
  await expect(page.getByRole('heading', { name: 'Inboxes' })).toBeVisible()
  await admin.call('POST', '/tags', { name: 'Regular' })
  await page.goto(`${hubUrl}/workbench`)
  await expect(page.getByRole('navigation', { name: 'Groups' })).toBeVisible()

  const shop = new ShopPage(await (await browser.newContext({ locale: 'en-GB' })).newPage())
  await shop.open(hubUrl)
  await shop.openChat()
  expect((await shop.chat.locator('body').innerText()).match(chinese)).toBeNull()
  await shop.say('Do you ship to Leeds? My phone is 13800138000')
  await page.getByRole('region', { name: 'Conversations' }).getByRole('link').click()
  await page.getByTestId('composer').fill('We do, in four days.')
  await page.getByTestId('composer').press('Enter')
  await expect(shop.message('We do, in four days.')).toBeVisible()
  await page.getByTestId('composer').fill('')
  await page.getByRole('button', { name: /^Transfer/ }).click()
  await read('transfer')
  await page.keyboard.press('Escape')
  await page.getByTestId('presence').click()
  await expect(page.getByRole('radio', { name: 'Busy' })).toBeVisible()
  await read('presence')
  await page.keyboard.press('Escape')
  await page.keyboard.press('Control+k')
  await expect(page.getByRole('dialog', { name: 'Jump to' }).getByRole('option').first()).toBeVisible()
  await read('palette')
  await page.keyboard.press('Escape')
  await page.getByTestId('thread').focus()
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible()
  await read('shortcuts')

  for (const stop of await everyPage(admin)) {
    await goTo(page, hubUrl, stop)
    await read(stop.name)
  }
  expect(faults).toEqual([])
})
