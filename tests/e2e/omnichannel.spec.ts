/** The world of `npm run dev -- omnichannel`, as a person uses it: write on a phone, answer in the workbench, see it on the phone. Needs the bundled plugins. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import { expect, test } from '@playwright/test'
import { WorkbenchPage } from '../pages/pages.ts'
import { freePort } from '../support/free-port.ts'

let child: ChildProcess
let dataDir: string
let hub = ''
let phonesUrl = ''
test.beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'huike-omnichannel-'))
  child = spawn(resolve('node_modules/.bin/node'), ['tests/scenarios/open.ts', 'omnichannel'], {
    env: { ...process.env, NODE_OPTIONS: '', PORT: String(await freePort()), SCENARIO_DATA: dataDir, LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  await new Promise<void>((done, fail) => {
    child.stdout?.on('data', (chunk) => {
      said += chunk
      if (said.includes('every-channel-of-one-shop')) done()
    })
    child.once('exit', () => fail(new Error(`the world ended:\n${said}`)))
  })
  hub = /(http:\S+)\/workbench/.exec(said)?.[1] ?? ''
  phonesUrl = /phones: (http:\S+)/.exec(said)?.[1] ?? ''
})
test.afterAll(async () => {
  await new Promise((done) => {
    child.once('exit', done)
    child.kill('SIGTERM')
  })
  rmSync(dataDir, { recursive: true, force: true })
})

test('a follower writes on WeChat, an agent answers, the phone shows it; a lost answer is uncertain', async ({ browser }) => {
  const phones = await (await browser.newContext({ locale: 'zh-CN', viewport: { width: 1440, height: 900 } })).newPage()
  await phones.goto(phonesUrl)
  await expect(phones.getByRole('region', { name: '官网' })).toBeVisible()
  expect(await phones.evaluate('document.documentElement.scrollWidth'), 'all phones are within the window').toBe(1440)
  const wechat = phones.getByRole('region', { name: '微信公众号' })
  await wechat.getByRole('button', { name: '关注' }).click()
  await expect(wechat.getByText('关注了公众号')).toBeVisible()
  await wechat.getByRole('textbox').fill('老班章头采还有货吗？')
  await wechat.getByRole('textbox').press('Enter')

  const workbench = new WorkbenchPage(await (await browser.newContext({ locale: 'zh-CN' })).newPage())
  await workbench.page.goto(`${hub}/workbench`)
  await workbench.login('owner@omnichannel.test', 'every-channel-of-one-shop')
  await workbench.pick('老班章')
  await workbench.reply('头采还有十二饼，今天下单今天发。')
  await expect(wechat.getByText('头采还有十二饼')).toHaveCount(1)

  await wechat.getByText('平台故障').click()
  await wechat.getByRole('button', { name: '应答丢失' }).click()
  await expect(wechat.getByText('微信的应答会丢失')).toBeVisible()
  await workbench.reply('要给您留一饼吗？')
  await expect(wechat.getByText('要给您留一饼吗？')).toHaveCount(1)
  await expect(workbench.message('要给您留一饼吗？')).toHaveAttribute('data-state', 'uncertain')

  for (const scheme of ['light', 'dark'] as const) {
    await phones.goto(`${phonesUrl}/?theme=${scheme}`)
    await expect(wechat.getByRole('textbox')).toBeVisible()
    const { violations } = await new AxeBuilder({ page: phones }).exclude('iframe').analyze()
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])
  }
})
