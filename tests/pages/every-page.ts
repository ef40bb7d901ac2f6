/** Every page of both apps, whatever their language: for tests that look at all of them. */
import { expect, type Page } from '@playwright/test'
import type { AdminPage } from './pages.ts'

export interface Stop {
  name: string
  path: string
  /** Something that stands there only once it is drawn. */
  shows: string
}

const adminPages = [
  'overview',
  'inboxes',
  'agents',
  'departments',
  'assignment',
  'roles',
  'records',
  'recycle-bin',
  'retention',
  'categories',
  'tags',
  'plugins',
  'tokens',
  'system',
  'account',
  'x/audit/log',
  'x/extraction/rules',
  'x/export/exports',
]
/** What a page holds beyond its heading, where there is something to hold. */
const holds: Record<string, string> = {
  records: '[data-testid="record"]',
  inboxes: 'table a',
  agents: 'tbody tr',
  assignment: 'tbody tr',
  roles: 'tbody td',
  plugins: '.card',
  system: 'dl',
  account: 'h2',
  'x/audit/log': 'tbody tr',
  'x/extraction/rules': 'tbody tr',
}
const groups = ['mine', 'queue', 'open', 'starred', 'closed']

/** In a hub where somebody has written and somebody has answered. */
export async function everyPage(admin: AdminPage): Promise<Stop[]> {
  const { items: conversations } = await admin.call<{ items: { id: string; contact: { id: string } }[] }>('GET', '/conversations?group=mine')
  const { items: records } = await admin.call<{ items: { id: string }[] }>('GET', '/records')
  const { items: inboxes } = await admin.call<{ items: { id: string; channel: string }[] }>('GET', '/inboxes')
  const in_ = (app: 'admin' | 'workbench', path: string, shows = 'h1'): Stop => ({
    name: `${app} ${path.replace(/[0-9a-z]{26}/, '…')}`,
    path: `/${app}/${path}`,
    shows,
  })
  return [
    ...groups.map((group) => in_('workbench', `conversations/${group}`, 'nav + section')),
    ...conversations.slice(0, 3).map(({ id }) => in_('workbench', `conversations/mine/${id}`, '[data-testid="message"]')),
    ...conversations.slice(0, 1).map(({ contact }) => in_('workbench', `contacts/${contact.id}`, '[data-testid="turn"]')),
    in_('workbench', 'visitors'),
    in_('workbench', 'records', '[data-testid="record"]'),
    ...records.slice(0, 1).map(({ id }) => in_('workbench', `records/${id}`, '[data-testid="message"]')),
    in_('workbench', 'x/export/exports', '[data-testid="exports"] h2'),
    ...adminPages.map((name) => in_('admin', name, holds[name])),
    ...inboxes.map(({ id, channel }) => in_('admin', `inboxes/${id}`, channel === 'website' ? 'iframe' : 'form')),
  ]
}

/** There, and all of it drawn. */
export async function goTo(page: Page, hubUrl: string, { path, shows }: Stop): Promise<void> {
  await page.goto(hubUrl + path)
  await expect(page.locator(shows).filter({ visible: true }).first()).toBeVisible()
  await expect(page.locator('.skeleton').filter({ visible: true })).toHaveCount(0)
  if (shows === 'iframe') await expect(page.frameLocator('iframe').locator('.log')).toBeVisible()
}

/** Signs in at the form that is shown, whatever its language. */
export async function signInHere(page: Page, { email, password }: { email: string; password: string }): Promise<void> {
  await page.locator('input[type=email]').fill(email)
  await page.locator('input[type=password]').fill(password)
  await page.locator('button[type=submit]').click()
  await expect(page.locator('nav').first()).toBeVisible()
}
