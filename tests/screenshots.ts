/** Makes the README's pictures from the demonstration world: node tests/screenshots.ts */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { chromium, expect } from '@playwright/test'
import { startHub } from '../core/src/app.ts'
import { readEnv } from '../core/src/config/env.ts'
import { fillDemo } from '../core/src/demo/fill.ts'
import { ShopPage } from './pages/pages.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'huike-pictures-'))
const hub = await startHub(readEnv({ HUB_DATA: dataDir, PORT: '0', LOG_LEVEL: 'silent' }))
const [email = '', password = ''] = (await fillDemo(hub.hub))?.split(' / ') ?? []
const pictureOf = (name: string): string => resolve(import.meta.dirname, `../core/docs/images/${name}.png`)
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-background-networking', '--disable-quic'],
})
try {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'zh-CN' })).newPage()
  await page.goto(`${hub.url}/workbench`)
  await page.getByLabel('邮箱').fill(email)
  await page.getByLabel('密码').fill(password)
  await page.getByRole('button', { name: '登录' }).click()
  await page.getByRole('region', { name: '会话列表' }).getByRole('link').filter({ hasText: '赵女士' }).click()
  await page.getByRole('heading', { name: '全渠道动态' }).waitFor()
  await page.waitForLoadState('networkidle')
  await page.screenshot({ path: pictureOf('workbench') })
  await page.goto(`${hub.url}/admin/overview`)
  // What was said is counted within a minute.
  await expect(async () => {
    await page.reload()
    await page.getByTestId('trend').locator('canvas').waitFor({ timeout: 3_000 })
  }).toPass({ timeout: 90_000 })
  await page.waitForLoadState('networkidle')
  await page.screenshot({ path: pictureOf('admin') })
  const shop = await (await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'zh-CN' })).newPage()
  await shop.goto(`${hub.url}/demo`)
  const chat = new ShopPage(shop)
  await chat.openChat()
  await chat.say('老班章头采还有货吗？')
  await expect(chat.chat.getByText('发送中')).toHaveCount(0)
  await shop.screenshot({ path: pictureOf('widget') })
} finally {
  await browser.close()
  await hub.stop()
  rmSync(dataDir, { recursive: true, force: true })
}
