/** Page objects: what a person sees and does, not how it is built. */
import { expect, type FrameLocator, type Page } from '@playwright/test'

export class ShopPage {
  readonly page: Page
  constructor(page: Page) {
    this.page = page
  }
  get chat(): FrameLocator {
    return this.page.frameLocator('iframe[src*="/api/x/website/frame/"]')
  }
  async open(base: string): Promise<void> {
    await this.page.goto(`${base}/demo`)
    await expect(this.page.getByRole('button', { name: '联系客服' })).toBeVisible()
  }
  async openChat(): Promise<void> {
    await this.page.getByRole('button', { name: '联系客服' }).click()
    await expect(this.chat.getByTestId('visitor-input')).toBeVisible()
  }
  async say(text: string): Promise<void> {
    await this.chat.getByTestId('visitor-input').fill(text)
    await this.chat.getByTestId('visitor-input').press('Enter')
  }
  message(text: string) {
    return this.chat.getByTestId('visitor-message').filter({ hasText: text })
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
  async enrol(codeOf: (secret: string) => string): Promise<{ secret: string; codes: string[] }> {
    await this.page.getByRole('button', { name: '开启两步验证' }).click()
    await expect(this.page.getByRole('img', { name: '用于身份验证器的二维码' })).toBeVisible()
    const secret = (await this.page.locator('code.secret').innerText()).replaceAll(' ', '')
    await this.page.getByLabel('验证码').fill(codeOf(secret))
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
