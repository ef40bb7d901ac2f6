/**
 * Every channel there is, each connected to a platform of ours, set up over HTTP as an admin would: for the world in a
 * browser, the fault run and the bench.
 */
import { DouyinServer, type WechatAccount, WechatServer } from '../../core/sdk/testing.ts'
import type { HubClient } from '../../plugins/app/example/client.ts'
import { AppBackend } from './app-backend.ts'
import { LetterGate } from './letter-gate.ts'
import { type MailServers, startMailServers, whyNoMailServers } from './mail-servers.ts'
import { startOwnMailServers } from './own-mail-servers.ts'

export interface MailPlatform {
  inboxId: string
  address: string
  servers: MailServers
  /** In front of the hub's way to them; customers have a way of their own. */
  imap: LetterGate
  smtp: LetterGate
}

export interface Platforms {
  website: { inboxId: string }
  wechat: WechatServer
  official: { inboxId: string; account: WechatAccount }
  mini: { inboxId: string; account: WechatAccount }
  douyin: { inboxId: string; server: DouyinServer; operator: string }
  app: { inboxId: string; backend: AppBackend; client: HubClient; eventsUrl: string }
  /** On Dovecot and Postfix; where those cannot run, on servers of our own (`servers.kind` says which). */
  email: MailPlatform
  stop(): Promise<void>
}

export interface PlatformOptions {
  email: string
  password: string
  /** Replies that WeChat grants after a message. */
  replies?: number
  mailSettings?: Record<string, unknown>
}

const json = (body: unknown) => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

/** @param hub the address of a hub that runs; @param who an owner of it. Throws when the hub refuses something. */
export async function openPlatforms(hub: string, { email, password, replies = 5, mailSettings = {} }: PlatformOptions): Promise<Platforms> {
  const login = await fetch(`${hub}/api/login`, json({ email, password }))
  if (!login.ok) throw new Error(`login: ${login.status} ${await login.text()}`)
  const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? ''
  const ask = async (path: string, { method, headers, body }: { method: string; headers?: object; body?: string }, more = '') => {
    const response = await fetch(`${hub}${path}`, {
      method,
      redirect: 'manual',
      headers: { ...headers, cookie: cookie + more },
      ...(body === undefined ? {} : { body }),
    })
    if (response.status >= 400) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return response
  }
  const inbox = async (channel: string, name: string, settings: Record<string, unknown>): Promise<string> =>
    ((await (await ask('/api/inboxes', json({ channel, name, settings }))).json()) as { id: string }).id
  const configure = (plugin: string, settings: object) => ask(`/api/plugins/${plugin}/settings`, { ...json(settings), method: 'PUT' })
  const undo: (() => Promise<unknown>)[] = []
  try {
    const { items } = (await (await ask('/api/inboxes', { method: 'GET' })).json()) as { items: { id: string; channel: string }[] }
    const website = items.find(({ channel }) => channel === 'website')?.id ?? (await inbox('website', '官网', {}))

    const wechat = await new WechatServer().start()
    undo.push(() => wechat.stop())
    const open = async (account: WechatAccount, name: string) => {
      const inboxId = await inbox('wechat', name, account.settings)
      account.callback = `${hub}/api/channels/wechat/${inboxId}`
      if (!(await account.verifyCallback())) throw new Error(`${name}: WeChat’s check of the address failed`)
      return { inboxId, account }
    }
    const official = await open(wechat.account({ kind: 'official', mode: 'safe', replies }), '公众号 · 山野茶事')
    const mini = await open(wechat.account({ kind: 'mini', mode: 'safe', format: 'json', replies }), '小程序 · 山野茶铺')

    const douyin = await new DouyinServer().start()
    undo.push(() => douyin.stop())
    await configure('douyin', { apiUrl: douyin.url })
    const douyinInbox = await inbox('douyin', '抖音 · 山野茶事', { clientKey: douyin.clientKey, clientSecret: douyin.clientSecret })
    douyin.webhookUrl = `${hub}/api/channels/douyin/${douyinInbox}`
    if (!(await douyin.verifyWebhook())) throw new Error('Douyin’s check of the address failed')
    const operator = douyin.operator(undefined, '山野茶事').openId
    await authorise(ask, douyinInbox)

    await configure('app', { allowPrivateAddresses: true })
    const backend = await new AppBackend().start()
    undo.push(() => backend.stop())
    const appInbox = await inbox('app', 'App · 山野茶事', { endpointUrl: backend.url, secret: backend.secret })
    const eventsUrl = `${hub}/api/channels/app/${appInbox}`

    const servers = whyNoMailServers() ? await startOwnMailServers() : await startMailServers()
    undo.push(() => servers.stop())
    const [imap, smtp] = [await new LetterGate(servers.imapPort).start(), await new LetterGate(servers.smtpPort).start()]
    undo.push(
      () => imap.stop(),
      () => smtp.stop(),
    )
    const address = 'service@shop.test'
    const settings = servers.settings(address, { displayName: '山野茶事客服', imapPort: imap.port, smtpPort: smtp.port, ...mailSettings })
    return {
      website: { inboxId: website },
      wechat,
      official,
      mini,
      douyin: { inboxId: douyinInbox, server: douyin, operator },
      app: { inboxId: appInbox, backend, client: backend.connect(eventsUrl), eventsUrl },
      email: { inboxId: await inbox('email', '客服邮箱', settings), address, servers, imap, smtp },
      stop: () => stopAll(undo),
    }
  } catch (error) {
    await stopAll(undo)
    throw error
  }
}

async function stopAll(undo: (() => Promise<unknown>)[]): Promise<void> {
  for (const take of undo.reverse()) await take()
}

/** The button, Douyin's page (where the operator confirms at once), and back. */
async function authorise(ask: (path: string, request: { method: string }, more?: string) => Promise<Response>, inboxId: string): Promise<void> {
  const begun = await ask(`/api/x/douyin/inboxes/${inboxId}/authorise`, { method: 'POST' })
  const nonce = begun.headers.get('set-cookie')?.split(';')[0] ?? ''
  const page = await fetch(((await begun.json()) as { url: string }).url, { redirect: 'manual' })
  const back = new URL(page.headers.get('location') ?? '')
  const done = await ask(back.pathname + back.search, { method: 'GET' }, `; ${nonce}`)
  const outcome = done.headers.get('location') ?? ''
  if (!outcome.endsWith('=authorised')) throw new Error(`Douyin was not authorised: ${outcome}`)
}
