/** Retention and the recycle bin in the browser: a rule is made, tried, switched on and run; a deleted record comes back; an agent sees none of it. */
import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { openOrm } from '../../core/src/db/open-orm.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { newId } from '../../core/src/db/types.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { RecordBatch } from '../../core/src/domain/record/record.entity.ts'
import { openDesk, openShop } from '../flows/open-desk.ts'
import { expect, test } from '../support/e2e.ts'

const accessible = async (page: Page) => {
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([])
}

test('a rule is tried before it is on, cleans what is due, and the recycle bin gives back what an agent deleted', async ({ hub, hubUrl, browser }) => {
  test.setTimeout(180_000)
  const { admin, workbench: desk } = await openDesk(browser, hubUrl)
  const { page } = desk
  for (const words of ['去年的保修问题', '昨天的退货问题', '正在问的问题']) {
    const { shop } = await openShop(browser, hubUrl)
    await shop.say(words)
    await desk.pick(words)
  }
  const role = await admin.call<{ items: { id: string; builtin: string | null }[] }>('GET', '/roles')
  const agentRole = role.items.find(({ builtin }) => builtin === 'agent')?.id
  const made = await admin.call<{ agent: { id: string }; invitation: string }>('POST', '/agents', {
    email: 'he.yu@shanye.cn',
    name: '何雨',
    roleIds: [agentRole],
  })
  // A year goes by for one conversation; the other was the agent's.
  const orm = await openOrm(hub.place)
  try {
    const em = orm.em.fork() as Em
    const closed = { status: 'closed' as const, openIdentityId: null }
    const long = new Date(Date.now() - 400 * 86_400_000)
    await em.nativeUpdate(Conversation, { preview: '去年的保修问题' }, { ...closed, closedAt: long })
    await em.nativeUpdate(Conversation, { preview: '昨天的退货问题' }, { ...closed, closedAt: new Date(), assigneeId: made.agent.id })
  } finally {
    await orm.close()
  }

  // The agent deletes theirs, and finds no page to manage what is kept.
  const agent = await (await browser.newContext({ locale: 'zh-CN' })).newPage()
  await agent.goto(new URL(made.invitation, hubUrl).href)
  await agent.getByLabel('密码').fill('retention-test-2026')
  await agent.getByLabel('密码').press('Enter')
  await agent.waitForURL(/\/workbench/)
  await agent.goto(`${hubUrl}/workbench/records`)
  await agent.getByTestId('record').getByRole('link').first().click()
  await agent.getByRole('button', { name: '删除', exact: true }).click()
  await agent.getByRole('dialog').getByRole('button', { name: '删除' }).click()
  await expect(agent.getByText('已删除').first()).toBeVisible()
  for (const path of ['retention', 'recycle-bin']) {
    await agent.goto(`${hubUrl}/admin/${path}`)
    await expect(agent.getByRole('heading', { name: '您没有这里的权限' })).toBeVisible()
  }
  expect((await agent.request.get(`${hubUrl}/api/retention`)).status()).toBe(403)

  // A rule: made, then looked at.
  await page.goto(`${hubUrl}/admin`)
  await page.getByRole('link', { name: '保留规则' }).click()
  await expect(page.getByRole('heading', { name: '还没有保留规则' })).toBeVisible()
  await accessible(page)
  await page.getByRole('button', { name: '新建规则' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('聊天记录保留').selectOption({ label: '30 天' })
  await dialog.getByLabel('附件保留').selectOption({ label: '90 天' })
  await dialog.getByRole('button', { name: '保存' }).click()
  await expect(dialog.getByLabel('附件保留')).toHaveAccessibleDescription(/不能大于 29/)
  await dialog.getByLabel('附件保留').selectOption({ label: '自定义天数' })
  await dialog.getByLabel('天数', { exact: true }).fill('7')
  await accessible(page)
  await dialog.getByRole('button', { name: '保存' }).click()
  const row = page.getByTestId('retention-rule')
  await expect(row).toContainText('全部会话')
  await expect(row).toContainText('未启用')
  await row.getByRole('button', { name: '试算并启用' }).click()
  const trial = page.getByTestId('trial')
  await expect(trial).toContainText('将彻底删除 1 段会话')
  await expect(trial).toContainText('无法恢复')
  await expect(trial.getByRole('link')).toHaveAttribute('href', /\/workbench\/records\//)
  await accessible(page)
  await dialog.getByRole('button', { name: '确认启用' }).click()
  await expect(row).toContainText('已启用')
  await expect(page.getByText('下次：')).toBeVisible()

  // Run: what is due is gone, and the history says so.
  await page.getByRole('button', { name: '立即清理' }).click()
  await expect(page.getByRole('dialog')).toContainText('无法恢复')
  await page.getByRole('dialog').getByRole('button', { name: '立即清理' }).click()
  const run = page.getByTestId('retention-run')
  await expect(run).toContainText('完成', { timeout: 20_000 })
  await expect(run).toContainText('周敏')
  await expect(run.getByRole('cell').nth(3)).toHaveText('1')
  await accessible(page)
  await page.goto(`${hubUrl}/workbench/records`)
  await expect(page.getByTestId('record')).toHaveCount(1)

  // The bin: who, when, how long still; restored, it is a record again.
  await page.goto(`${hubUrl}/admin/recycle-bin`)
  const deleted = page.getByTestId('record')
  await expect(deleted).toContainText('何雨')
  await expect(deleted).toContainText('还剩 30 天')
  await accessible(page)
  await page.getByRole('button', { name: '删除人' }).click()
  await page.getByLabel('周敏').check()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('heading', { name: '没有符合条件的记录' })).toBeVisible()
  await page.getByRole('button', { name: '清除条件' }).click()
  await deleted.getByRole('button', { name: /^恢复/ }).click()
  await page.getByRole('dialog').getByRole('button', { name: '恢复' }).click()
  await expect(page.getByRole('heading', { name: '回收站是空的' })).toBeVisible()
  await agent.goto(`${hubUrl}/workbench/records`)
  await expect(agent.getByTestId('record')).toHaveCount(1)

  // Deleted again and for good, many at once: said before, with the count.
  await agent.getByTestId('record').getByRole('link').first().click()
  await agent.getByRole('button', { name: '删除', exact: true }).click()
  await agent.getByRole('dialog').getByRole('button', { name: '删除' }).click()
  await expect(agent.getByText('已删除').first()).toBeVisible()
  await page.reload()
  await page.getByLabel('选择本页全部').check()
  await page.getByRole('button', { name: '彻底删除', exact: true }).click()
  await expect(page.getByText('将彻底删除 1 条记录')).toBeVisible()
  await page.getByRole('dialog').getByRole('button', { name: '彻底删除' }).click()
  await expect(page.getByText('已处理 1 条')).toBeVisible()
  await expect(page.getByRole('heading', { name: '回收站是空的' })).toBeVisible()

  // What a colleague began, and left the page of, is seen and stopped by the owner.
  const late = await openOrm(hub.place)
  try {
    const row = { agentId: made.agent.id, input: { action: 'delete' as const, ids: [newId()] }, doneBy: null, state: 'running' as const, done: 12 }
    const now = Date.now()
    await late.em.fork().insert(RecordBatch, { id: newId(), ...row, skipped: 0, attempts: 0, dueAt: new Date(now + 3_600_000), createdAt: new Date(now) })
  } finally {
    await late.close()
  }
  await page.goto(`${hubUrl}/workbench/records`)
  const atWork = page.getByRole('list', { name: '正在进行的批量操作' })
  await expect(atWork).toContainText('何雨 的批量操作“删除”正在进行，已完成 12 条')
  await accessible(page)
  await agent.goto(`${hubUrl}/workbench/records`)
  await expect(agent.getByRole('list', { name: '正在进行的批量操作' })).toHaveCount(0)
  await atWork.getByRole('button', { name: '停止' }).click()
  await page.getByRole('dialog').getByRole('button', { name: '停止' }).click()
  await expect(atWork).toHaveCount(0)
})
