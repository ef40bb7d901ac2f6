/** What an admin sets for one mailbox; drawn as a form from this schema. */
import type { ChannelInbox } from '@huike/core/sdk/channel.ts'
import { type Static, Type } from 'typebox'
import { type Endpoint, type Preset, type ProviderId, presets, type Security } from './presets.ts'

const choice = <T extends string>(value: T, title: string) => Type.Literal(value, { title })
const host = (title: string) =>
  Type.String({ title, maxLength: 253, pattern: '^[A-Za-z0-9.:-]*$', default: '', description: '留空则使用服务商的默认值|Empty: the provider’s own' })
const port = (title: string) => Type.Integer({ title, minimum: 0, maximum: 65_535, default: 0, description: '0 表示默认端口|0: the usual one' })
const security = (title: string) =>
  Type.Union(
    [
      choice('auto', '默认|Usual'),
      choice('tls', 'TLS'),
      choice('starttls', 'STARTTLS'),
      choice('none', '不加密（仅限本机或内网）|None (this machine or a private network only)'),
    ],
    {
      title,
      default: 'auto',
    },
  )

const withOAuth = { field: 'login', is: ['oauth'] }

export const inboxSettings = Type.Object({
  provider: Type.Union(
    (Object.entries(presets) as [ProviderId, Preset][]).map(([id, preset]) => choice(id, `${preset.label.zh}|${preset.label.en}`)),
    { title: '邮箱服务商|Provider', default: 'generic' },
  ),
  address: Type.String({ title: '邮箱地址|Address', maxLength: 190, pattern: '^$|^[^\\s@<>,;:"()]+@[^\\s@<>,;:"()]+$', default: '' }),
  displayName: Type.String({
    title: '发件人名称|Sender name',
    description: '客户看到的发件人，例如“某某商城客服”|What customers see beside the address',
    maxLength: 80,
    pattern: '^[^\\r\\n]*$',
    default: '',
  }),
  login: Type.Union(
    [choice('password', '密码或授权码|Password or authorisation code'), choice('oauth', 'OAuth 授权（Gmail、Microsoft）|OAuth (Gmail, Microsoft)')],
    {
      title: '登录方式|Login',
      default: 'password',
    },
  ),
  user: Type.String({ title: '登录用户名（留空则为邮箱地址）|User name (empty: the address)', maxLength: 190, pattern: '^[^\\r\\n]*$', default: '' }),
  password: Type.String({
    title: '密码或授权码|Password or authorisation code',
    description: '163、126、QQ 邮箱请填客户端授权码，不是登录密码|NetEase and QQ want the client authorisation code, not the login password',
    format: 'secret',
    maxLength: 300,
    'x-when': { field: 'login', is: ['password'] },
    default: '',
  }),
  oauthClientId: Type.String({ title: 'OAuth 客户端 ID|OAuth client id', maxLength: 300, 'x-when': withOAuth, default: '' }),
  oauthClientSecret: Type.String({ title: 'OAuth 客户端密钥|OAuth client secret', format: 'secret', maxLength: 500, 'x-when': withOAuth, default: '' }),
  oauthTenant: Type.String({
    title: 'Microsoft 租户|Microsoft tenant',
    description: '填写租户 ID 或域名；个人邮箱填 consumers|The tenant’s id or domain; consumers for personal mailboxes',
    maxLength: 200,
    pattern: '^[A-Za-z0-9.-]*$',
    'x-when': withOAuth,
    default: 'common',
  }),
  oauthAppOnly: Type.Boolean({
    title: '仅以应用身份登录（Microsoft，需管理员授权）|App-only access (Microsoft, admin consent needed)',
    'x-when': withOAuth,
    default: false,
  }),
  imapHost: host('IMAP 服务器|IMAP server'),
  imapPort: port('IMAP 端口|IMAP port'),
  imapSecurity: security('IMAP 加密|IMAP security'),
  smtpHost: host('SMTP 服务器|SMTP server'),
  smtpPort: port('SMTP 端口|SMTP port'),
  smtpSecurity: security('SMTP 加密|SMTP security'),
  selfSigned: Type.Boolean({
    title: '接受自签名证书|Accept a self-signed certificate',
    description:
      '仅用于内网自建的邮件服务器：开启后不再检查证书，连接可能被冒充|Only for a mail server of your own on a private network: the certificate is not checked any more, the server could be somebody else',
    default: false,
  }),
  folder: Type.String({ title: '收信文件夹|Folder', maxLength: 200, default: 'INBOX' }),
  firstImportDays: Type.Integer({
    title: '首次连接导入最近几天的邮件|Days of mail taken in at the first connection',
    description: '0 表示只接收此后的新邮件|0: only what comes from now on',
    minimum: 0,
    maximum: 90,
    default: 0,
  }),
  pollSeconds: Type.Integer({
    title: '轮询间隔（秒）|Seconds between looks',
    description: '服务器不支持即时推送（IDLE）时使用；支持时作为补漏|Where the server cannot push (IDLE); elsewhere a second look',
    minimum: 5,
    maximum: 3_600,
    default: 120,
  }),
  markSeen: Type.Boolean({ title: '收取后标为已读|Mark letters as read once taken in', default: false }),
  saveSent: Type.Union([choice('auto', '自动|By provider'), choice('always', '总是|Always'), choice('never', '从不|Never')], {
    title: '把回复存入“已发送”|Keep a copy in Sent',
    default: 'auto',
  }),
  subjectDays: Type.Integer({
    title: '按主题提示相关会话的天数|Days in which the same subject suggests a conversation',
    description:
      '参与过该会话的人另写一封同主题的新邮件时，提示客服可能属于同一件事；只提示，不自动合并。0 表示不提示|When somebody who took part writes a new letter of the same subject, agents are told where it may belong; nothing is joined by itself. 0: never',
    minimum: 0,
    maximum: 90,
    default: 14,
  }),
  replyToken: Type.Boolean({
    title: '回复地址带会话标记（support+标记@…）|Put a conversation mark into the reply address (support+mark@…)',
    description: '仅当邮箱支持“+”别名时开启；QQ、163 不保证支持|Only where the mailbox takes “+” addresses; QQ and 163 may not',
    default: false,
  }),
  quotePrevious: Type.Boolean({ title: '回复时附上客户的上一封信|Quote the customer’s last letter', default: true }),
  replyMarker: Type.Boolean({
    title: '在引用上方加“请在此行以上回复”|Add “please reply above this line”',
    'x-when': { field: 'quotePrevious', is: [true] },
    default: false,
  }),
  signature: Type.String({
    title: '签名|Signature',
    description:
      '附在每封信的正文之后，写信时可以预览。可用变量：{agent} 客服姓名，{sender} 发件人名称，{address} 邮箱地址|Below the words of every letter, shown while writing. Variables: {agent} the agent’s name, {sender} the sender’s name, {address} the mailbox’s address',
    maxLength: 2_000,
    'x-multiline': true,
    default: '',
  }),
  aliases: Type.Array(Type.String({ maxLength: 190, pattern: '^[^\\s@<>,;:"()]+@[^\\s@<>,;:"()]+$' }), {
    title: '本邮箱的其他地址|Other addresses of this mailbox',
    description: '每行一个；来自这些地址的信不算客户来信|One a line; letters from them are not a customer’s',
    maxItems: 50,
    default: [],
  }),
  authservIds: Type.Array(Type.String({ maxLength: 253, pattern: '^[A-Za-z0-9._:-]+$' }), {
    title: '可信的验证服务器|Trusted checking server',
    description:
      '收信服务器写在 Authentication-Results 开头的名字；只有它给出的 SPF/DKIM/DMARC 结果才可信，留空则一律不信|The name your receiving server puts first in Authentication-Results; only its word on SPF, DKIM and DMARC counts. Empty: nobody’s',
    maxItems: 10,
    default: [],
  }),
})
export type InboxSettings = Static<typeof inboxSettings>

/** Stands before the address of a sender who is not who they say: with a colon nobody's real address can begin (`normaliseAddress`). */
export const unverified = 'unverified:'

/**
 * Who filled in a form at a site: another person than whose address that is, and than who says the same at another site or in
 * its name. What decides where answers go stands in front: a long name is cut at its end.
 */
export const fillerId = (address: string, site: string, forged: boolean): string => `${unverified}${forged ? unverified : ''}${address} ${site}`
/** Where the answer to such a one goes; undefined for all others. */
export function fillerOf(id: string): string | undefined {
  const [address, site, ...more] = id.startsWith(unverified) ? id.slice(unverified.length).split(' ') : []
  return address && site && more.length === 0 && !address.startsWith(unverified) ? address : undefined
}

const replyMark = /\+h[0-9a-z]{26}[0-9a-f]{16}(?=@)/i
/** One of our addresses without the mark of a conversation that its letters are to be answered to (`makeReplyAddress`); any other as it is. */
export function unmarked(address: string, { own }: Pick<Mailbox, 'own'>): string {
  const bare = address.replace(replyMark, '')
  return own.has(bare.toLowerCase()) ? bare : address
}

/** A mailbox with the preset's values filled in. */
export interface Mailbox {
  inboxId: string
  name: string
  preset: Preset
  settings: InboxSettings
  address: string
  user: string
  imap: Endpoint
  smtp: Endpoint
  /** Every address that is ours, lower case. */
  own: ReadonlySet<string>
  trusted: ReadonlySet<string>
}

const usualPort = { imap: { tls: 993, starttls: 143, none: 143 }, smtp: { tls: 465, starttls: 587, none: 25 } } as const

function endpoint(kind: 'imap' | 'smtp', preset: Endpoint | undefined, host: string, port: number, security: Security | 'auto'): Endpoint {
  const secured = security === 'auto' ? (preset?.security ?? 'tls') : security
  return { host: host || preset?.host || '', security: secured, port: port || (preset?.security === secured ? preset.port : usualPort[kind][secured]) }
}

/** What stands below the words of a letter, its variables filled in; empty without a signature. */
export function signatureOf({ settings, name, address }: Mailbox, agentName: string): string {
  const values: Record<string, string> = { agent: agentName, sender: settings.displayName || name, address }
  return settings.signature.replace(/\{(agent|sender|address)\}/g, (_whole, variable: string) => values[variable] as string).trim()
}

export function mailboxOf(inbox: ChannelInbox): Mailbox {
  const settings = inbox.settings as unknown as InboxSettings
  const preset = presets[settings.provider as ProviderId] ?? presets.generic
  const address = settings.address.trim().toLowerCase()
  return {
    inboxId: inbox.id,
    name: inbox.name,
    preset,
    settings,
    address,
    user: settings.user || settings.address.trim(),
    imap: endpoint('imap', preset.imap, settings.imapHost, settings.imapPort, settings.imapSecurity),
    smtp: endpoint('smtp', preset.smtp, settings.smtpHost, settings.smtpPort, settings.smtpSecurity),
    own: new Set([address, ...settings.aliases.map((alias) => alias.toLowerCase())]),
    trusted: new Set([...(settings.authservIds.length > 0 ? settings.authservIds : preset.authservIds)].map((id) => id.toLowerCase())),
  }
}
