/** The main job, from an empty hub: set up, a visitor writes on a page, an agent answers in the workbench. */
import { openDesk, openShop } from '../flows/open-desk.ts'
import { expect, test } from '../support/e2e.ts'

test('a visitor writes, an agent answers, both see all of it', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { workbench } = await openDesk(browser, hubUrl)
  const agentPage = workbench.page
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('你好，老班章还有货吗？')
  await expect(shop.message('你好，老班章还有货吗？')).toContainText('已送达')

  await workbench.pick('老班章')
  await expect(workbench.message('你好，老班章还有货吗？')).toBeVisible()
  await expect(shop.message('你好，老班章还有货吗？')).toContainText('已读')
  await workbench.reply('您好！头采还有十二饼，今天下单今天发。')
  await expect(shop.message('头采还有十二饼')).toBeVisible()
  await expect(workbench.message('头采还有十二饼')).toHaveAttribute('data-state', 'read')

  await test.step('what the visitor types is seen before it is sent', async () => {
    await shop.chat.getByTestId('visitor-input').pressSequentially('可以便宜', { delay: 20 })
    await expect(agentPage.getByText('可以便宜')).toBeVisible()
    await shop.say('可以便宜点吗？')
    await expect(workbench.message('可以便宜点吗？')).toBeVisible()
  })

  await test.step('a note stays among colleagues, a recalled message is gone on both sides', async () => {
    await agentPage.getByRole('tab', { name: '备注' }).click()
    await workbench.reply('老客户，可给九五折')
    await expect(workbench.message('老客户')).toBeVisible()
    await agentPage.getByRole('tab', { name: '回复' }).click()
    await workbench.reply('发错了')
    await expect(shop.message('发错了')).toBeVisible()
    await workbench.message('发错了').hover()
    await workbench.message('发错了').getByRole('button', { name: '撤回' }).click()
    await expect(shop.chat.getByText('对方撤回了一条消息')).toBeVisible()
    await expect(shop.chat.getByText('老客户')).toHaveCount(0)
  })

  await test.step('the visitor comes back to the same thread', async () => {
    await shop.page.reload()
    await shop.openChat()
    await expect(shop.message('头采还有十二饼')).toBeVisible()
  })

  await test.step('the end, the rating, and a new conversation', async () => {
    await agentPage.getByRole('button', { name: '结束会话' }).click()
    await agentPage.getByRole('dialog').getByRole('button', { name: '结束会话' }).click()
    await shop.chat.getByRole('button', { name: '满意' }).first().click()
    await expect(shop.chat.getByText('感谢您的评价')).toBeVisible()
    await expect(agentPage.getByText('客户评价：满意')).toBeVisible()
    await shop.say('再问一下运费')
    await expect(workbench.list.getByRole('link').filter({ hasText: '再问一下运费' })).toBeVisible()
  })
})

test('what no workbench has got is sent, no more; it is delivered when somebody comes', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { workbench } = await openDesk(browser, hubUrl)
  await workbench.page.goto('about:blank')
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('下周再来')
  await expect(shop.message('下周再来')).toContainText('已发送')
  await workbench.open(hubUrl)
  await expect(shop.message('下周再来')).toContainText('已送达')
})

test('what is written while the line is down goes out once when it is back', { tag: '@main' }, async ({ hubUrl, browser }) => {
  const { context: agentContext, workbench } = await openDesk(browser, hubUrl)
  const agentPage = workbench.page
  const { context: visitorContext, shop } = await openShop(browser, hubUrl)
  await shop.say('在吗')
  await workbench.pick('在吗')

  await visitorContext.setOffline(true)
  await agentContext.setOffline(true)
  await shop.say('我断网了')
  await workbench.reply('我也断网了')
  await workbench.reply('马上就好')
  await expect(agentPage.getByTestId('pending')).toHaveCount(2)
  // The first of them takes its time.
  await agentPage.route('**/api/conversations/*/messages', async (route) => {
    if (route.request().postData()?.includes('我也断网了')) await new Promise((done) => setTimeout(done, 1_000))
    await route.continue()
  })
  await visitorContext.setOffline(false)
  await agentContext.setOffline(false)

  await expect(workbench.message('我断网了')).toHaveCount(1)
  await expect(shop.message('我也断网了')).toHaveCount(1)
  await expect(shop.message('马上就好')).toHaveCount(1)
  await expect(agentPage.getByTestId('pending')).toHaveCount(0)
  await expect(workbench.page.getByTestId('message').filter({ hasText: /我也断网了|马上就好/ })).toHaveText([/我也断网了/, /马上就好/])
})
