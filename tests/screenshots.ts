/** Makes the README's picture from the demonstration world: node tests/screenshots.ts */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { chromium } from '@playwright/test'
import { startHub } from '../core/src/app.ts'
import { readEnv } from '../core/src/config/env.ts'
import { fillDemo } from '../core/src/demo/fill.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'huike-pictures-'))
const hub = await startHub(readEnv({ HUB_DATA: dataDir, PORT: '0', LOG_LEVEL: 'silent' }))
const [email = '', password = ''] = (await fillDemo(hub.hub))?.split(' / ') ?? []
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
  await page.getByRole('region', { name: '会话列表' }).getByRole('link').first().click()
  await page.getByRole('heading', { name: '浏览轨迹' }).waitFor()
  await page.screenshot({ path: resolve(import.meta.dirname, '../core/docs/images/workbench.png') })
} finally {
  await browser.close()
  await hub.stop()
  rmSync(dataDir, { recursive: true, force: true })
}
