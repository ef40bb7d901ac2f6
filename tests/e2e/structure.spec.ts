/** How the house is ordered: the tree of departments is rearranged. */
import { openDesk } from '../flows/open-desk.ts'
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
  expect(await parentOf(repair)).toBe(service)

  await place.selectOption('销售部')
  await asked.getByRole('button', { name: '移动' }).click()
  await expect(page.getByText('已保存')).toBeVisible()
  await expect(place).toHaveValue(sales)
  expect(await parentOf(repair)).toBe(sales)
  // What lies below it came along.
  expect(await parentOf(parts)).toBe(repair)
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
        updatedAt: '2026-01-01T00:00:00.000Z',
      }
      await route.fulfill({ response: answer, json: { ...(await answer.json()), rules: [rule] } })
    })
    await place.selectOption('顶级部门')
    await expect(asked).toContainText('将“维修组”移为顶级部门吗？')
    await expect(asked).toContainText('移动后所有保留规则都会停用')
    await asked.getByRole('button', { name: '移动' }).click()
    await expect(place.locator('option:checked')).toHaveText('顶级部门')
    expect(await parentOf(repair)).toBe(null)
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
