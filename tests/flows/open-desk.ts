/** How most browser tests begin: an owner at the workbench, a visitor on a page. */
import type { Browser, BrowserContext, BrowserContextOptions } from '@playwright/test'
import { AdminPage, ShopPage, WorkbenchPage } from '../pages/pages.ts'
import { owner } from '../support/e2e.ts'

export interface Desk {
  context: BrowserContext
  admin: AdminPage
  workbench: WorkbenchPage
}

/** An empty hub is set up; its owner sits at the workbench, the one agent there is. */
export async function openDesk(browser: Browser, hubUrl: string): Promise<Desk> {
  const context = await browser.newContext({ locale: 'zh-CN' })
  const page = await context.newPage()
  const admin = new AdminPage(page)
  await admin.setUp(hubUrl, owner)
  const workbench = new WorkbenchPage(page)
  await workbench.open(hubUrl)
  return { context, admin, workbench }
}

/** A visitor of their own browser on the demo shop, with the chat open. */
export async function openShop(browser: Browser, hubUrl: string, options: BrowserContextOptions = {}): Promise<{ context: BrowserContext; shop: ShopPage }> {
  const context = await browser.newContext({ locale: 'zh-CN', ...options })
  const shop = new ShopPage(await context.newPage())
  await shop.open(hubUrl)
  await shop.openChat()
  return { context, shop }
}
