/** Somebody whose role hides phone numbers sees 138****5678 in the thread and the panel, and the whole of it once they said why. */
import { openDesk, openShop } from '../flows/open-desk.ts'
import { expect, test } from '../support/e2e.ts'

test('a hidden number is shown for a reason, field by field, kind by kind within a message', async ({ hubUrl, browser }) => {
  test.setTimeout(120_000)
  const { admin, workbench: desk } = await openDesk(browser, hubUrl)
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('请打 13812345678 或写 alice@example.com')
  await desk.pick('请打 13812345678 或写 alice@example.com')
  await desk.page.getByRole('textbox', { name: '电话' }).fill('13912345678')
  await desk.page.getByRole('textbox', { name: '电话' }).press('Enter')
  await expect(desk.page.getByText('已保存')).toBeVisible()

  const grants = [
    { permission: 'conversation.read', scope: 'all' },
    { permission: 'contact.reveal', fields: ['phone', 'email'] },
    { permission: 'contact.personal', fields: ['name'] },
  ]
  const role = await admin.call<{ id: string }>('POST', '/roles', { name: '质检', grants })
  const made = await admin.call<{ invitation: string }>('POST', '/agents', { email: 'zhijian@shanye.cn', name: '质检员', roleIds: [role.id] })
  const page = await (await browser.newContext({ locale: 'zh-CN' })).newPage()
  await page.goto(new URL(made.invitation, hubUrl).href)
  await page.getByLabel('密码').fill('quality-check-2026')
  await page.getByLabel('密码').press('Enter')
  await page.waitForURL(/\/workbench/)
  const id = new URL(desk.page.url()).pathname.split('/').at(-1)
  await page.goto(`${hubUrl}/workbench/conversations/open/${id}`)
  await expect(page.getByTestId('message').getByText('请打 138****5678 或写 a****@example.com')).toBeVisible()
  const phone = page.getByRole('textbox', { name: '电话' })
  await expect(phone).toHaveValue('139****5678')

  await page.getByRole('button', { name: '查看完整的电话' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('textbox').fill('x')
  await dialog.getByRole('button', { name: '查看', exact: true }).click()
  await expect(dialog.getByText('请写 2 到 200 个字')).toBeVisible()
  await dialog.getByRole('textbox').fill('回电核实')
  await dialog.getByRole('button', { name: '查看', exact: true }).click()
  await expect(phone).toHaveValue('13912345678')
  const message = page.getByTestId('message').filter({ hasText: '请打' })
  const starred = (kind: string) => message.getByTestId('starred').and(page.getByRole('button', { name: `查看消息里隐藏的${kind}` }))
  await expect(message.getByTestId('starred')).toHaveCount(2)
  await starred('电话').click()
  await expect(dialog.getByText('查看消息里隐藏的电话')).toBeVisible()
  await dialog.getByRole('textbox').fill('核对号码')
  await dialog.getByRole('button', { name: '查看', exact: true }).click()
  await expect(message.getByText('请打 13812345678 或写 a****@example.com')).toBeVisible()
  await expect(starred('电话')).toHaveCount(0)

  // What is left is asked for by itself, with a reason of its own; the number stays readable beside it.
  await message.hover()
  await message.getByRole('group', { name: '消息操作' }).getByRole('button', { name: '查看消息里隐藏的邮箱' }).click()
  await dialog.getByRole('textbox').fill('核对邮箱')
  await dialog.getByRole('button', { name: '查看', exact: true }).click()
  await expect(message.getByText('请打 13812345678 或写 alice@example.com')).toBeVisible()
  await expect(message.getByTestId('starred')).toHaveCount(0)
})
