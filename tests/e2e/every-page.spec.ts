/** Every page with the world of the demonstration in it: axe finds nothing serious, in both languages, on a desk and on a phone, in both looks. */
import type { Page } from '@playwright/test'
import { openShop } from '../flows/open-desk.ts'
import { everyPage, goTo, signInHere } from '../pages/every-page.ts'
import { AdminPage } from '../pages/pages.ts'
import { axeFaults } from '../support/axe.ts'
import { expect, test } from '../support/e2e.ts'

test.use({ demo: true })

const ways = [
  { locale: 'zh', width: 1440, height: 900 },
  { locale: 'en', width: 390, height: 844 },
] as const

async function wear(page: Page, look: 'light' | 'dark'): Promise<void> {
  await page.emulateMedia({ colorScheme: look })
  if (look === 'dark') await expect(page.locator('html')).toHaveClass(/\bdark\b/)
  else await expect(page.locator('html')).not.toHaveClass(/\bdark\b/)
}

for (const { locale, width, height } of ways)
  test(`axe finds nothing serious on any page that has something in it (${locale}, ${width})`, async ({ hub, hubUrl, browser }) => {
    // Some thirty-five pages, each read whole by axe in one look and for its colours in the other.
    test.setTimeout(300_000)
    const login = await hub.demoLogin()
    const faults: string[] = []
    const phone = width < 760
    const context = await browser.newContext({
      locale: locale === 'zh' ? 'zh-CN' : 'en-GB',
      viewport: { width, height },
      isMobile: phone,
      hasTouch: phone,
      // Colours are read where they have arrived, not on their way.
      reducedMotion: 'reduce',
    })
    await context.addInitScript(`localStorage.setItem('huike.locale', '${locale}')`)
    const page = await context.newPage()
    /** Whole in the one look, for its colours in the other, which stays for the next page. */
    let look: 'light' | 'dark' = 'light'
    await page.emulateMedia({ colorScheme: look })
    const check = async (what: string, include?: string) => {
      const name = `${what} (${locale}, ${width})`
      faults.push(...(await axeFaults(page, `${name} ${look}`, { include })))
      look = look === 'light' ? 'dark' : 'light'
      await wear(page, look)
      faults.push(...(await axeFaults(page, `${name} ${look}`, { include, looks: true })))
    }
    const admin = new AdminPage(page)
    await page.goto(`${hubUrl}/workbench`)
    await expect(page.locator('form')).toBeVisible()
    await check('sign-in')
    await signInHere(page, login)
    await fill(admin, login.password)
    await page.goto(`${hubUrl}/workbench`)
    for (const stop of await everyPage(admin)) {
      await goTo(page, hubUrl, stop)
      await check(stop.name)
    }
    const { items: roles } = await admin.call<{ items: { id: string; builtin: string | null }[] }>('GET', '/roles')
    const { invitation } = await admin.call<{ invitation: string }>('POST', '/agents', {
      email: `new.${locale}@huike.local`,
      name: '秦朗',
      roleIds: roles.filter(({ builtin }) => builtin === 'agent').map(({ id }) => id),
    })
    const gates = await (await browser.newContext({ viewport: { width, height }, reducedMotion: 'reduce' })).newPage()
    await gates.addInitScript(`localStorage.setItem('huike.locale', '${locale}')`)
    for (const [what, path] of [
      ['sign-in', '/admin'],
      ['invitation', invitation],
      ['invitation that is over', '/admin/join/nothing-of-that-name'],
    ] as const) {
      await gates.goto(new URL(path, hubUrl).href)
      await expect(gates.locator('h1')).toBeVisible()
      for (const one of ['light', 'dark'] as const) {
        await wear(gates, one)
        faults.push(...(await axeFaults(gates, `${what} (${locale}, ${width}) ${one}`)))
      }
    }
    const { shop } = await openShop(browser, hubUrl, {
      locale: locale === 'zh' ? 'zh-CN' : 'en-GB',
      viewport: { width, height },
      reducedMotion: 'reduce',
    })
    await shop.say('https://shanye.example 这款还有吗？')
    await expect(shop.message('这款还有吗')).toBeVisible()
    for (const one of ['light', 'dark'] as const) {
      await shop.page.emulateMedia({ colorScheme: one })
      faults.push(...(await axeFaults(shop.page, `the widget (${locale}, ${width}) ${one}`, { include: 'iframe' })))
    }
    expect(faults).toEqual([])
  })

/** What the demonstration leaves empty: an export, a token, a rule, a record in the bin. */
async function fill(admin: AdminPage, password: string): Promise<void> {
  const { origin } = new URL(admin.page.url())
  await admin.call('POST', '/x/export/exports', {
    format: 'xlsx',
    rows: 'record',
    fields: ['contact'],
    attachments: false,
    personal: false,
    nameRule: '{date}',
    filter: { period: '7d' },
    tz: 'Asia/Shanghai',
    language: 'zh',
  })
  await admin.call('POST', '/tokens', { name: '报表', permissions: ['report.read'] })
  // Of somebody who does not manage the bin: what such a one deletes goes through it.
  const agent = await admin.page.context().browser()?.newContext()
  if (!agent) throw new Error('no browser')
  const call = async (method: string, path: string, data?: object) => {
    const answer = await agent.request.fetch(`${origin}/api${path}`, { method, data, headers: { origin } })
    expect(answer.ok(), `${method} ${path}: ${answer.status()}`).toBe(true)
    return answer.json()
  }
  await call('POST', '/login', { email: 'chen.jianing@huike.local', password })
  const { items } = (await call('GET', '/records?filter=%7B%22status%22%3A%5B%22closed%22%5D%7D')) as { items: { id: string }[] }
  for (const { id } of items.slice(0, 3)) await call('POST', `/records/${id}/delete`)
  await agent.close()
}
