/** How the house is ordered: the tree of departments is rearranged, and what is wrong with an assignment rule stands at its field. */
import { joinHub, openDesk, openShop } from '../flows/open-desk.ts'
import { axeFaults } from '../support/axe.ts'
import { expect, test } from '../support/e2e.ts'

test('a department is moved, never below itself, and what that does is said before', async ({ hubUrl, browser }) => {
  const { admin } = await openDesk(browser, hubUrl)
  const { page } = admin
  const make = async (name: string, parentId: string | null = null) => (await admin.call<{ id: string }>('POST', '/departments', { name, parentId })).id
  const parentOf = async (id: string) =>
    (await admin.call<{ items: { id: string; parentId: string | null }[] }>('GET', '/departments')).items.find((one) => one.id === id)?.parentId
  const service = await make('售后部')
  const repair = await make('维修组', service)
  const parts = await make('配件组', repair)
  const sales = await make('销售部')
  await admin.open(hubUrl, 'departments', '部门与技能组')
  const place = page.getByRole('combobox', { name: '“维修组”的上级部门' })
  await expect(place).toHaveValue(service)
  // Neither itself nor what lies below it.
  await expect(place.getByRole('option')).toHaveText(['顶级部门', '售后部', '销售部'])
  await expect(page.getByRole('combobox', { name: '“配件组”的上级部门' }).getByRole('option')).toHaveText(['顶级部门', '售后部', '维修组', '销售部'])
  expect(await axeFaults(page, 'departments')).toEqual([])

  await place.selectOption('销售部')
  const asked = page.getByRole('dialog')
  await expect(asked).toContainText('将“维修组”移到“销售部”之下吗？')
  await expect(asked).not.toContainText('保留规则')
  await asked.getByRole('button', { name: '取消' }).click()
  await expect(place).toHaveValue(service)
  await expect.poll(() => parentOf(repair)).toBe(service)

  await place.selectOption('销售部')
  await asked.getByRole('button', { name: '移动' }).click()
  await expect(page.getByText('已保存')).toBeVisible()
  await expect(place).toHaveValue(sales)
  await expect.poll(() => parentOf(repair)).toBe(sales)
  // What lies below it came along.
  await expect.poll(() => parentOf(parts)).toBe(repair)
  await expect(page.getByRole('textbox', { name: '名称' }).nth(2)).toHaveValue('维修组')

  await test.step('who may see the retention rules is told that they will be off', async () => {
    await page.route('**/api/retention', async (route) => {
      const answer = await route.fetch()
      const rule = {
        id: '0'.repeat(26),
        inboxId: null,
        departmentId: sales,
        categoryId: null,
        days: 30,
        fileDays: null,
        onAt: '2026-01-01T00:00:00.000Z',
        suspendedAt: null,
        updatedAt: '2026-01-01T00:00:00.000Z',
        exposes: [],
      }
      await route.fulfill({ response: answer, json: { ...(await answer.json()), rules: [rule] } })
    })
    await place.selectOption('顶级部门')
    await expect(asked).toContainText('将“维修组”移为顶级部门吗？')
    await expect(asked).toContainText('这会停用 1 条保留规则（销售部），需要重新试算后再启用。')
    await asked.getByRole('button', { name: '移动' }).click()
    await expect(place.locator('option:checked')).toHaveText('顶级部门')
    await expect.poll(() => parentOf(repair)).toBe(null)
    await page
      .getByRole('listitem')
      .filter({ has: page.locator('input') })
      .last()
      .getByRole('button', { name: '删除' })
      .click()
    await expect(page.locator('.el-message-box')).toContainText('这会停用 1 条保留规则（销售部）')
    await page.locator('.el-message-box').getByRole('button', { name: '取消' }).click()
  })

  await test.step('what the hub refuses stands at the field', async () => {
    // As somebody else has turned it round meanwhile.
    await admin.call('PATCH', `/departments/${sales}`, { parentId: parts })
    await place.selectOption('销售部')
    await asked.getByRole('button', { name: '移动' }).click()
    await expect(place).toHaveAccessibleDescription('上级部门不能是它自己或它的下级。')
    await expect(place).toHaveAttribute('aria-invalid', 'true')
  })
})

test('what is wrong with an assignment rule stands at its field, in the reader’s language', async ({ hubUrl, browser }) => {
  const { admin } = await openDesk(browser, hubUrl)
  const { page } = admin
  const { id } = await admin.call<{ id: string }>('POST', '/departments', { name: '售后部', parentId: null })
  await admin.open(hubUrl, 'assignment', '分配规则')
  await page.getByRole('button', { name: '编辑 全局规则' }).click()
  const dialog = page.getByRole('dialog', { name: '分配规则：全局规则' })
  const cap = dialog.getByLabel('每人最多同时接待')
  const save = dialog.getByRole('button', { name: '保存' })
  for (const [typed, fault] of [
    ['0', '不能小于 1。'],
    ['201', '不能大于 200。'],
    ['1.5', '填写的内容不正确。'],
  ] as const) {
    await cap.fill(typed)
    await save.click()
    await expect(dialog.getByRole('alert')).toHaveText(fault)
    await expect(cap).toHaveAttribute('aria-invalid', 'true')
    await expect(cap).toHaveAccessibleDescription(new RegExp(fault))
    await expect(cap).toBeFocused()
  }
  expect(await axeFaults(page, 'a wrong cap')).toEqual([])
  await cap.fill('')
  await expect(dialog.getByRole('alert')).toHaveCount(0)
  await save.click()
  await expect(dialog).toBeHidden()
  await expect(page.getByRole('row').filter({ hasText: '全局' })).toContainText('空闲优先 · 排队等候')

  await test.step('what the hub refuses stands in the form', async () => {
    await page.getByRole('button', { name: '编辑 售后部' }).click()
    await admin.call('DELETE', `/departments/${id}`)
    const theirs = page.getByRole('dialog', { name: '分配规则：售后部' })
    await theirs.getByRole('button', { name: '保存' }).click()
    await expect(theirs.getByRole('alert')).toBeVisible()
    await expect(page.locator('.el-message--error')).toHaveCount(0)
  })
})

test('who takes the right to answer away is told before how many conversations go back to the queue', async ({ hubUrl, browser }) => {
  const { admin } = await openDesk(browser, hubUrl)
  const { page } = admin
  await admin.call('PUT', '/me/presence', { presence: 'away' })
  const own = ['conversation.read', 'conversation.reply', 'conversation.close'].map((permission) => ({ permission, scope: 'own' }))
  const theirs = await joinHub(browser, admin, hubUrl, '何雨', own)
  await expect(theirs.getByTestId('line')).toHaveAttribute('data-state', 'live')
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('还能发货吗？')
  await expect(theirs.getByText('还能发货吗？')).toBeVisible()
  const queued = async () => (await admin.call<{ items: object[] }>('GET', '/conversations?group=queue')).items.length

  const asked = page.locator('.el-message-box')
  await test.step('by the role', async () => {
    await admin.open(hubUrl, 'roles', '角色与权限')
    const cell = page.getByRole('combobox', { name: '何雨的角色 · 回复会话' })
    await cell.selectOption('无')
    await expect(asked).toContainText('“何雨的角色”的成员不能再回复 1 个进行中的会话')
    expect(await axeFaults(page, 'a role that gives back')).toEqual([])
    await asked.getByRole('button', { name: '取消' }).click()
    await expect(cell).toHaveValue('own')
    expect(await queued()).toBe(0)
    await cell.selectOption('无')
    await asked.getByRole('button', { name: '保存' }).click()
    await expect.poll(queued).toBe(1)
    await expect(cell).toHaveValue('')
    await expect(theirs.getByText('还能发货吗？')).toHaveCount(0)
    // Given back, it is taken again; what takes nothing away asks nothing.
    await cell.selectOption('本人')
    await expect.poll(queued).toBe(0)
    await expect(asked).toHaveCount(0)
  })

  await test.step('by the account', async () => {
    await admin.call('POST', '/roles', { name: '旁听', grants: [{ permission: 'conversation.read', scope: 'own' }] })
    await admin.open(hubUrl, 'agents', '客服账号')
    await page.getByRole('row').filter({ hasText: '何雨' }).getByRole('button', { name: '编辑' }).click()
    const dialog = page.getByRole('dialog', { name: '编辑账号' })
    await dialog.getByRole('checkbox', { name: '何雨的角色' }).uncheck()
    await dialog.getByRole('checkbox', { name: '旁听' }).check()
    await dialog.getByRole('button', { name: '保存' }).click()
    await expect(asked).toContainText('何雨 不能再回复 1 个进行中的会话')
    await asked.getByRole('button', { name: '取消' }).click()
    await expect(dialog).toBeVisible()
    expect(await queued()).toBe(0)
    await dialog.getByRole('button', { name: '保存' }).click()
    await asked.getByRole('button', { name: '保存' }).click()
    await expect(dialog).toBeHidden()
    await expect.poll(queued).toBe(1)
  })
})
