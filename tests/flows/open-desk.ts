/** How most browser tests begin: an owner at the workbench, a visitor on a page. */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from '@playwright/test'
import { expect } from '@playwright/test'
import { AdminPage, ShopPage, WorkbenchPage } from '../pages/pages.ts'
import { owner } from '../support/e2e.ts'

export interface Desk {
  context: BrowserContext
  admin: AdminPage
  workbench: WorkbenchPage
}

/** The owner of an empty hub, signed in; for the tests that are not about the page that asks for one. */
export async function makeOwner(context: BrowserContext, hubUrl: string): Promise<void> {
  const response = await context.request.post(`${hubUrl}/api/setup`, { data: { ...owner, locale: 'zh' }, headers: { origin: hubUrl } })
  expect(response.ok(), `set-up: ${response.status()}`).toBe(true)
}

/** An empty hub is set up; its owner sits at the workbench, the one agent there is. */
export async function openDesk(browser: Browser, hubUrl: string, options: BrowserContextOptions = {}): Promise<Desk> {
  const context = await browser.newContext({ locale: 'zh-CN', ...options })
  const page = await context.newPage()
  const admin = new AdminPage(page)
  await makeOwner(context, hubUrl)
  const workbench = new WorkbenchPage(page)
  await workbench.open(hubUrl)
  return { context, admin, workbench }
}

/** Somebody new, with a built-in role or one of these grants, in a department or none, signed in at the workbench. */
export async function joinHub(
  browser: Browser,
  admin: AdminPage,
  hubUrl: string,
  name: string,
  as: 'agent' | 'supervisor' | 'admin' | object[],
  departmentId: string | null = null,
): Promise<Page> {
  const role =
    typeof as === 'string'
      ? (await admin.call<{ items: { id: string; builtin: string | null }[] }>('GET', '/roles')).items.find(({ builtin }) => builtin === as)
      : await admin.call<{ id: string }>('POST', '/roles', { name: `${name}的角色`, grants: as })
  const email = `${Buffer.from(name).toString('hex')}@shanye.cn`
  const made = await admin.call<{ invitation: string }>('POST', '/agents', { email, name, departmentId, roleIds: [role?.id] })
  const page = await (await browser.newContext({ locale: 'zh-CN', timezoneId: 'Asia/Shanghai' })).newPage()
  await page.goto(new URL(made.invitation, hubUrl).href)
  await page.getByLabel('密码').fill('mountain-tea-2026-x')
  await page.getByLabel('密码').press('Enter')
  await page.waitForURL(/\/workbench/)
  return page
}

/** A visitor of their own browser on the demo shop, with the chat open. */
export async function openShop(browser: Browser, hubUrl: string, options: BrowserContextOptions = {}): Promise<{ context: BrowserContext; shop: ShopPage }> {
  const context = await browser.newContext({ locale: 'zh-CN', ...options })
  const shop = new ShopPage(await context.newPage())
  await shop.open(hubUrl)
  await shop.openChat()
  return { context, shop }
}
