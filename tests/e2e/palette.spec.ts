/** What an agent does all day from the palette and by its keys: status, tag, remark, file, recall, transfer to somebody busy, the way out. */
import { joinHub, openDesk, openShop } from '../flows/open-desk.ts'
import { DeskPage } from '../pages/desk.ts'
import { axeFaults } from '../support/axe.ts'
import { expect, test } from '../support/e2e.ts'

test('status, tag, remark, file and recall from the palette, and out of the door', async ({ hubUrl, browser }) => {
  // A long day, and axe looks at what opens in it.
  test.setTimeout(120_000)
  const { workbench } = await openDesk(browser, hubUrl)
  const desk = new DeskPage(workbench.page)
  const { page } = desk
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('发票什么时候寄？')
  await desk.pick('发票什么时候寄？')
  await expect(desk.message('发票什么时候寄？')).toBeVisible()
  /** One entry, and its key beside it as the sheet has it. */
  const run = async (words: string, keys: string) => {
    const found = await desk.palette(words)
    await expect(found).toHaveCount(1)
    await expect(found.locator('.caps')).toHaveText(keys)
    await desk.press('Enter')
  }

  const me = page.getByTestId('presence')
  await me.click()
  await expect(page.getByRole('radio', { name: '忙碌' })).toBeVisible()
  expect(await axeFaults(page, 'status')).toEqual([])
  await desk.press('Escape')
  await expect(page.getByRole('radio', { name: '忙碌' })).toBeHidden()
  await run('状态切换为忙碌', 'ShiftB')
  await expect(me).toHaveAccessibleName(/忙碌/)
  // What one is already is not offered.
  await expect(await desk.palette('状态切换为忙碌')).toHaveCount(0)
  expect(await axeFaults(page, 'the palette')).toEqual([])
  await desk.press('Escape')
  await desk.thread.focus()
  await desk.press('Shift+O')
  await expect(me).toHaveAccessibleName(/在线/)
  await run('状态切换为离开', 'ShiftA')
  // There is an open conversation: who takes it is asked first.
  const leaving = page.getByRole('dialog', { name: '离开前转交会话' })
  await expect(leaving).toBeVisible()
  expect(await axeFaults(page, 'leaving')).toEqual([])
  await leaving.getByRole('button', { name: '保留' }).press('Enter')
  await expect(me).toHaveAccessibleName(/离开/)
  await expect(leaving).toBeHidden()

  await run('给客户打标签', 'G')
  await expect(page.getByRole('textbox', { name: '添加标签' })).toBeFocused()
  expect(await axeFaults(page, 'tags')).toEqual([])
  await page.keyboard.type('要发票')
  await desk.press('Enter')
  await expect(page.getByTestId('info-strip')).toContainText('要发票')
  await desk.press('Escape')

  await run('写客户备注', 'I')
  await expect(page.getByRole('textbox', { name: '备注' })).toBeFocused()
  await page.keyboard.type('发票抬头：山野茶事')
  await desk.press('Tab')
  await expect(page.getByText('已保存')).toBeVisible()
  // Also when the panel is folded away.
  await page.getByRole('button', { name: '收起资料' }).last().click()
  await expect(page.getByRole('complementary', { name: '客户资料' })).toHaveCount(0)
  await desk.thread.focus()
  await desk.press('i')
  await expect(page.getByRole('textbox', { name: '备注' })).toBeFocused()
  await expect(page.getByRole('textbox', { name: '备注' })).toHaveValue('发票抬头：山野茶事')

  const chooser = page.waitForEvent('filechooser')
  await run('发送文件', 'F')
  await (await chooser).setFiles({ name: '发票.txt', mimeType: 'text/plain', buffer: Buffer.from('山野茶事') })
  await expect(shop.message('发票.txt')).toBeVisible()

  await desk.reply('发票寄到北京了')
  await expect(shop.message('发票寄到北京了')).toBeVisible()
  await run('撤回我的上一条消息', 'Z')
  await expect(page.getByRole('dialog')).toContainText('发票寄到北京了')
  await desk.press('Enter')
  await expect(page.getByText('您撤回了一条消息')).toBeVisible()
  await expect(shop.message('发票寄到北京了')).toHaveCount(0)

  await desk.thread.focus()
  await desk.press('?')
  const sheet = page.getByRole('dialog', { name: '键盘快捷键' })
  for (const words of ['状态切换为忙碌', '退出登录', '撤回我的上一条消息', '发送文件', '给客户打标签', '写客户备注'])
    await expect(sheet.getByText(words)).toBeVisible()
  expect(await axeFaults(page, 'the sheet')).toEqual([])
  await desk.press('Escape')
  await expect(sheet).toBeHidden()

  await run('退出登录', 'ShiftQ')
  await page.getByRole('dialog', { name: '退出前转交会话' }).getByRole('button', { name: '保留并退出' }).press('Enter')
  await expect(page.getByRole('button', { name: '登录' })).toBeVisible()
})

test('who is busy is shown as busy, and is given a conversation only when that is said twice', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const desk = new DeskPage(workbench.page)
  const { page } = desk
  const wang = new DeskPage(await joinHub(browser, admin, hubUrl, '王芳', 'agent'))
  await wang.press('Shift+B')
  await expect(wang.page.getByTestId('presence')).toHaveAccessibleName(/忙碌/)
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('茶刀在哪里买？')
  await desk.pick('茶刀在哪里买？')
  await expect(desk.message('茶刀在哪里买？')).toBeVisible()
  const given: string[] = []
  page.on('request', (request) => request.url().endsWith('/transfer') && given.push(request.url()))

  await desk.thread.focus()
  await desk.press('t')
  const field = page.getByRole('combobox', { name: '转接给' })
  await expect(field).toBeFocused()
  await expect(page.getByRole('option', { name: /王芳/ })).toContainText('忙碌')
  expect(await axeFaults(page, 'transfer')).toEqual([])
  await desk.press('Enter')
  const anyway = page.getByRole('button', { name: '仍然转接' })
  await expect(page.getByText('王芳 正在忙碌，仍要转接吗？')).toBeVisible()
  await expect(anyway).toBeFocused()
  expect(await axeFaults(page, 'transfer to somebody busy')).toEqual([])
  await desk.press('Escape')
  await expect(field).toBeFocused()
  expect(given).toEqual([])

  await test.step('somebody who has gone meanwhile gets none: the hub decides', async () => {
    // As a screen that has not heard of it yet.
    await page.route('**/api/colleagues', async (route) => {
      const answer = await route.fetch()
      const { items } = (await answer.json()) as { items: { name: string; presence: string }[] }
      await route.fulfill({ response: answer, json: { items: items.map((one) => (one.name === '王芳' ? { ...one, presence: 'busy' } : one)) } })
    })
    await wang.press('Shift+A')
    await expect(wang.page.getByTestId('presence')).toHaveAccessibleName(/离开/)
    await desk.press('Enter')
    await anyway.press('Enter')
    await expect(page.getByRole('alert')).toContainText('该同事当前不在线')
    await expect(wang.list.getByRole('link')).toHaveCount(0)
    await page.unrouteAll({ behavior: 'wait' })
    await wang.press('Shift+B')
    await expect(wang.page.getByTestId('presence')).toHaveAccessibleName(/忙碌/)
  })

  await anyway.press('Enter')
  await expect(page.getByText('已转接给 王芳')).toBeVisible()
  await expect(wang.list.getByRole('link').filter({ hasText: '茶刀在哪里买？' })).toBeVisible()
})
