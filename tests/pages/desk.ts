/** The workbench as an agent works in it all day: keys, palette, who else is here, files. */
import { expect, type Locator, type Page } from '@playwright/test'
import { WorkbenchPage } from './pages.ts'

export class DeskPage extends WorkbenchPage {
  readonly company: Locator
  readonly viewer: Locator
  readonly line: Locator
  constructor(page: Page) {
    super(page)
    this.company = page.getByTestId('company')
    this.viewer = page.getByTestId('viewer')
    this.line = page.getByTestId('line')
  }
  get composer(): Locator {
    return this.page.getByTestId('composer')
  }
  get thread(): Locator {
    return this.page.getByTestId('thread')
  }
  /** A plain key, with nobody writing. */
  async press(key: string): Promise<void> {
    await this.page.keyboard.press(key)
  }
  async palette(words: string): Promise<Locator> {
    await this.page.keyboard.press('Control+k')
    const field = this.page.getByRole('combobox', { name: '搜索会话、跳转或执行操作' })
    await expect(field).toBeFocused()
    await field.fill(words)
    return this.page.getByRole('dialog', { name: '快速跳转' }).getByRole('option')
  }
  async attach(name: string, mimeType: string, buffer: Buffer): Promise<void> {
    await this.page.locator('.composer input[type=file]').setInputFiles({ name, mimeType, buffer })
  }
}
