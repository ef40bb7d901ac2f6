/** The Chinese UI is Chinese: with the world of the demonstration in it, no page shows an English word of its own, or the name of a word in its place. */
import { everyPage, goTo, signInHere } from '../pages/every-page.ts'
import { AdminPage } from '../pages/pages.ts'
import { expect, test } from '../support/e2e.ts'
import { wordReader } from '../support/words.ts'

test.use({ demo: true })

/** A text of nothing but Latin words: an enum's value, an untranslated label. Addresses, codes and what stands within Chinese are none. */
const english = /^[A-Za-z][A-Za-z'’-]+(?: [A-Za-z][A-Za-z'’-]+)*[.!?…]?$/
/** Names, and what everybody in this trade writes in Latin letters. */
const names = new Set(['QQ', 'IP', 'SQLite', 'Redis', 'www.baidu.com'])

test('no page in Chinese shows an English word of its own, or a raw key', async ({ hub, hubUrl, browser }) => {
  test.setTimeout(180_000)
  const login = await hub.demoLogin()
  const context = await browser.newContext({ locale: 'zh-CN' })
  const page = await context.newPage()
  const admin = new AdminPage(page)
  const { faults, read } = wordReader(
    page,
    'en',
    (text) => english.test(text),
    (text) => names.has(text),
  )
  await page.goto(`${hubUrl}/workbench`)
  await expect(page.locator('form')).toBeVisible()
  await read('sign-in')
  await signInHere(page, login)
  for (const stop of await everyPage(admin)) {
    await goTo(page, hubUrl, stop)
    await read(stop.name)
  }
  expect(faults).toEqual([])
})
