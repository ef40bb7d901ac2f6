/** What is known of the providers: servers, ports, how one logs in, what they do with sent mail. Facts, one table. */
import type { LocalText } from '@huike/core/sdk/channel.ts'

export type ProviderId = '163' | '126' | 'qq' | 'exmail' | 'gmail' | 'microsoft365' | 'generic'
export type Security = 'tls' | 'starttls' | 'none'

export interface Endpoint {
  host: string
  port: number
  security: Security
}

export interface Preset {
  label: LocalText
  imap?: Endpoint
  smtp?: Endpoint
  /** What the password field wants. */
  secret: LocalText
  /** Said when the login fails. */
  loginHelp: LocalText
  /** The provider itself keeps a copy of what leaves by SMTP: ours would be a second one. */
  savesSent: boolean
  /** Refuses a From other than the mailbox. */
  fromMustMatch: boolean
  oauth?: { authorise: string; token: string; scope: string; appScope?: string; params?: Record<string, string> }
  /** Whose word on SPF, DKIM and DMARC counts (RFC 8601). Empty: the operator must say, else nothing is believed. */
  authservIds: readonly string[]
}

const tls = (host: string, port: number): Endpoint => ({ host, port, security: 'tls' })
const code: LocalText = { zh: '客户端授权码（不是登录密码）', en: 'Client authorisation code (not the login password)' }

const netease = (domain: '163.com' | '126.com', label: LocalText): Preset => ({
  label,
  imap: tls(`imap.${domain}`, 993),
  smtp: tls(`smtp.${domain}`, 465),
  secret: code,
  loginHelp: {
    zh: '请在网页邮箱「设置 → POP3/SMTP/IMAP」中开启 IMAP/SMTP 服务，新建客户端授权码并填到这里；登录密码在这里不能用。',
    en: 'In the web mail open Settings → POP3/SMTP/IMAP, switch on IMAP/SMTP, create a client authorisation code and enter it here; the login password does not work.',
  },
  savesSent: false,
  fromMustMatch: true,
  authservIds: [],
})

export const presets: Record<ProviderId, Preset> = {
  '163': netease('163.com', { zh: '网易 163 邮箱', en: 'NetEase 163' }),
  '126': netease('126.com', { zh: '网易 126 邮箱', en: 'NetEase 126' }),
  qq: {
    label: { zh: 'QQ 邮箱', en: 'QQ Mail' },
    imap: tls('imap.qq.com', 993),
    smtp: tls('smtp.qq.com', 465),
    secret: code,
    loginHelp: {
      zh: '请在网页邮箱「设置 → 账号」中开启 IMAP/SMTP 服务并生成 16 位授权码填到这里；修改 QQ 密码后授权码会失效，需要重新生成。',
      en: 'In the web mail open Settings → Account, switch on IMAP/SMTP and enter the 16-character code it gives; changing the QQ password ends the code.',
    },
    savesSent: false,
    fromMustMatch: true,
    authservIds: [],
  },
  exmail: {
    label: { zh: '腾讯企业邮箱', en: 'Tencent Exmail' },
    imap: tls('imap.exmail.qq.com', 993),
    smtp: tls('smtp.exmail.qq.com', 465),
    secret: { zh: '客户端专用密码', en: 'Client password' },
    loginHelp: {
      zh: '请在网页邮箱「设置 → 客户端设置」中开启 IMAP/SMTP，若启用了安全登录，请生成客户端专用密码填到这里。管理员可能需要先允许成员使用客户端。',
      en: 'In the web mail open Settings → Client, switch on IMAP/SMTP; with secure login on, enter a client password made there. The administrator may have to allow clients first.',
    },
    savesSent: false,
    fromMustMatch: true,
    authservIds: [],
  },
  gmail: {
    label: { zh: 'Gmail', en: 'Gmail' },
    imap: tls('imap.gmail.com', 993),
    smtp: tls('smtp.gmail.com', 465),
    secret: { zh: '应用专用密码', en: 'App password' },
    loginHelp: {
      zh: '请改用「OAuth 授权」登录，或在 Google 账号开启两步验证后生成 16 位应用专用密码填到这里。',
      en: 'Use OAuth, or switch on 2-step verification in the Google account and enter a 16-character app password.',
    },
    savesSent: true,
    fromMustMatch: false,
    oauth: {
      authorise: 'https://accounts.google.com/o/oauth2/v2/auth',
      token: 'https://oauth2.googleapis.com/token',
      scope: 'https://mail.google.com/',
      // Without these Google gives no refresh token the second time.
      params: { access_type: 'offline', prompt: 'consent' },
    },
    authservIds: ['mx.google.com'],
  },
  microsoft365: {
    label: { zh: 'Microsoft 365 / Outlook', en: 'Microsoft 365 / Outlook' },
    imap: tls('outlook.office365.com', 993),
    smtp: { host: 'smtp.office365.com', port: 587, security: 'starttls' },
    secret: { zh: '密码（Microsoft 已停用，请用 OAuth）', en: 'Password (ended by Microsoft: use OAuth)' },
    loginHelp: {
      zh: 'Microsoft 已停用密码登录，请选择「OAuth 授权」；还需管理员为该邮箱启用 IMAP 和已验证的 SMTP。',
      en: 'Microsoft has ended password logins: choose OAuth. The administrator must also allow IMAP and authenticated SMTP for the mailbox.',
    },
    savesSent: true,
    fromMustMatch: true,
    oauth: {
      authorise: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize',
      token: 'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token',
      scope: 'https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send offline_access',
      appScope: 'https://outlook.office365.com/.default',
    },
    authservIds: [],
  },
  generic: {
    label: { zh: '其他邮箱（自填服务器）', en: 'Another provider' },
    secret: { zh: '密码或授权码', en: 'Password or authorisation code' },
    loginHelp: {
      zh: '请核对用户名和密码；许多邮箱要求先开启 IMAP/SMTP，并使用授权码而不是登录密码。',
      en: 'Check user name and password; many providers want IMAP/SMTP switched on first and an authorisation code instead of the password.',
    },
    savesSent: false,
    fromMustMatch: false,
    authservIds: [],
  },
}
