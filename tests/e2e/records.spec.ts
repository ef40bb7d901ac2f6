/** Records: found by words and conditions, read on their page, summed up, archived and deleted. */
import { joinHub, openDesk, openShop } from '../flows/open-desk.ts'
import { WorkbenchPage } from '../pages/pages.ts'
import { expect, test } from '../support/e2e.ts'
import { markedWords } from '../support/in-page.ts'

test('a record is found by its words, opens at the hit, is categorised and summed up, archived, and deleted for good', async ({ hubUrl, browser }) => {
  // A dozen pages, one after the other.
  test.setTimeout(180_000)
  const { workbench: desk } = await openDesk(browser, hubUrl)
  const { shop } = await openShop(browser, hubUrl)
  const { page } = desk
  await shop.say('我要退款，快递盒子压坏了')
  await desk.pick('我要退款')
  await expect(desk.message('我要退款，快递盒子压坏了')).toBeVisible()

  // The admin names a kind of matter.
  await page.goto(`${hubUrl}/admin/categories`)
  await page.getByLabel('新分类名称').fill('售后')
  await page.getByRole('button', { name: '添加', exact: true }).click()
  await expect(page.getByRole('textbox', { name: '名称', exact: true })).toHaveValue('售后')

  await page.goto(`${hubUrl}/workbench/records`)
  const search = page.getByLabel('搜索消息内容')
  await search.fill('没有人说过的话')
  await search.press('Enter')
  await expect(page.getByRole('heading', { name: '没有符合条件的聊天记录' })).toBeVisible()
  await search.fill('快递')
  await search.press('Enter')
  const row = page.getByTestId('record')
  await expect(row).toHaveCount(1)
  await expect(page.locator('mark')).toHaveText('快递')
  // The filter stands in the address: whoever gets the link sees the same.
  await page.reload()
  await expect(page.locator('mark')).toHaveText('快递')
  await page.getByRole('button', { name: '保存筛选' }).click()
  await page.getByRole('dialog').getByLabel('名称').fill('快递问题')
  await page.getByRole('dialog').getByRole('button', { name: '保存' }).click()
  await expect(page.getByRole('button', { name: '快递问题', exact: true })).toHaveAttribute('aria-pressed', 'true')

  await row.getByRole('link').first().click()
  await expect(page.locator('[data-testid="message"][data-marked]')).toContainText('快递盒子压坏了')
  // With what it was found by, wherever that stands.
  await expect.poll(() => page.evaluate(markedWords)).toEqual(['快递'])
  await page.getByRole('combobox', { name: '事项分类' }).selectOption({ label: '售后' })
  await page.getByLabel('是否解决').selectOption('yes')
  await page.getByLabel('处理说明').fill('已退款 128 元')
  await page.getByRole('button', { name: '保存小结' }).click()
  await expect(page.getByText(/填写于/)).toBeVisible()
  await page.reload()
  await expect(page.getByRole('combobox', { name: '事项分类' })).toHaveValue(/.+/)
  await expect(page.getByLabel('处理说明')).toHaveValue('已退款 128 元')

  // Ended, archived: out of the everyday list, found by its status.
  await page.getByRole('link', { name: '回复' }).click()
  await desk.page.getByRole('button', { name: '结束会话', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: '结束会话' }).click()
  await expect(page.getByText('会话已结束').first()).toBeVisible()
  await page.goto(`${hubUrl}/workbench/records`)
  await row.getByRole('link').first().click()
  await page.getByRole('button', { name: '归档' }).click()
  await expect(page.getByText('已归档', { exact: true }).first()).toBeVisible()
  await page.goto(`${hubUrl}/workbench/records`)
  await expect(page.getByRole('heading', { name: '还没有聊天记录' })).toBeVisible()
  await page.getByRole('button', { name: '状态' }).click()
  await page.getByLabel('已归档').check()
  await page.keyboard.press('Escape')
  await expect(row).toHaveCount(1)

  // The owner's delete is final, and says so with the count.
  await page.getByLabel('选择本页全部').check()
  await page.getByRole('button', { name: '删除', exact: true }).click()
  await expect(page.getByRole('dialog', { name: /^将删除 1 条记录/ })).toBeVisible()
  await page.getByRole('dialog').getByRole('button', { name: '删除' }).click()
  await expect(page.getByText('已处理 1 条')).toBeVisible()
  await expect(row).toHaveCount(0)
})

test('an agent writes again from an ended record; what they delete is read in the bin before it is restored', async ({ hubUrl, browser }) => {
  test.setTimeout(120_000)
  const { admin, workbench: desk } = await openDesk(browser, hubUrl)
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('包裹还没有到')
  await desk.pick('包裹还没有到')
  const { page: boss } = desk
  const page = await joinHub(browser, admin, hubUrl, '林晓', 'agent')
  const [{ id }] = (await admin.call<{ items: [{ id: string }] }>('GET', '/conversations?group=mine')).items
  const { items } = await admin.call<{ items: { id: string; name: string }[] }>('GET', '/agents')
  const agentId = items.find(({ name }) => name === '林晓')?.id
  await expect(async () => void (await admin.call('POST', `/conversations/${id}/transfer`, { agentId }))).toPass()
  await admin.call('POST', `/conversations/${id}/close`)

  await page.goto(`${hubUrl}/workbench/records/${id}`)
  await page.getByTitle('发起新的沟通').click()
  await expect(page.getByText('林晓 从聊天记录发起了新的沟通')).toBeVisible()
  const mine = new WorkbenchPage(page)
  await mine.reply('您的包裹今天下午送到。')
  await expect(mine.message('您的包裹今天下午送到。')).toBeVisible()
  await expect(shop.message('您的包裹今天下午送到。')).toBeVisible()

  await page.goto(`${hubUrl}/workbench/records/${id}`)
  await page.getByRole('button', { name: '删除', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: '删除' }).click()
  await expect(page).toHaveURL(/\/records$/)
  await page.goto(`${hubUrl}/workbench/records/${id}`)
  await expect(page.getByRole('heading', { name: '没有这条记录' })).toBeVisible()

  await boss.goto(`${hubUrl}/admin/recycle-bin`)
  await boss.getByTestId('record').getByRole('link').first().click()
  await expect(boss.getByTestId('message').filter({ hasText: '包裹还没有到' })).toBeVisible()
  await expect(boss.getByText(/林晓 于 .* 删除，还可恢复 30 天/)).toBeVisible()
  for (const name of ['回复', '归档', '保存小结']) await expect(boss.getByRole('button', { name, exact: true })).toHaveCount(0)
  await boss.getByRole('button', { name: '恢复', exact: true }).click()
  await boss.getByRole('dialog').getByRole('button', { name: '恢复' }).click()
  await expect(boss.getByText('已结束', { exact: true }).first()).toBeVisible()
  await page.reload()
  await expect(mine.message('包裹还没有到')).toBeVisible()
})

test('a form that could not be fetched cannot be saved over', async ({ hubUrl, browser }) => {
  const { page } = (await openDesk(browser, hubUrl)).workbench
  let away = true
  await page.route(/\/api\/(?:summary-form|contact-fields)/, (route) => (away ? route.abort() : route.continue()))
  await page.goto(`${hubUrl}/admin/categories`)
  // Each of the two forms is fetched again by itself.
  const again = page.getByRole('button', { name: '重试' })
  await expect(again).toHaveCount(2)
  await expect(page.getByRole('button', { name: /添加项目|添加字段|保存/ })).toHaveCount(0)
  away = false
  await again.first().click()
  await expect(page.getByRole('button', { name: '添加项目' })).toBeVisible()
  await again.click()
  await expect(page.getByRole('button', { name: '添加字段' })).toBeVisible()
})
