/** An agent answers a letter with its form; who has only chats never loads the editor; a letter is shown as it was written, harmless. Needs the bundled plugins. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import AxeBuilder from '@axe-core/playwright'
import { openOrm } from '../../core/src/db/open-orm.ts'
import type { Em } from '../../core/src/db/orm.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { readMail } from '../../plugins/email/server/read-mail.ts'
import { openDesk, openShop } from '../flows/open-desk.ts'
import { expect, test, watchPolicy } from '../support/e2e.ts'
import { markedInLetter, markedWords, pasteMarkup, pasteWithPicture } from '../support/in-page.ts'
import { type OwnMailServers, startOwnMailServers } from '../support/own-mail-servers.ts'

let servers: OwnMailServers
test.beforeAll(async () => {
  servers = await startOwnMailServers()
})
test.afterAll(() => servers.stop())

test('a letter is answered with its form, below it the signature and the quotation', async ({ browser, hubUrl }) => {
  // Two browsers, two sweeps of axe, mail by polling.
  test.setTimeout(120_000)
  const { admin, workbench, context } = await openDesk(browser, hubUrl)
  const { page } = workbench
  const blocked = await watchPolicy(context)
  const loaded: string[] = []
  page.on('request', (request) => {
    if (/RichText/.test(request.url())) loaded.push(request.url())
  })
  const { shop } = await openShop(browser, hubUrl)
  await shop.say('聊天不需要编辑器')
  await workbench.pick('聊天不需要编辑器')
  await expect(page.getByTestId('composer')).toBeVisible()
  expect(loaded).toEqual([])

  const address = 'desk@shop.test'
  const settings = servers.settings(address, { signature: '{agent}\n山野茶社', pollSeconds: 5, saveSent: 'never', firstImportDays: 1 })
  await admin.call('POST', '/inboxes', { channel: 'email', name: '客服邮箱', settings })
  const customer = await servers.imap(address)
  const head = ['From: =?utf-8?B?546L6Zuq?= <wang@customer.test>', `To: ${address}, colleague@customer.test`, 'Subject: =?utf-8?B?6K+i5Lu3?=']
  await customer.append('INBOX', [...head, 'Message-ID: <a@customer.test>', 'Reply-To: office@customer.test', '', '=E4 100 sets, please quote.'].join('\r\n'))
  // A machine of theirs has the last word; it is the person who is answered.
  const machine = ['Message-ID: <b@customer.test>', 'In-Reply-To: <a@customer.test>', 'Auto-Submitted: auto-replied']
  await customer.append('INBOX', [...head, ...machine, '', 'I am away.'].join('\r\n'))
  await customer.logout()
  await workbench.pick('王雪')
  await expect(workbench.message('I am away.')).toBeVisible()

  const composer = page.getByTestId('composer')
  await expect(composer).toHaveAttribute('contenteditable', 'true')
  await expect(page.getByText('周敏\n山野茶社')).toBeVisible()
  await expect(page.getByRole('button', { name: /^Re: 询价 · 收件人 office@customer\.test · 抄送 colleague@customer\.test$/ })).toBeVisible()
  await composer.click()
  await page.keyboard.type('您好：')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Control+b')
  await page.keyboard.type('每套 99 元')
  await page.keyboard.press('Control+b')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: '项目符号' }).click()
  await page.keyboard.type('量大从优')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Control+l')
  await page.getByLabel('链接地址').fill('shop.example/tea')
  await page.getByLabel('链接地址').press('Enter')
  await expect(composer.getByRole('link', { name: 'shop.example/tea' })).toBeVisible()
  // What is pasted keeps only what a letter may have.
  const pasted = '<p onclick="x()" style="position:fixed">贴<script>alert(1)</script><img src=x onerror=alert(1)><a href="javascript:x">进</a></p>'
  await composer.evaluate(pasteMarkup, pasted)
  expect(await composer.innerHTML()).not.toMatch(/script|onerror|onclick|position|javascript/)
  // A draft keeps its form over a reload.
  await page.waitForResponse((response) => response.url().endsWith('/draft') && response.request().method() === 'PUT')
  await page.reload()
  await expect(composer.getByRole('listitem').first()).toContainText('量大从优')
  await expect(composer.locator('strong')).toHaveText('每套 99 元')
  for (const look of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: look })
    const { violations } = await new AxeBuilder({ page }).analyze()
    expect(
      violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => [id, nodes.map((node) => node.html)]),
    ).toEqual([])
  }
  await composer.click()
  await page.keyboard.press('Control+Enter')
  await expect.poll(() => servers.taken.length).toBe(1)
  const [taken] = servers.taken
  expect(taken?.to).toEqual(['office@customer.test', 'colleague@customer.test'])
  const letter = readMail(taken?.raw as Buffer)
  expect(letter.html).toContain('<strong>每套 99 元</strong>')
  expect(letter.html).toMatch(/<li><p>量大从优<\/p><\/li>[\s\S]*周敏<br>山野茶社[\s\S]*<blockquote type="cite">/)
  expect(letter.text).toMatch(/每套 99 元[\s\S]*- 量大从优[\s\S]*-- \n周敏\n山野茶社[\s\S]*写道：/)
  await expect(workbench.message('每套 99 元')).toBeVisible()
  await expect(composer).toHaveText('')
  expect(blocked).toEqual([])
})

test('who filled in a form at some site is shown as unchecked, and the answer goes to nobody in copy', async ({ browser, hubUrl }) => {
  test.setTimeout(120_000)
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { page } = workbench
  const address = 'forms@shop.test'
  const settings = servers.settings(address, { pollSeconds: 5, saveSent: 'never', firstImportDays: 1 })
  await admin.call('POST', '/inboxes', { channel: 'email', name: '客服邮箱', settings })
  const box = await servers.imap(address)
  const head = [
    'From: noreply@site.test',
    'Reply-To: wang@customer.test',
    `To: ${address}`,
    'Cc: somebody@site.test',
    'Subject: Order 7',
    'Message-ID: <f@site.test>',
  ]
  await box.append('INBOX', [...head, '', 'Please call me back.'].join('\r\n'))
  await box.logout()
  await workbench.pick('wang@customer.test (site.test)')
  await expect(page.getByText('由 noreply@site.test 发来的表单，填写的地址 wang@customer.test 未经验证。')).toBeVisible()
  await expect(page.getByRole('button', { name: /^Re: Order 7 · 收件人 wang@customer\.test$/ })).toBeVisible()
  const before = servers.taken.length
  await page.getByTestId('composer').click()
  await page.keyboard.type('好的，稍后联系您。')
  await page.getByRole('button', { name: '发送', exact: true }).click()
  await expect.poll(() => servers.taken.length).toBe(before + 1)
  expect(servers.taken.at(-1)?.to).toEqual(['wang@customer.test'])
})

test('a letter that a crowd had is answered to its sender, and says so; more than fifty recipients do not leave the composer', async ({ browser, hubUrl }) => {
  test.setTimeout(120_000)
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { page } = workbench
  const address = 'crowd@shop.test'
  const settings = servers.settings(address, { pollSeconds: 5, saveSent: 'never', firstImportDays: 1 })
  await admin.call('POST', '/inboxes', { channel: 'email', name: '客服邮箱', settings })
  const others = Array.from({ length: 60 }, (_, i) => `other${i}@customer.test`)
  const box = await servers.imap(address)
  const head = ['From: Wang <wang@customer.test>', `To: ${[address, ...others].join(',\r\n ')}`, 'Subject: Order 8', 'Message-ID: <crowd@customer.test>']
  await box.append('INBOX', [...head, '', 'For all of you.'].join('\r\n'))
  await box.logout()
  await workbench.pick('Wang')
  const said = page.getByText('这封邮件的收件人太多，一封回信最多发给 50 位，所以只回复发件人。')
  await expect(said).toBeVisible()
  await page.getByRole('button', { name: /^Re: Order 8 · 收件人 Wang <wang@customer\.test>$/ }).click()
  const before = servers.taken.length
  const cc = page.getByRole('textbox', { name: '抄送' })
  await cc.fill(others.slice(0, 50).join(', '))
  await expect(said).toBeHidden()
  await expect(page.getByText('收件人和抄送合计最多 50 位，现在有 51 位。')).toBeVisible()
  await page.getByTestId('composer').click()
  await page.keyboard.type('各位好。')
  await page.getByRole('button', { name: '发送', exact: true }).click()
  await expect(cc).toBeFocused()
  await expect(page.getByTestId('composer')).toContainText('各位好。')
  await cc.fill(others.slice(0, 49).join(', '))
  await page.getByRole('button', { name: '发送', exact: true }).click()
  await expect.poll(() => servers.taken.length).toBe(before + 1)
  expect(servers.taken.at(-1)?.to).toHaveLength(50)
})

test('a letter is shown in a frame of its own: no script of it runs, its pictures come when the agent asks', async ({ browser, hub, hubUrl }) => {
  const pem = readFileSync(`${import.meta.dirname}/../support/self-signed.pem`)
  const asked: string[] = []
  const pixel = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')
  const elsewhere = createServer({ key: pem, cert: pem }, (request, response) => {
    asked.push(request.url ?? '')
    response.writeHead(200, { 'content-type': 'image/gif' }).end(pixel)
  })
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
  const tracker = `https://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`
  const { admin, workbench } = await openDesk(browser, hubUrl, { ignoreHTTPSErrors: true })
  const { page } = workbench
  const address = 'pictures@shop.test'
  await admin.call('POST', '/inboxes', {
    channel: 'email',
    name: '客服邮箱',
    settings: servers.settings(address, { pollSeconds: 5, saveSent: 'never', firstImportDays: 1 }),
  })
  const customer = await servers.imap(address)
  const hostile = `<script>fetch('${tracker}/script');parent.document.title='taken'</script><img src="${tracker}/broken" onerror="parent.document.title='taken'">`
  const html = `<p>Our <b>new</b> catalogue</p><div style="background:url(${tracker}/style)">below</div><img alt="tea" src="${tracker}/opened.gif">${hostile}`
  const head = ['From: shop@customer.test', `To: ${address}`, 'Subject: catalogue', 'Message-ID: <html@customer.test>', 'Content-Type: text/html']
  await customer.append('INBOX', [...head, '', html].join('\r\n'))
  await customer.logout()
  await workbench.pick('catalogue')
  await expect(workbench.message('Our new catalogue')).toBeVisible()
  const bubble = page.getByTestId('message')
  const frame = bubble.frameLocator('iframe')
  const loaded = () =>
    page
      .frames()
      .find((one) => one.url().includes('/letters/'))
      ?.waitForLoadState('load')

  await bubble.getByRole('button', { name: '查看邮件原文' }).click()
  await expect(frame.locator('b')).toHaveText('new')
  await loaded()
  expect(await bubble.locator('iframe').getAttribute('sandbox')).not.toContain('allow-scripts')
  expect(await frame.locator('script, [onerror]').count()).toBe(0)
  expect(asked).toEqual([])
  await expect(bubble.getByText('为保护隐私，未加载外部图片。')).toBeVisible()
  await bubble.getByRole('button', { name: '加载图片' }).click()
  await expect.poll(() => asked.includes('/opened.gif')).toBe(true)
  await expect(frame.getByAltText('tea')).toHaveJSProperty('complete', true)
  await expect(bubble.getByText('为保护隐私，未加载外部图片。')).toBeHidden()
  expect(asked.filter((path) => /script|style/.test(path))).toEqual([])

  await test.step('what it was found by is marked in its words and in the letter itself', async () => {
    const record = await page.context().newPage()
    await record.goto(`${hubUrl}/workbench/records`)
    await record.getByLabel('搜索消息内容').fill('catalogue')
    await record.getByLabel('搜索消息内容').press('Enter')
    await record.getByTestId('record').getByRole('link').first().click()
    await expect.poll(() => record.evaluate(markedWords)).toEqual(['catalogue'])
    await record.getByRole('button', { name: '查看邮件原文' }).click()
    await expect.poll(() => record.evaluate(markedInLetter)).toEqual(['catalogue'])
    await record.close()
  })

  // Were the markup not cleaned, the frame itself would still run nothing and fetch nothing.
  const orm = await openOrm(hub.place)
  try {
    await (orm.em.fork() as Em).nativeUpdate(Message, { direction: 'in' }, { parts: [{ type: 'html', html: `<p>unclean</p>${html}`, text: 'unclean' }] })
  } finally {
    await orm.close()
  }
  asked.length = 0
  await page.reload()
  await bubble.getByRole('button', { name: '查看邮件原文' }).click()
  await expect(frame.getByText('unclean')).toBeVisible()
  await loaded()
  expect(await frame.locator('script').count()).toBe(1)
  expect(asked).toEqual([])
  expect(await page.title()).not.toContain('taken')
  // The browser keeps lines open that it may want again.
  elsewhere.close()
  elsewhere.closeAllConnections()
})

test('an answer to a forged sender waits for the agent’s word; a letter that came back shows from whom, and the report', async ({ browser, hubUrl }) => {
  test.setTimeout(120_000)
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { page } = workbench
  const address = 'forged@shop.test'
  await admin.call('POST', '/inboxes', {
    channel: 'email',
    name: '客服邮箱',
    settings: servers.settings(address, { pollSeconds: 5, saveSent: 'never', firstImportDays: 1 }),
  })
  const client = await servers.imap(address)
  // Her address is one whose letters come back.
  const from = 'ghost-wang@customer.test'
  const checked = 'Authentication-Results: mx.shop.test; dmarc=fail'
  const head = [checked, `From: Wang <${from}>`, `To: ${address}`, 'Cc: thief@elsewhere.test', 'Subject: new address', 'Message-ID: <forged@customer.test>']
  await client.append('INBOX', [...head, '', 'Please send it elsewhere.'].join('\r\n'))
  await client.logout()
  await workbench.pick('send it elsewhere')
  await expect(workbench.message('send it elsewhere').getByText('发件人身份未通过验证，请谨慎处理。')).toBeVisible()
  await expect(
    page
      .getByRole('heading', { name: `⚠ ${from}` })
      .or(page.getByText(`⚠ ${from}`))
      .first(),
  ).toBeVisible()
  await expect(page.getByText('发件人未通过验证，可能是冒充的。')).toBeVisible()
  await expect(page).toHaveTitle('汇客工作台')
  const { violations } = await new AxeBuilder({ page }).analyze()
  expect(violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => [id, nodes.map((node) => node.html)])).toEqual(
    [],
  )
  await page.getByTestId('composer').click()
  await page.keyboard.type('no recipient yet')
  await page.keyboard.press('Control+Enter')
  const refused = workbench.message('no recipient yet')
  await expect(refused).toContainText('没有自动回复到该地址')
  await page.getByRole('button', { name: `仍回复到 ${from}` }).click()
  await expect(page.getByLabel('收件人')).toHaveValue(`Wang <${from}>`)
  await expect(page.getByLabel('抄送')).toHaveValue('')
  await page.getByTestId('composer').click()
  await page.keyboard.type('who are you')
  await page.keyboard.press('Control+Enter')
  const sent = workbench.message('who are you')
  await expect(sent).toContainText(`退信：${from} 没有收到这封邮件。`, { timeout: 20_000 })
  await sent.getByRole('button', { name: '邮件信息' }).click()
  const download = page.waitForEvent('download')
  await sent.getByRole('link', { name: `下载 ${from} 的退信` }).click()
  expect((await download).suggestedFilename()).toMatch(/\.eml$/)
})

test('a letter waits while an address is none or its recipient was taken out: the fault is at the field, nothing is lost', async ({ browser, hubUrl }) => {
  test.setTimeout(120_000)
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { page } = workbench
  const address = 'addresses@shop.test'
  await admin.call('POST', '/inboxes', {
    channel: 'email',
    name: '客服邮箱',
    settings: servers.settings(address, { pollSeconds: 5, saveSent: 'never', firstImportDays: 1 }),
  })
  const client = await servers.imap(address)
  // A name with a comma in it is one name.
  const head = ['From: "Wang, Xue" <xue@customer.test>', `To: ${address}`, 'Subject: cups', 'Message-ID: <cups@customer.test>']
  await client.append('INBOX', [...head, '', 'Please quote 20 cups.'].join('\r\n'))
  await client.logout()
  await workbench.pick('quote 20 cups')
  const before = servers.taken.length
  const [composer, to, cc] = [page.getByTestId('composer'), page.getByLabel('收件人'), page.getByLabel('抄送')]
  await composer.click()
  await page.keyboard.type('50 each')
  await page.getByRole('button', { name: /^Re: cups/ }).click()
  await expect(to).toHaveValue('"Wang, Xue" <xue@customer.test>')
  const waits = async (field: typeof to, why: string) => {
    await composer.click()
    await page.keyboard.press('Control+Enter')
    await expect(field).toBeFocused()
    await expect(field).toHaveAttribute('aria-invalid', 'true')
    await expect(field).toHaveAccessibleDescription(why)
    await page.getByRole('button', { name: '发送', exact: true }).click()
    await expect(field).toBeFocused()
    await expect(composer).toHaveText('50 each')
  }
  const bad = '请填写正确的邮箱地址，多个地址用逗号分开。'
  await cc.fill('boss@customer.test, wangwu')
  await waits(cc, bad)
  await cc.fill('boss@customer.test')
  await to.fill('boss@customer.test; li si@customer')
  await waits(to, bad)
  await to.fill('')
  await waits(to, '请填写收件人。')
  await to.fill('"Wang, Xue" <xue@customer.test>、lisi@customer.test')
  await expect(to).toHaveAttribute('aria-invalid', 'false')
  await page.keyboard.press('Enter')
  await expect.poll(() => servers.taken.length).toBe(before + 1)
  expect(servers.taken.at(-1)?.to).toEqual(['xue@customer.test', 'lisi@customer.test', 'boss@customer.test'])
  await expect(composer).toHaveText('')
})

test('a letter’s draft keeps all that was composed, over another conversation and a reload', async ({ browser, hubUrl }) => {
  test.setTimeout(120_000)
  const { admin, workbench } = await openDesk(browser, hubUrl)
  const { page } = workbench
  const address = 'drafts@shop.test'
  await admin.call('POST', '/inboxes', {
    channel: 'email',
    name: '客服邮箱',
    settings: servers.settings(address, { pollSeconds: 5, saveSent: 'never', firstImportDays: 1 }),
  })
  const client = await servers.imap(address)
  for (const [who, words] of [
    ['xue', 'Please quote 20 cups.'],
    ['lei', 'Another matter.'],
  ])
    await client.append(
      'INBOX',
      [`From: ${who}@customer.test`, `To: ${address}`, `Subject: ${who}`, `Message-ID: <${who}@customer.test>`, '', words].join('\r\n'),
    )
  await client.logout()
  await workbench.pick('quote 20 cups')
  const [composer, subject, cc] = [page.getByTestId('composer'), page.getByLabel('主题'), page.getByLabel('抄送')]
  await composer.click()
  await page.keyboard.press('Control+b')
  await page.keyboard.type('50 each')
  await page.getByRole('button', { name: /^Re: xue/ }).click()
  await subject.fill('Cups: our offer')
  await cc.fill('boss@customer.test')
  await page
    .locator('.composer input[type=file]')
    .first()
    .setInputFiles({ name: '报价单.txt', mimeType: 'text/plain', buffer: Buffer.from('20 cups: 50 each') })
  await expect(page.locator('.composer').getByText('报价单.txt', { exact: true })).toBeVisible()

  const complete = async () => {
    await expect(composer.locator('strong')).toHaveText('50 each')
    await expect(subject).toHaveValue('Cups: our offer')
    await expect(cc).toHaveValue('boss@customer.test')
    await expect(page.locator('.composer').getByText('报价单.txt', { exact: true })).toBeVisible()
  }
  await workbench.pick('Another matter')
  await expect(composer).toHaveText('')
  await expect(page.getByRole('button', { name: /^Re: lei/ })).toBeVisible()
  await workbench.pick('50 each')
  await complete()
  await page.reload()
  await complete()

  await test.step('a file that is on its way goes on while another conversation is on the screen; one that was refused is still there', async () => {
    const go = Promise.withResolvers<void>()
    await page.route('**/api/files', async (route) => {
      await go.promise
      await route.continue()
    })
    const pick = (name: string) =>
      page
        .locator('.composer input[type=file]')
        .first()
        .setInputFiles({ name, mimeType: 'text/plain', buffer: Buffer.from(name === '空的.txt' ? '' : name) })
    const both = ['清单.txt', '说明.txt']
    for (const name of both) {
      await pick(name)
      await expect(page.getByText(`正在上传 ${name}`)).toBeVisible()
    }
    await workbench.pick('Another matter')
    await expect(page.getByText('正在上传')).toHaveCount(0)
    // They arrive at once; neither takes the other's place.
    const stored = page.waitForResponse((response) => {
      const asked = response.request()
      return response.url().endsWith('/draft') && asked.method() === 'PUT' && both.every((name) => asked.postData()?.includes(name))
    })
    go.resolve()
    expect((await stored).ok()).toBe(true)
    await page.unroute('**/api/files')
    await workbench.pick('50 each')
    await complete()
    for (const name of both) await expect(page.locator('.composer').getByText(name, { exact: true })).toBeVisible()
    await pick('空的.txt')
    const failed = page.locator('.upload', { hasText: '空的.txt' })
    await expect(failed).toHaveAttribute('data-failed', 'true')
    await workbench.pick('Another matter')
    await workbench.pick('50 each')
    await failed.getByRole('button', { name: '删除' }).click()
    await expect(failed).toHaveCount(0)
  })
  const before = servers.taken.length
  await composer.click()
  await page.keyboard.press('Control+Enter')
  await expect.poll(() => servers.taken.length).toBe(before + 1)
  expect(servers.taken.at(-1)?.to).toEqual(['xue@customer.test', 'boss@customer.test'])
  // What went is no draft.
  await page.reload()
  await expect(page.getByRole('button', { name: /^Re: xue/ })).toBeVisible()
  await expect(composer).toHaveText('')
  await expect(page.locator('.composer').getByText('报价单.txt', { exact: true })).toHaveCount(0)

  await test.step('from a word processor: its lists are lists, of a table the cells keep apart, its picture of the words stays behind', async () => {
    const item = (sign: string, words: string) =>
      `<p class=MsoListParagraph style='text-indent:-21pt;mso-list:l0 level1 lfo1'><span style='mso-list:Ignore'>${sign}<span>&nbsp;</span></span>${words}<o:p></o:p></p>`
    const table = '<table><tr><td><p><b>品名</b></p></td><td><p>单价</p></td></tr><tr><td>龙井</td><td>99 元</td></tr></table>'
    await composer.evaluate(pasteMarkup, `${item('l', '头采')}${item('l', '明前')}${item('1.', '先付款')}${table}`)
    await expect(composer.locator('ul > li')).toHaveText(['头采', '明前'])
    await expect(composer.locator('ol > li')).toHaveText(['先付款'])
    await expect(composer.locator(':scope > p')).toHaveText(['品名 | 单价', '龙井 | 99 元'])
    await expect(composer.locator('strong')).toHaveText('品名')
    await composer.evaluate(pasteWithPicture, '<b>随图的字</b>')
    await expect(composer).toContainText('随图的字')
    await expect(page.locator('.composer .upload')).toHaveCount(0)
  })
})
