/**
 * What it costs to take what platforms bring: WeChat's pushes in safe mode, and letters from a mailbox, each against parsing
 * alone (`floor`): the same bytes read by the plugin's own reader in this process, nothing stored.
 */
import { mkdirSync } from 'node:fs'
import { createTransport } from 'nodemailer'
import { Value } from 'typebox/value'
import { sanitizeLetter } from '../../core/sdk/sanitize-letter.ts'
import { type WechatAccount, WechatServer } from '../../core/sdk/testing.ts'
import { readMail } from '../../plugins/email/server/read-mail.ts'
import { inboxSettings, type WechatInbox } from '../../plugins/wechat/server/inbox-settings.ts'
import { receivePush } from '../../plugins/wechat/server/receive.ts'
import { freePort } from '../support/free-port.ts'
import { startMailServers, whyNoMailServers } from '../support/mail-servers.ts'
import { makePlace, type ProfileName } from '../support/profiles.ts'
import { forgetRedis, openRows, signIn, startHub } from './hub.ts'
import { Client, closedLoop, type Latencies } from './load.ts'
import { watch } from './process.ts'

export interface ChannelMeasured {
  profile: ProfileName
  /** A push answered with `success` after the commit. */
  webhooks: { concurrency: number; latencies: Latencies; perSecond: number; cpuPer1000: number }[]
  /** Pushes verified, opened and read a second, one after the other. */
  webhookFloor: number
  accepted: number
  stored: number
  /** Why there are none, where mail servers are not installed. */
  mail: { letters: number; stored: number; seconds: number; perSecond: number; cpuPer1000: number; floor: number } | string
}

const people = 200
let words = 0
const pushOf = (account: WechatAccount, openid: string) =>
  account.seal({
    ToUserName: account.originalId,
    FromUserName: openid,
    CreateTime: Math.floor(Date.now() / 1_000),
    MsgType: 'text',
    Content: `请问这件还有货吗？今天下单什么时候发货？ ${++words}`,
    MsgId: BigInt(account.nextMsgId()),
  })

const letterOf = (i: number) => ({
  from: { name: '林小满', address: `customer-${i % people}@customer.test` },
  to: 'bench@shop.test',
  subject: `订单 ${i} 的发票`,
  text: `您好，请把发票抬头改成云杉科技。第 ${i} 封。\n\n> 上一封信\n> 的引用`,
  html: `<p>您好，请把<b>发票抬头</b>改成云杉科技。第 ${i} 封。</p><blockquote type="cite"><p>上一封信的引用</p></blockquote>`,
})

export async function measureChannels(profile: ProfileName, quick: boolean, say: (line: string) => void): Promise<ChannelMeasured> {
  const place = await makePlace(profile)
  const undo: (() => unknown)[] = [() => place.remove()]
  try {
    mkdirSync(place.dataDir, { recursive: true })
    undo.push(() => forgetRedis(place))
    const hub = await startHub(place, await freePort())
    undo.push(() => hub.stop())
    const client = new Client(hub.url)
    undo.push(() => client.close())
    const rows = await openRows(place)
    undo.push(() => rows.close())
    const cookie = await signIn(client)
    await rows.run('update agent set capacity = 1000000')
    const inbox = async (channel: string, settings: object): Promise<string> => {
      const { status, text } = await client.post('/api/inboxes', JSON.stringify({ channel, name: channel, settings }), { cookie })
      if (status !== 201) throw new Error(`inbox: ${status} ${text}`)
      return JSON.parse(text).id
    }
    const count = async (inboxId: string): Promise<number> => {
      const [row] = (await rows.run(`select count(*) as n from message where inbox_id = '${inboxId}' and direction = 'in'`)) as { n: number }[]
      return Number(row?.n)
    }

    // ── WeChat, safe mode ──
    const server = await new WechatServer().start()
    undo.push(() => server.stop())
    const account = server.account({ mode: 'safe' })
    const id = await inbox('wechat', account.settings)
    const openids = Array.from({ length: people }, () => account.person().openid)
    let turn = 0
    let accepted = 0
    const push = async (): Promise<void> => {
      const { query, body, type } = pushOf(account, openids[turn++ % people] ?? '')
      const { status, text } = await client.post(`/api/channels/wechat/${id}?${query}`, body, { 'content-type': type })
      if (status !== 200 || text !== 'success') throw new Error(`${status} ${text.slice(0, 200)}`)
      accepted++
    }
    say(`${profile}: WeChat, warming up`)
    await closedLoop(16, quick ? 1_000 : 3_000, people * 4, push)
    const webhooks: ChannelMeasured['webhooks'] = []
    for (const concurrency of [1, 16, 64]) {
      say(`${profile}: WeChat pushes at ${concurrency}`)
      const end = watch(hub)
      const latencies = await closedLoop(concurrency, quick ? 1_000 : 5_000, 40_000, push)
      const { cpu } = end()
      webhooks.push({ concurrency, latencies, perSecond: latencies.count / latencies.seconds, cpuPer1000: (cpu / latencies.count) * 1_000 })
    }
    const form = { id, name: 'bench', settings: Value.Default(inboxSettings, account.settings) } as WechatInbox
    const sealed = Array.from({ length: quick ? 500 : 4_000 }, () => pushOf(account, openids[0] ?? ''))
    const began = performance.now()
    for (const { query, body } of sealed)
      receivePush(
        {
          method: 'POST',
          url: '/',
          ip: '',
          headers: { 'content-type': 'text/xml' },
          query: Object.fromEntries(new URLSearchParams(query)),
          body: Buffer.from(body),
        },
        form,
      )
    const webhookFloor = sealed.length / ((performance.now() - began) / 1_000)
    const stored = await count(id)

    return { profile, webhooks, webhookFloor, accepted, stored, mail: await measureMail(quick, say, { profile, hub, inbox, count }, undo) }
  } finally {
    for (const take of undo.reverse()) await Promise.resolve(take()).catch?.((error: Error) => console.error(`clean-up: ${error.message}`))
  }
}

interface Bench {
  profile: ProfileName
  hub: Parameters<typeof watch>[0]
  inbox(channel: string, settings: object): Promise<string>
  count(inboxId: string): Promise<number>
}

/** The letters lie in the mailbox before the hub looks: what is measured is reading and storing, not Postfix. */
async function measureMail(
  quick: boolean,
  say: (line: string) => void,
  { profile, hub, inbox, count }: Bench,
  undo: (() => unknown)[],
): Promise<ChannelMeasured['mail']> {
  const missing = whyNoMailServers()
  if (missing) return missing
  const letters = quick ? 60 : 600
  say(`${profile}: ${letters} letters into Dovecot's mailbox`)
  const servers = await startMailServers()
  undo.push(() => servers.stop())
  const composer = createTransport({ streamTransport: true, buffer: true })
  const raws = await Promise.all(Array.from({ length: letters }, async (_, i) => (await composer.sendMail(letterOf(i))).message as Buffer))
  const imap = await servers.imap('bench@shop.test')
  for (const raw of raws) await imap.append('INBOX', raw)
  await imap.logout()
  const parsing = performance.now()
  for (const raw of raws) {
    const { html } = readMail(raw)
    if (html) sanitizeLetter(html)
  }
  const floor = letters / ((performance.now() - parsing) / 1_000)

  say(`${profile}: reading them`)
  const end = watch(hub)
  const began = performance.now()
  const id = await inbox('email', servers.settings('bench@shop.test', { firstImportDays: 1 }))
  let stored = 0
  for (let i = 0; i < 1_200 && stored < letters; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    stored = await count(id)
  }
  const seconds = (performance.now() - began) / 1_000
  const { cpu } = end()
  return { letters, stored, seconds, perSecond: stored / seconds, cpuPer1000: (cpu / Math.max(1, stored)) * 1_000, floor }
}
