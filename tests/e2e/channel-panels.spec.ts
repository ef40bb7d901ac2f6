/** Needs the bundled plugins: what an admin sees of each channel's inbox, against its platform's simulator. */
import { createHmac, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import AxeBuilder from '@axe-core/playwright'
import type { Browser, Locator, Page } from '@playwright/test'
import { DouyinServer, WechatServer } from '../../core/sdk/testing.ts'
import { AdminPage } from '../pages/pages.ts'
import { expect, owner, test } from '../support/e2e.ts'

test.use({ actionTimeout: 15_000 })
// Each sets a hub up and is read whole by axe, in both looks.
test.setTimeout(150_000)

class InboxPanel {
  readonly page: Page
  readonly admin: AdminPage
  readonly hubUrl: string
  id = ''
  constructor(page: Page, hubUrl: string) {
    this.page = page
    this.admin = new AdminPage(page)
    this.hubUrl = hubUrl
  }
  static async open(browser: Browser, hubUrl: string): Promise<InboxPanel> {
    const panel = new InboxPanel(await (await browser.newContext({ locale: 'zh-CN' })).newPage(), hubUrl)
    await panel.admin.setUp(hubUrl, owner)
    return panel
  }
  /** Adds one in the browser; its settings come as the form would send them. */
  async add(channel: string, name: string, settings: Record<string, unknown>): Promise<void> {
    const { page } = this
    await page.getByRole('button', { name: '新增渠道账号' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('渠道').selectOption({ label: channel })
    await dialog.getByLabel('名称').fill(name)
    await dialog.getByRole('button', { name: '添加' }).click()
    await page.waitForURL(/\/admin\/inboxes\/[0-9a-z]{26}$/)
    this.id = page.url().slice(-26)
    await this.save(settings)
  }
  async save(settings: Record<string, unknown>): Promise<void> {
    const { items } = await this.admin.call<{ items: { id: string; settings: Record<string, unknown> }[] }>('GET', '/inboxes')
    const now = items.find(({ id }) => id === this.id)?.settings
    await this.admin.call('PATCH', `/inboxes/${this.id}`, { settings: { ...now, ...settings } })
    await this.page.reload()
    await expect(this.health).toBeVisible()
  }
  get health() {
    return this.page.getByRole('region', { name: '连接状态' })
  }
  async probe(): Promise<void> {
    await this.health.getByRole('button', { name: '测试连接' }).click()
    await expect(this.health.locator('.steps')).toBeVisible({ timeout: 35_000 })
  }
  async sendTest(to: string): Promise<void> {
    await this.health.getByRole('textbox').fill(to)
    await this.health.locator('form').getByRole('button').click()
    await expect(this.health.locator('.sent')).toBeVisible({ timeout: 35_000 })
  }
  /** Switched off, it is that and nothing else, and its own part says so instead of failing; on again it is as before. */
  async offAndOn(own: Locator, whileOff = async () => {}): Promise<void> {
    const { page } = this
    await page.getByRole('button', { name: '停用', exact: true }).click()
    await expect(this.health.locator('.tag')).toHaveText('已停用')
    await expect(own).toContainText('已停用，启用后才能')
    await page.reload()
    await expect(this.health.locator('.tag')).toHaveText('已停用')
    await expect(own).toContainText('已停用，启用后才能')
    await expect(own.getByText(/失败|重试/)).toHaveCount(0)
    await whileOff()
    await page.getByRole('button', { name: '启用', exact: true }).click()
    await expect(own).not.toContainText('已停用')
  }
  async axe(what: string): Promise<void> {
    for (const look of ['light', 'dark'] as const) {
      await this.page.emulateMedia({ colorScheme: look })
      const { violations } = await new AxeBuilder({ page: this.page }).analyze()
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      expect(serious.map(({ id, nodes }) => `${what} ${look}: ${id} ${nodes.map((n) => n.target.join(' ')).join(', ')}`)).toEqual([])
    }
  }
}

test('WeChat: keys are made, a wrong AppSecret is told with its remedy and rings the bell, the right one mends it', async ({ hubUrl, browser }) => {
  const server = await new WechatServer().start()
  const account = server.account()
  const panel = await InboxPanel.open(browser, hubUrl)
  const { page } = panel
  await panel.add('微信', '山野茶公众号', { ...account.settings, appSecret: 'wrong' })
  const help = page.getByRole('region', { name: '接入微信' })
  await expect(help.getByLabel('服务器地址（URL）').first()).toHaveValue(`${hubUrl}/api/channels/wechat/${panel.id}`)
  await help.getByRole('button', { name: '生成 Token 和 EncodingAESKey' }).click()
  await expect(help.locator('input').nth(2)).toHaveValue(/^[0-9A-Za-z]{43}$/)
  await panel.probe()
  await expect(panel.health.locator('[data-ok="false"]').first()).toContainText('AppSecret')
  const person = account.person()
  account.heard(person)
  await panel.sendTest(person.openid)
  await expect(panel.health.locator('.sent')).toHaveAttribute('data-ok', 'false')
  await expect(panel.health.locator('.fault')).toContainText('AppSecret')
  await expect(panel.health.getByText('需要重新授权')).toBeVisible()

  // The bell rings at once, in both apps, and leads here.
  const bell = page.getByTestId('bell')
  await expect(bell).toHaveAccessibleName('通知 · 1 条未读')
  const workbench = await page.context().newPage()
  await workbench.goto(`${hubUrl}/workbench`)
  await workbench.getByTestId('bell').click()
  await expect(workbench.getByTestId('notice')).toContainText('“山野茶公众号”的授权已失效')
  await expect(workbench.getByTestId('notice')).toContainText('AppSecret')
  await workbench.getByRole('link', { name: '查看' }).click()
  await workbench.waitForURL(`${hubUrl}/admin/inboxes/${panel.id}`)
  await workbench.close()
  await expect(bell).toHaveAccessibleName('通知')
  await bell.click()
  await expect(page.getByTestId('notice')).toHaveAttribute('data-read', 'true')
  await panel.axe('wechat and notices')
  await page.keyboard.press('Escape')
  await expect(bell).toBeFocused()

  // Right in the form and not saved: told, and nothing of the inbox has changed. Saved, the hub tries it by itself.
  await page.getByLabel('AppSecret').fill(account.secret)
  await page.getByLabel('AppSecret').press('Tab')
  await panel.probe()
  await expect(panel.health.locator('.steps [data-ok="false"]')).toHaveCount(0)
  await expect(panel.health.getByText('测试用的是尚未保存的设置，保存后即恢复。')).toBeVisible()
  await expect(panel.health.getByText('需要重新授权')).toBeVisible()
  await page.getByRole('button', { name: '保存', exact: true }).click()
  await expect(panel.health.getByText('已连接')).toBeVisible()
  await panel.sendTest(person.openid)
  await expect(panel.health.locator('.sent')).toHaveAttribute('data-ok', 'true')
  await expect(panel.health.getByText('已连接')).toBeVisible()
  expect(account.sent).toHaveLength(1)
  await bell.click()
  await expect(page.getByTestId('notice')).toContainText('已解决')
  await server.stop()
})

test('Douyin: without an authorisation it says so, in the panel and in the test', async ({ hubUrl, browser }) => {
  const server = await new DouyinServer().start()
  const panel = await InboxPanel.open(browser, hubUrl)
  await panel.admin.call('PUT', '/plugins/douyin/settings', { apiUrl: server.url })
  await panel.add('抖音私信', '山野茶抖音号', { clientKey: server.clientKey, clientSecret: server.clientSecret })
  const own = panel.page.getByTestId('douyin-panel')
  await expect(own).toContainText(`/api/channels/douyin/${panel.id}`)
  await expect(own.getByRole('button', { name: '授权抖音账号' })).toBeEnabled()
  await panel.probe()
  await expect(panel.health.locator('[data-ok="false"]').first()).toContainText('授权')
  await panel.sendTest('_000nobody')
  // Nobody has written yet, so the platform would take nothing: that is what stands in the way first.
  await expect(panel.health.locator('.sent')).toHaveAttribute('data-ok', 'false')
  await expect(panel.health.locator('.sent')).toContainText('回复时限')
  await panel.axe('douyin')
  await panel.offAndOn(own, () => panel.axe('switched off'))
  await expect(own.getByRole('button', { name: '授权抖音账号' })).toBeEnabled()
  await server.stop()
})

test('Email: a server that is not there is named with what helps; the OAuth panel asks for its keys first', async ({ hubUrl, browser }) => {
  const panel = await InboxPanel.open(browser, hubUrl)
  await panel.add('邮件', '客服邮箱', {
    preset: 'custom',
    address: 'help@shanye.cn',
    imapHost: '127.0.0.1',
    imapPort: 1,
    smtpHost: '127.0.0.1',
    smtpPort: 1,
    password: 'nothing',
  })
  await panel.probe()
  const wrong = panel.health.locator('[data-ok="false"]').first()
  await expect(wrong).toBeVisible()
  await expect(wrong.locator('.muted')).not.toBeEmpty()
  await panel.sendTest('somebody@shanye.cn')
  await expect(panel.health.locator('.sent')).toHaveAttribute('data-ok', 'false')
  await panel.axe('email')
  // What only the other login needs is not in the way; what was written is there again.
  const { page } = panel
  const [password, client] = [page.getByRole('textbox', { name: '密码或授权码' }), page.getByRole('textbox', { name: 'OAuth 客户端 ID' })]
  await expect(client).toBeHidden()
  await password.fill('written before')
  await password.press('Tab')
  await page.getByRole('combobox', { name: '登录方式' }).selectOption({ label: 'OAuth 授权（Gmail、Microsoft）' })
  await expect(password).toBeHidden()
  await client.fill('a-client')
  await page.getByRole('combobox', { name: '登录方式' }).selectOption({ label: '密码或授权码' })
  await expect(client).toBeHidden()
  await expect(password).toHaveValue('written before')
  await panel.save({ provider: 'gmail', address: 'help@gmail.com', login: 'oauth' })
  const form = page.locator('main form').first()
  await expect(form).toContainText('请先填写 OAuth 客户端 ID')
  await panel.offAndOn(form)
  await expect(form).toContainText('请先填写 OAuth 客户端 ID')
})

test('App: addresses and a secret, a signed test against a receiver, its failure with the remedy', async ({ hubUrl, browser }) => {
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  const got: boolean[] = []
  let status = 200
  const receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': given } = request.headers
    const wanted = createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
      .update(`${id}.${at}.${Buffer.concat(chunks)}`)
      .digest('base64')
    got.push(String(given).split(' ').includes(`v1,${wanted}`))
    response.writeHead(status).end('{}')
  })
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done))
  const panel = await InboxPanel.open(browser, hubUrl)
  await panel.admin.call('PUT', '/plugins/app/settings', { allowPrivateAddresses: true })
  await panel.add('应用', '会员 App', { endpointUrl: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hub`, secret })
  const own = panel.page.getByTestId('app-panel')
  await expect(own).toContainText(`${hubUrl}/api/channels/app/${panel.id}`)
  await own.getByRole('button', { name: '生成新密钥' }).click()
  await expect(own.getByText(/^whsec_/)).toBeVisible()
  await panel.sendTest('user-7')
  await expect(panel.health.locator('.sent')).toHaveAttribute('data-ok', 'true')
  status = 500
  await panel.sendTest('user-7')
  await expect(panel.health.locator('.sent')).toHaveAttribute('data-ok', 'false')
  await expect(panel.health.locator('.fault')).toContainText('连接测试')
  await panel.page.reload()
  await expect(own.getByText('500')).toBeVisible()
  await expect(panel.page.getByTestId('bell')).toHaveAccessibleName('通知 · 1 条未读')
  await panel.axe('app')

  await test.step('a test that goes well mends it, and the bell says so', async () => {
    status = 200
    await panel.probe()
    await expect(panel.health.locator('[data-ok="false"]')).toHaveCount(0)
    await expect(panel.health.getByText('已连接')).toBeVisible()
    await panel.page.getByTestId('bell').click()
    await expect(panel.page.getByTestId('notice')).toContainText('已解决')
    await panel.page.keyboard.press('Escape')
  })

  await test.step('switched off, and on again', async () => {
    await panel.offAndOn(own)
    await expect(own).toContainText(`${hubUrl}/api/channels/app/${panel.id}`)
  })

  await test.step('gone for good: said, and switched on again by the button', async () => {
    status = 410
    await panel.sendTest('user-7')
    await panel.page.reload()
    await expect(own.getByRole('alert')).toContainText('已停用（410）')
    status = 200
    await own.getByRole('button', { name: '恢复推送' }).click()
    await expect(own.getByRole('alert')).toHaveCount(0)
    await expect(panel.health.getByText('已连接')).toBeVisible()
  })
  expect(got.every(Boolean)).toBe(true)

  await test.step('an address inside the network is refused at its field, in the reader’s language', async () => {
    await panel.admin.call('PUT', '/plugins/app/settings', { allowPrivateAddresses: false })
    const address = panel.page.getByRole('textbox', { name: '接收消息的地址' })
    await address.fill('https://10.0.0.7/hub')
    await panel.page.getByRole('button', { name: '保存', exact: true }).click()
    await expect(address).toHaveAttribute('aria-invalid', 'true')
    await expect(address).toBeFocused()
    await expect(panel.page.getByText('这个地址指向内网，不会向它推送')).toBeVisible()
    await panel.axe('a field’s fault')
    await address.fill('https://1.1.1.1/hub')
    await expect(address).toHaveAttribute('aria-invalid', 'false')
    await panel.page.getByRole('button', { name: '保存', exact: true }).click()
    await expect(panel.page.getByText('已保存')).toBeVisible()
  })
  receiver.closeAllConnections()
  receiver.close()
})
