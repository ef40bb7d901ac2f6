/** Needs the bundled plugins: one customer on several channels, as an agent sees them, and what each channel's composer carries. */
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import AxeBuilder from '@axe-core/playwright'
import type { Browser } from '@playwright/test'
import { WechatServer } from '../../core/sdk/testing.ts'
import { HubClient } from '../../plugins/app/example/client.ts'
import { openDesk } from '../flows/open-desk.ts'
import { DeskPage } from '../pages/desk.ts'
import { expect, test } from '../support/e2e.ts'

test.use({ actionTimeout: 15_000 })
test.setTimeout(120_000)

const appKey = `whsec_${randomBytes(32).toString('base64')}`
const miniKey = 'a-secret-of-the-mini-program'

/** The owner at their desk; an app and a WeChat account of theirs. */
async function open(browser: Browser, hubUrl: string, kind: 'official' | 'mini') {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const inbox = (channel: string, name: string, settings: object) => admin.call<{ id: string }>('POST', '/inboxes', { channel, name, settings })
  const wechat = await new WechatServer().start()
  const account = wechat.account({ kind })
  account.callback = `${hubUrl}/api/channels/wechat/${(await inbox('wechat', '山野茶铺', { ...account.settings, sessionSecret: miniKey })).id}`
  const app = new HubClient(`${hubUrl}/api/channels/app/${(await inbox('app', '会员 App', { secret: appKey })).id}`, appKey)
  await workbench.page.reload()
  // Two of one second are one event told twice: somebody who enters again does so a second later.
  let at = Math.floor(Date.now() / 1_000) - 60
  return {
    admin,
    account,
    desk: new DeskPage(workbench.page),
    end: () => wechat.stop(),
    /** The mini-program signs who it is. */
    enters: (person: { openid: string }, userId: string) => {
      const sign = createHmac('sha256', miniKey).update([person.openid, '', userId].join('\n')).digest('hex')
      return account.event(account.person(person.openid), 'user_enter_tempsession', { SessionFrom: JSON.stringify({ userId, sign }), CreateTime: at++ })
    },
    tells: (who: { externalId: string; userId?: string; name?: string }, text: string) =>
      app.tell('message.created', { externalMessageId: randomUUID(), sender: { ...who, verified: true }, content: [{ type: 'text', text }] }),
  }
}

test('two channels of one person: both are in the panel, and what is said in the other one comes into the open timeline', { tag: '@main' }, async ({
  hubUrl,
  browser,
}) => {
  const { account, desk, enters, tells, end } = await open(browser, hubUrl, 'mini')
  const person = account.person()
  await enters(person, '10086')
  await account.text(person, '小程序里的头采还有吗？')
  await tells({ externalId: 'user-1', userId: '10086', name: '林小满' }, 'App 里的订单到哪了？')
  await desk.pick('小程序里的头采')
  const row = desk.list.getByRole('link').filter({ hasText: '小程序里的头采' })
  await expect(row.locator('.avatar .icon')).toHaveAttribute('src', /^data:image\/svg/)
  const identities = desk.page.getByTestId('identities').getByRole('listitem')
  await expect(identities).toHaveCount(2)
  await expect(identities.filter({ hasText: '山野茶铺' }).locator('img.icon')).toBeVisible()
  await expect(identities.filter({ hasText: '会员 App' })).toContainText('林小满')

  const timeline = desk.page.getByTestId('timeline')
  const first = timeline.getByRole('listitem').first()
  await expect(timeline.getByText('进入了小程序客服会话')).toBeVisible()
  await expect(timeline.getByText('当前会话')).toHaveCount(1)
  await expect(timeline.getByText('App 里的订单到哪了？')).toBeVisible()
  await tells({ externalId: 'user-1', userId: '10086' }, '帮我改个地址')
  await expect(first).toContainText('帮我改个地址')
  await expect(first).toContainText('会员 App')
  await account.text(person, '头采要两饼')
  await expect(first).toContainText('头采要两饼')
  await enters(person, '10086')
  await expect(timeline.getByText('进入了小程序客服会话')).toHaveCount(2)
  const { violations } = await new AxeBuilder({ page: desk.page }).include('.panel').analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])

  await timeline.getByRole('link', { name: /会员 App/ }).click()
  await expect(desk.page).toHaveURL(/\/workbench\/records\//)
  await desk.page.getByRole('tab', { name: '动态' }).click()
  await expect(desk.page.getByTestId('timeline').getByText('头采要两饼')).toBeVisible()
  await end()
})

test('one phone that signs in as two users: beside the other one stands what speaks for it, and what against it', async ({ hubUrl, browser }) => {
  const { account, desk, enters, tells, end } = await open(browser, hubUrl, 'mini')
  const person = account.person()
  await tells({ externalId: 'user-4', userId: '20001', name: '周大山' }, '我的发票呢？')
  await tells({ externalId: 'user-5', userId: '20002', name: '周小河' }, '我的快递呢？')
  await enters(person, '20001')
  await enters(person, '20002')
  await desk.pick('我的快递呢？')
  const asked = desk.page.getByRole('region', { name: '可能是同一位客户' })
  await expect(asked).toContainText('周大山')
  await expect(asked).toContainText('网站账号相同')
  await expect(asked).toContainText('但是：两人在同一个用户体系里的用户 ID 不同，而一个人在那里只有一个。')
  const { violations } = await new AxeBuilder({ page: desk.page }).include('.panel').analyze()
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])
  await end()
})

test('two contacts are found, merged with what comes over before one’s eyes, undone; merged again and split', async ({ hubUrl, browser }) => {
  const { admin, account, desk, tells, end } = await open(browser, hubUrl, 'official')
  await account.text(account.person(), '老班章还有吗？')
  await tells({ externalId: 'user-2', name: '周小鹿' }, '我在 App 里下的单')
  const { items } = await admin.call<{ items: { preview: string; contact: { id: string } }[] }>('GET', '/conversations?group=mine')
  const lin = items.find(({ preview }) => preview.includes('App'))?.contact.id
  const tag = await admin.call<{ id: string }>('POST', '/tags', { name: '老客户' })
  await admin.call('PUT', `/contacts/${lin}/tags/${tag.id}`)
  await admin.call('PUT', '/contact-fields', { fields: [{ id: 'level', label: '客户等级', options: ['金', '银'] }] })
  await admin.call('PATCH', `/contacts/${lin}`, { fields: { 'hub.level': '金' } })
  await desk.page.reload()
  await desk.pick('老班章还有吗？')
  const merge = async () => {
    await desk.page.getByRole('button', { name: '与另一位客户合并' }).click()
    const dialog = desk.page.getByRole('dialog', { name: '合并到当前客户' })
    await dialog.getByRole('searchbox').fill('周小鹿')
    await dialog.getByRole('list', { name: '找到的客户' }).getByRole('button').click()
    await expect(dialog.getByRole('status')).toContainText('移入 1 个会话')
    await expect(dialog.getByRole('listitem').filter({ hasText: '会员 App' })).toBeVisible()
    await expect(dialog.getByRole('listitem').filter({ hasText: '姓名' })).toContainText('周小鹿')
    await expect(dialog.getByRole('listitem').filter({ hasText: '客户等级' })).toContainText('金')
    await expect(dialog.getByText('老客户')).toBeVisible()
    const { violations } = await new AxeBuilder({ page: desk.page }).include('.el-dialog').analyze()
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])
    await dialog.getByRole('button', { name: '合并', exact: true }).click()
    await expect(dialog).toHaveCount(0)
  }
  const identities = desk.page.getByTestId('identities').getByRole('listitem')
  const timeline = desk.page.getByTestId('timeline')
  await merge()
  await expect(identities).toHaveCount(2)
  await expect(timeline.getByText('我在 App 里下的单')).toBeVisible()
  await desk.page.getByRole('button', { name: '撤销', exact: true }).click()
  await expect(identities).toHaveCount(1)
  await expect(timeline.getByText('我在 App 里下的单')).toHaveCount(0)

  await merge()
  await desk.page.getByRole('button', { name: '这是两个人' }).click()
  const split = desk.page.getByRole('dialog', { name: '拆分为两位客户' })
  await split.getByRole('checkbox', { name: /会员 App/ }).check()
  await expect(split.getByRole('status')).toContainText('1 个会话')
  await split.getByRole('button', { name: '拆分', exact: true }).click()
  await expect(split).toHaveCount(0)
  await expect(identities).toHaveCount(1)
  await end()
})

test('the composer offers what the channel carries, refuses the rest before it uploads, and counts the window down until it is shut', async ({
  hubUrl,
  browser,
}) => {
  const { account, desk, tells, end } = await open(browser, hubUrl, 'official')
  const person = account.person()
  await account.event(person, 'subscribe')
  await account.text(person, '老班章还有吗？')
  await tells({ externalId: 'user-3' }, '到哪了？')
  await desk.pick('老班章还有吗？')
  const tool = (name: string) => desk.page.locator('.composer').getByRole('button', { name, exact: true })
  const window = desk.page.getByTestId('reply-window')
  await expect(window).toContainText(/还可回复 5 条 · 剩余 4[78]:\d\d:\d\d · 另有 3 条 1 分钟内有效/)
  for (const name of ['图片', '语音', '视频', '链接']) await expect(tool(name)).toBeVisible()
  await expect(tool('文件')).toHaveCount(0)

  const uploaded: string[] = []
  desk.page.on('request', (request) => request.url().endsWith('/api/files') && uploaded.push(request.url()))
  const refused = desk.page.locator('.upload')
  for (const [name, mime, why] of [
    ['合同.pdf', 'application/pdf', '这个渠道不能发文件，可以发文字、图片、语音、视频、链接、卡片。'],
    ['语音.wav', 'audio/wav', '这个渠道的语音只收 AMR、MP3。'],
    ['照片.webp', 'image/webp', '这个渠道的图片只收 PNG、JPG、GIF。'],
  ] as const) {
    await desk.attach(name, mime, Buffer.from('not read'))
    await expect(refused).toContainText(why)
    await expect(refused.getByRole('button', { name: '重试' })).toHaveCount(0)
    await refused.getByRole('button', { name: '删除' }).click()
    await expect(refused).toHaveCount(0)
  }
  expect(uploaded).toEqual([])
  await desk.page.setViewportSize({ width: 390, height: 844 })
  await expect(desk.composer).toBeVisible()
  expect(await desk.page.evaluate('document.documentElement.scrollWidth')).toBe(390)
  await desk.page.setViewportSize({ width: 1440, height: 900 })

  await desk.page.clock.install()
  await desk.page.reload()
  await expect(window).toContainText('另有 3 条')
  await desk.page.clock.fastForward('01:01')
  await expect(window).toContainText(/还可回复 5 条 · 剩余 47:\d\d:\d\d$/)
  await desk.page.clock.fastForward('49:00:00')
  await expect(window).toContainText('已超过平台允许的回复时间')
  await expect(desk.composer).toHaveCount(0)
  await desk.page.getByRole('tab', { name: '备注' }).click()
  await expect(tool('文件')).toBeVisible()

  await desk.pick('到哪了？')
  for (const name of ['图片', '语音', '视频', '文件', '链接']) await expect(tool(name)).toBeVisible()
  await expect(window).toHaveCount(0)
  await tool('语音').click()
  await desk.page.getByRole('button', { name: '开始录音' }).click()
  await expect(desk.page.getByRole('timer')).toBeVisible()
  await desk.page.getByRole('button', { name: '结束并发送' }).click()
  await expect(desk.thread.locator('audio')).toHaveCount(1)
  await end()
})
