/** The Chinese UI is Chinese: with the world of the demonstration in it, no page shows an English word of its own, or the name of a word in its place. */
import { everyPage, goTo } from '../pages/every-page.ts'
import { AdminPage } from '../pages/pages.ts'
import { expect, test } from '../support/e2e.ts'
import { wordsShown } from '../support/in-page.ts'

test.use({ demo: true })

/** A text of nothing but Latin words: an enum's value, an untranslated label. Addresses, codes and what stands within Chinese are none. */
const english = /^[A-Za-z][A-Za-z'’-]+(?: [A-Za-z][A-Za-z'’-]+)*[.!?…]?$/
/** `records.column.contact` */
const key = /^[a-z][\w-]*(?:\.[a-z][\w-]*)+$/
/** Names, and what everybody in this trade writes in Latin letters. */
const names = new Set(['QQ', 'IP', 'SQLite', 'Redis', 'www.baidu.com'])

test('no page in Chinese shows an English word of its own, or a raw key', async ({ hub, hubUrl, browser }) => {
  test.setTimeout(180_000)
  const { email, password } = await hub.demoLogin()
  const context = await browser.newContext({ locale: 'zh-CN' })
  const page = await context.newPage()
  const admin = new AdminPage(page)
  const faults: string[] = []
  const read = async (what: string) => {
    const words = await page.evaluate<string[]>(wordsShown('en'))
    expect(words.length, what).toBeGreaterThan(2)
    faults.push(...words.filter((one) => (english.test(one) || key.test(one)) && !names.has(one)).map((one) => `${what}: ${one}`))
  }
  await page.goto(`${hubUrl}/workbench`)
  await expect(page.locator('form')).toBeVisible()
  await read('sign-in')
  await page.locator('input[type=email]').fill(email)
  await page.locator('input[type=password]').fill(password)
  await page.locator('button[type=submit]').click()
  await expect(page.locator('nav').first()).toBeVisible()
  for (const stop of await everyPage(admin)) {
    await goTo(page, hubUrl, stop)
    await read(stop.name)
  }
  expect(faults).toEqual([])
})
