/** Two admins at once: a page that is old gives back nothing that was taken away meanwhile. */
import { joinHub, openDesk } from '../flows/open-desk.ts'
import { AdminPage } from '../pages/pages.ts'
import { expect, test } from '../support/e2e.ts'

interface Account {
  id: string
  name: string
  capacity: number
  roleIds: string[]
}
interface Role {
  id: string
  builtin: string | null
  grants: { permission: string }[]
}

test('an old list of accounts gives back no role, and what two change is refused', async ({ hubUrl, browser }) => {
  const { admin } = await openDesk(browser, hubUrl)
  const { items: roles } = await admin.call<{ items: Role[] }>('GET', '/roles')
  const [owner, manager, agent] = ['owner', 'admin', 'agent'].map((name) => roles.find(({ builtin }) => builtin === name)?.id as string)
  const him = (await admin.call<{ agent: Account }>('POST', '/agents', { email: 'he.yu@shanye.cn', name: '何雨', roleIds: [agent, manager] })).agent
  const change = (data: object) => admin.call<Account>('PATCH', `/agents/${him.id}`, data)
  const now = () => admin.call<Account>('GET', `/agents/${him.id}`)

  await admin.open(hubUrl, 'agents', '客服账号')
  const { page } = admin
  const edit = page.getByRole('row').filter({ hasText: '何雨' }).getByRole('button', { name: '编辑' })
  const dialog = page.getByRole('dialog')
  const save = dialog.getByRole('button', { name: '保存' })
  // The page still shows him as an admin.
  await change({ roleIds: [agent] })
  await edit.click()
  await expect(dialog.getByRole('checkbox', { name: '管理员', exact: true })).not.toBeChecked()
  // Nor does the dialog give back what was taken while it was open.
  await change({ roleIds: [agent, manager] })
  await page.keyboard.press('Escape')
  await edit.click()
  await expect(dialog.getByRole('checkbox', { name: '管理员', exact: true })).toBeChecked()
  await change({ roleIds: [agent] })
  await dialog.getByLabel('同时接待上限').fill('11')
  await save.click()
  await expect(dialog).toBeHidden()
  expect(await now()).toMatchObject({ capacity: 11, roleIds: [agent] })

  // Both change the roles: the second one is told at the field, and looks again.
  await edit.click()
  await change({ roleIds: [agent, manager] })
  await dialog.getByRole('checkbox', { name: '所有者' }).check()
  await save.click()
  await expect(dialog.getByRole('group', { name: '角色' })).toHaveAccessibleDescription(/内容已被他人更改/)
  expect([...(await now()).roleIds].sort()).toEqual([agent, manager].sort())
  expect((await now()).roleIds).not.toContain(owner)
})

test('a matrix of roles that is old gives back no permission, and its change is made all the same', async ({ hubUrl, browser }) => {
  const { admin } = await openDesk(browser, hubUrl)
  const role = async () => (await admin.call<{ items: Role[] }>('GET', '/roles')).items.find(({ builtin }) => builtin === 'supervisor') as Role
  const held = async () => (await role()).grants.map(({ permission }) => permission)
  const { id, grants } = await role()
  await admin.call('PATCH', `/roles/${id}`, { grants: [...grants, { permission: 'agent.manage' }] })
  await admin.open(hubUrl, 'roles', '角色与权限')
  const box = (permission: string) => admin.page.getByRole('checkbox', { name: `主管 · ${permission}`, exact: true })
  await expect(box('管理客服账号')).toBeChecked()
  await admin.call('PATCH', `/roles/${id}`, { grants })
  await box('管理插件').check()
  await expect.poll(held).toContain('plugin.manage')
  expect(await held()).not.toContain('agent.manage')
  await expect(box('管理客服账号')).not.toBeChecked()
  await expect(box('管理插件')).toBeChecked()
})

test('settings that are sent as a whole leave what others changed meanwhile', async ({ hubUrl, browser }) => {
  const { admin } = await openDesk(browser, hubUrl)
  const { page } = admin
  const site = () => admin.website()
  const { id, settings } = await site()
  await page.goto(`${hubUrl}/admin/inboxes/${id}`)
  const form = page.locator('form.card')
  await form.getByLabel('名称', { exact: true }).fill('山野茶官网')
  await admin.call('PATCH', `/inboxes/${id}`, { settings: { ...settings, color: '#123456' } })
  await form.getByRole('button', { name: '保存' }).click()
  await expect(page.getByRole('heading', { level: 1, name: '山野茶官网' })).toBeVisible()
  expect((await site()).settings.color).toBe('#123456')

  // A list that two add to is refused to the second: theirs would be gone.
  await admin.open(hubUrl, 'categories', '分类与小结')
  const fields = page.locator('section.custom')
  await fields.getByRole('button', { name: '添加字段' }).click()
  await fields.getByLabel('字段名称').fill('会员等级')
  await admin.call('PUT', '/contact-fields', { fields: [{ id: 'birthday', label: '生日' }] })
  await fields.getByRole('button', { name: '保存' }).click()
  await expect(fields.getByText('内容已被他人更改，请刷新后重试。')).toBeVisible()
  expect(await admin.call('GET', '/contact-fields')).toMatchObject({ fields: [{ label: '生日' }] })
})

test('who is switched off takes their tokens along, which is said before, and after in the list', async ({ hubUrl, browser }) => {
  const { admin } = await openDesk(browser, hubUrl)
  const maker = new AdminPage(await joinHub(browser, admin, hubUrl, '小何', 'admin'))
  const { token } = await maker.call<{ token: string }>('POST', '/tokens', { name: '订单系统同步', permissions: ['conversation.read'] })
  const ask = () => fetch(`${hubUrl}/api/me`, { headers: { authorization: `Bearer ${token}` } }).then(({ status }) => status)
  expect(await ask()).toBe(200)
  await admin.open(hubUrl, 'agents', '客服账号')
  const { page } = admin
  await page.getByRole('row').filter({ hasText: '小何' }).getByRole('button', { name: '停用' }).click()
  await expect(page.getByRole('dialog')).toContainText('1 个由其创建的接口令牌会立即失效')
  await page.getByRole('dialog').getByRole('button', { name: '停用' }).click()
  await expect(page.getByRole('row').filter({ hasText: '小何' })).toContainText('已停用')
  expect(await ask()).toBe(401)
  await admin.open(hubUrl, 'tokens', '接口令牌')
  await expect(page.getByRole('row').filter({ hasText: '订单系统同步' })).toContainText('已失效：创建者已停用')
})
