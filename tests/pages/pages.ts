/** Page objects: what a person sees and does, not how it is built. */
import { expect, type FrameLocator, type Locator, type Page } from '@playwright/test'
import { giveFile, whatIsBeyond } from '../support/in-page.ts'

/** The widget, on whatever page it stands. */
export class ShopPage {
  readonly page: Page
  constructor(page: Page) {
    this.page = page
  }
  get chat(): FrameLocator {
    return this.page.frameLocator('iframe[src*="/api/x/website/frame/"]')
  }
  get button(): Locator {
    return this.page.getByRole('button', { name: /^(联系客服|Chat with us)/ })
  }
  get input(): Locator {
    return this.chat.getByTestId('visitor-input')
  }
  /** What the hub has not taken yet. */
  get waiting(): Locator {
    return this.chat.getByTestId('visitor-waiting')
  }
  /** The sentence above the input. */
  get notice(): Locator {
    return this.chat.locator('.notice')
  }
  async open(base: string): Promise<void> {
    await this.visit(`${base}/demo`)
  }
  async visit(url: string): Promise<void> {
    await this.page.goto(url)
    await expect(this.button).toBeVisible()
  }
  async openChat(): Promise<void> {
    await this.button.click()
    await expect(this.input).toBeVisible()
  }
  async say(text: string): Promise<void> {
    // The window is a frame of another site: right after it was opened, keys may still go to the page around it.
    await expect(async () => {
      await this.input.fill(text)
      await expect(this.input).toHaveValue(text, { timeout: 1_000 })
    }).toPass({ timeout: 10_000 })
    await this.input.press('Enter')
  }
  message(text: string) {
    return this.chat.getByTestId('visitor-message').filter({ hasText: text })
  }
  /** A picture from the clipboard or from a folder. */
  async give(how: 'paste' | 'drop', file: { name: string; type: string; bytes: Buffer }): Promise<void> {
    const target = how === 'paste' ? this.input : this.chat.locator('body')
    await target.evaluate(giveFile, { how, name: file.name, type: file.type, base64: file.bytes.toString('base64') })
  }
}

export class AdminPage {
  readonly page: Page
  constructor(page: Page) {
    this.page = page
  }
  async setUp(base: string, owner: { name: string; email: string; password: string }): Promise<void> {
    await this.page.goto(base)
    await this.page.getByLabel('您的姓名').fill(owner.name)
    await this.page.getByLabel('邮箱').fill(owner.email)
    await this.page.getByLabel('密码').fill(owner.password)
    await this.page.getByRole('button', { name: '创建账号' }).click()
    await expect(this.page.getByRole('heading', { name: '渠道接入' })).toBeVisible()
  }
  async open(base: string, name: string, title: string): Promise<void> {
    await this.page.goto(`${base}/admin/${name}`)
    await expect(this.page.getByRole('heading', { level: 1, name: title })).toBeVisible()
    await expect(this.page.locator('.skeleton')).toHaveCount(0)
  }
  /** Behind a button on a phone. */
  get nav(): Locator {
    return this.page.getByRole('navigation', { name: '管理导航' })
  }
  /** What reaches beyond the right edge of the window, by its class; what scrolls by itself is not counted. */
  beyond(): Promise<string[]> {
    return this.page.evaluate(whatIsBeyond)
  }
  /** Whoever is signed in here asks the hub, as the admin would. */
  async call<T>(method: string, path: string, data?: object): Promise<T> {
    const { origin } = new URL(this.page.url())
    const response = await this.page.request.fetch(`${origin}/api${path}`, { method, data, headers: { origin } })
    expect(response.ok(), `${method} ${path}: ${response.status()}`).toBe(true)
    return (await response.json()) as T
  }
  /** The first site there is. */
  async website(): Promise<{ id: string; settings: Record<string, unknown> }> {
    const { items } = await this.call<{ items: { id: string; channel: string; settings: Record<string, unknown> }[] }>('GET', '/inboxes')
    const found = items.find(({ channel }) => channel === 'website')
    if (!found) throw new Error('there is no website inbox')
    return found
  }
}

export class AccountPage {
  readonly page: Page
  constructor(page: Page) {
    this.page = page
  }
  async open(base: string): Promise<void> {
    await this.page.goto(`${base}/admin/account`)
    await expect(this.page.getByRole('heading', { name: '我的账号' })).toBeVisible()
  }
  /** Switches the second factor on; returns the secret and the recovery codes. */
  async enrol(codeOf: (secret: string) => string, password: string): Promise<{ secret: string; codes: string[] }> {
    await this.page.getByRole('button', { name: '开启两步验证' }).click()
    await expect(this.page.getByRole('img', { name: '用于身份验证器的二维码' })).toBeVisible()
    const secret = (await this.page.locator('code.secret').innerText()).replaceAll(' ', '')
    await this.page.getByLabel('验证码').fill(codeOf(secret))
    await this.page.locator('.enrol').getByLabel('密码').fill(password)
    await this.page.getByRole('button', { name: '开启两步验证' }).click()
    await expect(this.page.getByRole('heading', { name: '请保存恢复码' })).toBeVisible()
    const codes = await this.page.getByRole('listitem').allInnerTexts()
    await this.page.getByRole('button', { name: '我已保存' }).click()
    return { secret, codes }
  }
}

export class WorkbenchPage {
  readonly page: Page
  constructor(page: Page) {
    this.page = page
  }
  async open(base: string): Promise<void> {
    await this.page.goto(`${base}/workbench`)
    await expect(this.page.getByRole('navigation', { name: '会话分组' })).toBeVisible()
  }
  async login(email: string, password: string): Promise<void> {
    await this.page.getByLabel('邮箱').fill(email)
    await this.page.getByLabel('密码').fill(password)
    await this.page.getByRole('button', { name: '登录' }).click()
  }
  get list() {
    return this.page.getByRole('region', { name: '会话列表' })
  }
  async pick(text: string): Promise<void> {
    await this.list.getByRole('link').filter({ hasText: text }).click()
  }
  async reply(text: string): Promise<void> {
    await this.page.getByTestId('composer').fill(text)
    await this.page.getByTestId('composer').press('Enter')
  }
  message(text: string) {
    return this.page.getByTestId('message').filter({ hasText: text })
  }
}
