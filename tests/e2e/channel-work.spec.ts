/** Needs the bundled plugins: what agents meet on channels that push: a message that does not leave, a text that is cut, a telephone call, a sender who is no person. */
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import AxeBuilder from '@axe-core/playwright'
import type { Browser } from '@playwright/test'
import { DouyinServer, WechatServer } from '../../core/sdk/testing.ts'
import { HubClient } from '../../plugins/app/example/client.ts'
import { openDesk } from '../flows/open-desk.ts'
import { DeskPage } from '../pages/desk.ts'
import { expect, test } from '../support/e2e.ts'
import { lengthOfSound } from '../support/in-page.ts'

test.use({ actionTimeout: 15_000 })
test.setTimeout(120_000)

/** The shop's own app: an address that answers as it is told to. */
class App {
  readonly secret = `whsec_${randomBytes(32).toString('base64')}`
  status = 200
  readonly got: string[] = []
  /** Messages that were handed over, taken or not. */
  tried = 0
  readonly #server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { type, data } = JSON.parse(Buffer.concat(chunks).toString())
    // News are taken: behind one that is not, no message would be tried.
    const status = type === 'message.created' ? this.status : 200
    if (type === 'message.created') this.tried++
    if (type === 'message.created' && status === 200) this.got.push(data.content[0].text)
    // Long enough that nothing but the button tries again while the test looks.
    response.writeHead(status, { 'retry-after': '3600' }).end('{}')
  })
  client!: HubClient
  uploadsUrl = ''

  async start(browser: Browser, hubUrl: string): Promise<DeskPage> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done))
    const { admin, workbench } = await openDesk(browser, hubUrl)
    await admin.call('PUT', '/plugins/app/settings', { allowPrivateAddresses: true })
    const endpointUrl = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hub`
    const { id } = await admin.call<{ id: string }>('POST', '/inboxes', { channel: 'app', name: '会员 App', settings: { endpointUrl, secret: this.secret } })
    this.client = new HubClient(`${hubUrl}/api/channels/app/${id}`, this.secret)
    this.uploadsUrl = `${hubUrl}/api/x/app/inboxes/${id}/uploads`
    await workbench.page.reload()
    return new DeskPage(workbench.page)
  }
  says(customer: string, text: string) {
    const sender = { externalId: customer, name: '林小满' }
    return this.client.tell('message.created', { externalMessageId: randomUUID(), sender, content: [{ type: 'text', text }] })
  }
  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

test('a message that does not leave: the agent reads why, tries it now, or gives it up and sends it later', async ({ hubUrl, browser }) => {
  const app = new App()
  const desk = await app.start(browser, hubUrl)
  await app.says('user-1', '订单什么时候发货？')
  await desk.pick('订单什么时候发货')
  app.status = 503
  await desk.reply('今天下午发出')
  await desk.reply('单号稍后给您')
  const [first, second] = [desk.message('今天下午发出'), desk.message('单号稍后给您')]
  await expect(first.locator('footer')).toContainText('等待发送 · 对方系统没有正常应答')
  // The one behind it has not been tried: there is nothing to be decided about it.
  await expect(second).toHaveAttribute('data-state', 'queued')
  await expect(second.getByRole('button', { name: '立即重试' })).toHaveCount(0)
  for (const scheme of ['light', 'dark'] as const) {
    await desk.page.emulateMedia({ colorScheme: scheme })
    const { violations } = await new AxeBuilder({ page: desk.page }).include('[data-testid="thread"]').analyze()
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])
  }

  await test.step('now, while nobody answers: it waits on', async () => {
    expect(app.tried).toBe(1)
    await first.getByRole('button', { name: '立即重试' }).click()
    await expect.poll(() => app.tried).toBe(2)
    await expect(first.getByRole('button', { name: '不再重试' })).toBeEnabled()
    await expect(first).toHaveAttribute('data-state', 'queued')
    expect(app.got).toEqual([])
  })

  await test.step('given up: it says so, and those behind it leave', async () => {
    app.status = 200
    // Just while it is being handed over it cannot be stopped: then once more.
    await expect(async () => {
      await first.getByRole('button', { name: '不再重试' }).click()
      await expect(first).toHaveAttribute('data-state', 'failed', { timeout: 1_000 })
    }).toPass()
    await expect(first.locator('footer')).toContainText('已停止重试，这条消息没有送达。')
    await expect(second).toHaveAttribute('data-state', 'sent')
    expect(app.got).toEqual(['单号稍后给您'])
  })

  await test.step('sent again, it leaves', async () => {
    await first.getByRole('button', { name: '重新发送' }).click()
    await expect(first).toHaveAttribute('data-state', 'sent')
    expect(app.got).toEqual(['单号稍后给您', '今天下午发出'])
  })

  await test.step('now, and the other side is back', async () => {
    app.status = 503
    await desk.reply('单号是 0042')
    const third = desk.message('单号是 0042')
    await expect(third.getByRole('button', { name: '立即重试' })).toBeVisible()
    app.status = 200
    await third.getByRole('button', { name: '立即重试' }).click()
    await expect(third).toHaveAttribute('data-state', 'sent')
    await expect(third.getByRole('button', { name: '立即重试' })).toHaveCount(0)
    expect(app.got.at(-1)).toBe('单号是 0042')
  })
  app.stop()
})

test('a text that WeChat gets in pieces: said while it is written, refused where the replies do not suffice', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const wechat = await new WechatServer().start()
  const account = wechat.account({ kind: 'official' })
  const { id } = await admin.call<{ id: string }>('POST', '/inboxes', {
    channel: 'wechat',
    name: '山野茶铺',
    settings: { ...account.settings, replyCount: 3 },
  })
  account.callback = `${hubUrl}/api/channels/wechat/${id}`
  await workbench.page.reload()
  const desk = new DeskPage(workbench.page)
  await account.text(account.person(), '老班章怎么泡？')
  await desk.pick('老班章怎么泡')
  const [note, send] = [desk.page.getByTestId('reply-window'), desk.page.getByRole('button', { name: '发送', exact: true })]
  await expect(note).toContainText('还可回复 3 条')
  // A piece holds 2 048 bytes; these have 3 000.
  const long = '茶'.repeat(1_000)
  await desk.composer.fill('一句话')
  await expect(note).not.toContainText('分成')
  await desk.composer.fill(long)
  await expect(note).toContainText('这条消息会分成 2 条或更多发送')
  await expect(note).toHaveAttribute('data-state', 'open')
  await expect(send).toBeEnabled()
  await desk.composer.press('Enter')
  await expect(desk.message('茶茶茶')).toHaveAttribute('data-state', 'sent')
  expect(account.sent.map(({ content }) => content).length).toBe(2)

  await expect(note).toContainText('还可回复 1 条')
  await desk.composer.fill(long)
  await expect(note).toContainText('这条消息太长，平台会分成 2 条或更多，只剩 1 条可回复')
  await expect(note).toHaveAttribute('data-state', 'shut')
  await expect(send).toBeDisabled()
  await desk.composer.press('Enter')
  await expect(desk.composer).toHaveValue(long)
  await desk.composer.fill('水温 100 度，头两泡快出汤。')
  await expect(send).toBeEnabled()
  await desk.composer.press('Enter')
  await expect(desk.message('水温 100 度')).toHaveAttribute('data-state', 'sent')
  expect(account.sent).toHaveLength(3)
  await expect(note).toContainText('平台允许的回复条数已用完')
  await wechat.stop()
})

test('a telephone call: how it went, its recording, its note and transcript; and a place in the timeline', async ({ hubUrl, browser }) => {
  const app = new App()
  const desk = await app.start(browser, hubUrl)
  // A second of silence, 8 000 samples.
  const header = Buffer.from('RIFF$\x1f\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0@\x1f\0\0@\x1f\0\0\x01\0\x08\0data@\x1f\0\0', 'latin1')
  const wav = Buffer.concat([header, Buffer.alloc(8_000, 128)])
  const { uploadId } = await app.client.upload(`${app.uploadsUrl}?as=audio`, '录音.wav', new Uint8Array(wav))
  const startedAt = new Date(Date.now() - 300_000)
  const time = (seconds: number) => new Date(startedAt.getTime() + seconds * 1_000).toISOString()
  const call = {
    externalCallId: randomUUID(),
    direction: 'in',
    from: '13800138000',
    to: '057188886666',
    customer: { externalId: 'user-9', name: '陈远' },
    queue: '售后',
    agentExternalId: '801',
    startedAt: time(0),
    answeredAt: time(8),
    endedAt: time(133),
    ringSec: 8,
    hangupBy: 'customer',
  }
  // As a telephone system tells it: the end at once, the rest when it is ready.
  await app.client.tell('call.ended', { ...call, result: 'answered', note: '客户想换货，已登记。' })
  await app.client.tell('call.recording.ready', { ...call, recording: { uploadId } })
  const transcript = [
    { speaker: '客户', startMs: 3_000, text: '茶饼受潮了，想换一饼。' },
    { speaker: '坐席', startMs: 65_000, text: '好的，我给您登记。' },
  ]
  await app.client.tell('call.ended', { ...call, result: 'answered', transcript })

  await expect(desk.list.getByRole('link').filter({ hasText: '陈远' })).toBeVisible()
  await desk.pick('陈远')
  const entry = desk.page.locator('.call')
  await expect(entry).toHaveCount(1)
  await expect(entry.locator('.how')).toContainText('呼入电话，已接听')
  await expect(entry.locator('.how')).toContainText('2:05')
  await expect(entry.locator('dt')).toHaveText(['队列', '接线坐席', '我方号码', '振铃', '挂断方'])
  await expect(entry.locator('dd')).toHaveText(['售后', '801', '057188886666', '0:08', '客户'])
  const sound = desk.thread.locator('audio')
  await expect(sound).toHaveCount(1)
  expect(await sound.evaluate(lengthOfSound)).toBeCloseTo(1, 1)
  await expect(desk.message('客户想换货，已登记。')).toBeVisible()
  const words = desk.message('0:03 客户：茶饼受潮了，想换一饼。')
  await expect(words).toContainText('1:05 坐席：好的，我给您登记。')

  const timeline = desk.page.getByTestId('timeline')
  const called = timeline.getByRole('listitem').filter({ hasText: '呼入电话，已接听 · 2:05' })
  await expect(called).toContainText('会员 App')
  for (const scheme of ['light', 'dark'] as const) {
    await desk.page.emulateMedia({ colorScheme: scheme })
    const { violations } = await new AxeBuilder({ page: desk.page }).include('[data-testid="thread"]').include('[data-testid="timeline"]').analyze()
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([])
  }
  // More of the same call comes later: the entry follows, live, and stays one.
  await app.client.tell('call.ended', { ...call, result: 'answered', ivrPath: '1>3' })
  await expect(entry.locator('dd').filter({ hasText: '1>3' })).toBeVisible()
  await expect(entry).toHaveCount(1)
  await called.getByRole('link').click()
  await expect(desk.page).toHaveURL(/\/workbench\/records\/[0-9a-z]{26}\?at=\d+/)
  await expect(desk.page.locator('.call')).toBeVisible()
  app.stop()
})

test('who is no person is called by its channel’s words, in the reader’s language', async ({ hubUrl, browser }) => {
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const server = await new DouyinServer().start()
  await admin.call('PUT', '/plugins/douyin/settings', { apiUrl: server.url })
  const settings = { clientKey: server.clientKey, clientSecret: server.clientSecret }
  const { id } = await admin.call<{ id: string }>('POST', '/inboxes', { channel: 'douyin', name: '山野茶抖音号', settings })
  server.webhookUrl = `${hubUrl}/api/channels/douyin/${id}`
  await workbench.page.reload()
  await server.push('a_word_of_the_platform', '', '', { amount: 1 })
  const row = workbench.list.getByRole('link').filter({ hasText: '抖音平台' })
  await row.click()
  await expect(workbench.page.getByRole('heading', { level: 1, name: '抖音平台' })).toBeVisible()
  await workbench.page.evaluate("localStorage.setItem('huike.locale', 'en')")
  await workbench.page.reload()
  await expect(workbench.page.getByRole('heading', { level: 1, name: 'Douyin itself' })).toBeVisible()
  await expect(workbench.page.getByRole('link').filter({ hasText: 'Douyin itself' })).toBeVisible()
  await expect(workbench.page.getByText('抖音平台')).toHaveCount(0)
  await server.stop()
})
