/** What a mail server (or the way to it) said, as a sentence somebody can act on. One table for receiving, sending and the connection test. */
import type { LocalText } from '@huike/core/sdk/channel.ts'
import type { Endpoint, Preset } from './presets.ts'

export type FaultCode =
  | 'not-configured'
  | 'dns'
  | 'refused'
  | 'timeout'
  | 'certificate'
  | 'tls'
  | 'auth'
  | 'unsafe-login'
  | 'protocol-off'
  | 'needs-oauth'
  | 'basic-auth-ended'
  | 'from-mismatch'
  | 'recipient-unknown'
  | 'greylisted'
  | 'recipient-full'
  | 'too-large'
  | 'spam-refused'
  | 'rate-limited'
  | 'folder-missing'
  | 'cut'
  | 'not-taken'
  | 'refused-by-server'

export interface Fault {
  code: FaultCode
  error: LocalText
  remedy: LocalText
  /** What the other side said, word for word. */
  said: string
  /** The credentials are at fault: trying again does harm (providers lock accounts). */
  unauthorised: boolean
  /** Worth another try by itself. */
  retry: boolean
  /** It is about this recipient or these words: the server was reached and let us in, and takes other letters. */
  ofLetter: boolean
}

/** Thrown where we know better than the libraries. */
export class MailFault extends Error {
  readonly code: FaultCode
  constructor(code: FaultCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'MailFault'
    this.code = code
  }
}

interface Rule {
  code: FaultCode
  pattern?: RegExp
  retry?: boolean
  unauthorised?: boolean
  ofLetter?: boolean
  error: LocalText
  remedy: LocalText | ((preset: Preset, endpoint: Endpoint) => LocalText)
}

const help = (preset: Preset): LocalText => preset.loginHelp

/** In order: the first that fits. */
const allRules: readonly Rule[] = [
  {
    code: 'not-configured',
    error: { zh: '邮箱还没有设置完整。', en: 'The mailbox is not fully set up.' },
    remedy: {
      zh: '请填写邮箱地址、服务器和密码（或完成 OAuth 授权）。',
      en: 'Enter the address, the servers and the password (or complete the OAuth authorisation).',
    },
  },
  {
    code: 'needs-oauth',
    pattern: /invalid_grant|invalid_client|interaction_required|consent_required|unauthorized_client/i,
    unauthorised: true,
    error: { zh: '授权已失效。', en: 'The authorisation has ended.' },
    remedy: { zh: '请在渠道账号设置里重新点击“授权”。', en: 'Authorise again in the settings of this inbox.' },
  },
  {
    code: 'dns',
    pattern: /ENOTFOUND|EDNS|EAI_AGAIN|getaddrinfo|queryA/i,
    retry: true,
    error: { zh: '找不到服务器地址。', en: 'The server’s name cannot be found.' },
    remedy: (_preset, { host }) => ({ zh: `请检查服务器名“${host}”是否写对，以及本机的 DNS。`, en: `Check the name “${host}” and this machine’s DNS.` }),
  },
  {
    code: 'unsafe-login',
    pattern: /unsafe login/i,
    unauthorised: true,
    error: { zh: '网易拒绝了这次登录（Unsafe Login）。', en: 'NetEase refused the login (Unsafe Login).' },
    remedy: {
      zh: '请确认使用的是客户端授权码，并在网页邮箱里允许该客户端；若刚开启 IMAP，请等几分钟再试。',
      en: 'Use the client authorisation code and allow the client in the web mail; right after switching IMAP on, wait a few minutes.',
    },
  },
  {
    code: 'basic-auth-ended',
    pattern: /5\.7\.30|basic authentication is (?:not supported|disabled)|LogonDenied-BasicAuthBlocked|SmtpClientAuthentication is disabled/i,
    unauthorised: true,
    error: { zh: '服务商不再接受密码登录。', en: 'The provider takes no passwords any more.' },
    remedy: help,
  },
  {
    code: 'protocol-off',
    pattern:
      /(?:imap|smtp|pop)\S{0,20} (?:service )?(?:is |has been )?(?:not |un)(?:enabled|open|available)|not enabled for imap|imap access is disabled|service not open|IMAP.{0,20}(?:未开启|关闭|没有开启)|未开通|account is not (?:enabled|open)|user has no permission|550 User suspended/i,
    unauthorised: true,
    error: { zh: '这个邮箱没有开启 IMAP/SMTP 服务。', en: 'IMAP/SMTP is switched off for this mailbox.' },
    remedy: help,
  },
  {
    code: 'from-mismatch',
    pattern:
      /mail from must equal|not owned by|sender address rejected|SendAsDenied|not (?:allowed|authori[sz]ed) to send (?:as|from)|553[ -].{0,80}(?:from|sender|mail)|501[ -].{0,40}mail from/i,
    error: { zh: '服务器不接受这个发件地址。', en: 'The server does not take this sender address.' },
    remedy: {
      zh: '发件地址必须与登录的邮箱一致：请检查“邮箱地址”和“登录用户名”。',
      en: 'The sender must be the mailbox itself: check “Address” and “User name”.',
    },
  },
  {
    code: 'certificate',
    pattern: /SELF_SIGNED|CERT_|certificate|ERR_TLS_CERT|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/i,
    error: { zh: '服务器的证书不可信。', en: 'The server’s certificate is not trusted.' },
    remedy: {
      zh: '请确认服务器名与证书一致；自签名证书请加入本机的信任列表（NODE_EXTRA_CA_CERTS），内网自建的服务器也可以开启“接受自签名证书”。',
      en: 'The name must match the certificate; have this machine trust a private one (NODE_EXTRA_CA_CERTS), or, for a server of your own on a private network, switch on “Accept a self-signed certificate”.',
    },
  },
  {
    code: 'tls',
    pattern: /EPROTO|wrong version number|ETLS|STARTTLS|ssl3_get_record|packet length too long|TLSSocket|secure TLS connection/i,
    error: { zh: '无法建立加密连接。', en: 'No encrypted connection could be made.' },
    remedy: (_preset, { port }) => ({
      zh: `端口 ${port} 与加密方式不匹配：993/465 用 TLS，143/587 用 STARTTLS。`,
      en: `Port ${port} and the way of encryption do not fit: 993/465 want TLS, 143/587 STARTTLS.`,
    }),
  },
  {
    code: 'greylisted',
    ofLetter: true,
    pattern: /gr[ae]y-?list/i,
    retry: true,
    error: { zh: '对方服务器要求稍后再试（灰名单）。', en: 'The recipient’s server wants a second try later (greylisting).' },
    remedy: { zh: '一般过几分钟再发就能送达。', en: 'A second try some minutes later usually arrives.' },
  },
  {
    code: 'rate-limited',
    pattern:
      /too many (?:connections|login|messages|recipients)|frequency|rate limit|throttl|try again later|ETHROTTLE|\b4[25]1[ -]|HL:(?:REP|ITC)|DT:SUM|sending limit|quota exceeded for sending|登录频率|发送频率/i,
    retry: true,
    error: { zh: '服务商限制了频率。', en: 'The provider limits the rate.' },
    remedy: {
      zh: '经常出现时请减少发送量，或联系服务商提额。',
      en: 'If it happens often send less, or ask the provider for more.',
    },
  },
  {
    code: 'auth',
    pattern:
      /AUTHENTICATIONFAILED|authentication failed|EAUTH|invalid credentials|login (?:fail|denied|error)|\b535\b|password|LOGIN failed|authorization code|XOAUTH2|AuthenticationFailure/i,
    unauthorised: true,
    error: { zh: '用户名、密码或授权码不对。', en: 'User name, password or authorisation code is wrong.' },
    remedy: help,
  },
  {
    code: 'recipient-unknown',
    ofLetter: true,
    pattern:
      /5\.1\.(?:1|2|3|10)\b|user (?:unknown|not found|doesn'?t exist)|no such (?:user|mailbox)|mailbox (?:not found|unavailable)|recipient (?:address )?rejected|does not exist|invalid (?:recipient|mailbox)|unknown (?:user|recipient|virtual)|收件人不存在/i,
    error: { zh: '收件地址不存在。', en: 'The recipient’s address does not exist.' },
    remedy: { zh: '请向客户核对邮箱地址。', en: 'Ask the customer for the right address.' },
  },
  {
    code: 'recipient-full',
    ofLetter: true,
    pattern: /5\.2\.2|4\.2\.2|mailbox (?:is )?full|over ?quota|quota exceeded|insufficient storage|邮箱已满/i,
    error: { zh: '对方的邮箱已满。', en: 'The recipient’s mailbox is full.' },
    remedy: { zh: '请换一种方式联系客户，或稍后重发。', en: 'Reach the customer another way, or send again later.' },
  },
  {
    code: 'too-large',
    ofLetter: true,
    pattern: /5\.3\.4|\b552\b|size limit|too large|exceeds .{0,30}(?:size|limit)|message size/i,
    error: { zh: '邮件太大，服务器不接受。', en: 'The letter is too large for the server.' },
    remedy: { zh: '请压缩附件，或改用链接发送。', en: 'Make the attachments smaller or send a link.' },
  },
  {
    code: 'spam-refused',
    ofLetter: true,
    pattern: /DT:SPM|spam|blocked|blacklist|block ?list|reputation|5\.7\.1\b|content (?:rejected|denied)|policy|垃圾邮件|mail content denied|\bMI:/i,
    error: { zh: '服务器把这封信当作垃圾邮件拒收。', en: 'The server took the letter for spam.' },
    remedy: {
      zh: '请修改内容（少放链接、图片），或请邮箱管理员检查 SPF/DKIM 与发信信誉。',
      en: 'Change the words (fewer links and pictures), or have the mailbox’s administrator check SPF, DKIM and reputation.',
    },
  },
  {
    code: 'folder-missing',
    pattern: /NONEXISTENT|mailbox (?:doesn'?t|does not) exist|unknown mailbox|TRYCREATE/i,
    error: { zh: '找不到要收信的文件夹。', en: 'The folder to read does not exist.' },
    remedy: { zh: '请检查“收信文件夹”，一般填 INBOX。', en: 'Check “Folder”; usually it is INBOX.' },
  },
  {
    code: 'refused',
    pattern: /ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL/i,
    retry: true,
    error: { zh: '连不上服务器。', en: 'The server cannot be reached.' },
    remedy: (_preset, { host, port }) => ({
      zh: `请检查 ${host}:${port} 是否写对，防火墙或云主机是否放行该端口（许多云主机封锁 25 端口）。`,
      en: `Check ${host}:${port}, and whether a firewall or the cloud provider lets it through (many shut port 25).`,
    }),
  },
  {
    code: 'timeout',
    pattern: /ETIMEDOUT|ETIMEOUT|timed? ?out|TIMEOUT/i,
    retry: true,
    error: { zh: '服务器没有回应。', en: 'The server does not answer.' },
    remedy: (_preset, { host, port }) => ({
      zh: `请检查 ${host}:${port} 与防火墙。`,
      en: `Check ${host}:${port} and the firewall.`,
    }),
  },
  {
    code: 'cut',
    pattern: /ECONNRESET|EPIPE|ESOCKET|ECONNECTION|EConnectionClosed|NoConnection|closed unexpectedly|Connection not available|\bBYE\b|socket hang up/i,
    retry: true,
    error: { zh: '与服务器的连接断开了。', en: 'The connection to the server was cut.' },
    remedy: { zh: '一般是暂时的网络问题。', en: 'Usually a passing trouble of the network.' },
  },
  {
    code: 'not-taken',
    retry: true,
    error: { zh: '邮箱里有新邮件，但系统存不下来。', en: 'There are new letters, but the hub cannot store them.' },
    remedy: {
      zh: '请检查文件存储和数据库；恢复后会自动补收，邮件仍在邮箱里。',
      en: 'Check the file storage and the database: the letters stay in the mailbox and come in once these are back.',
    },
  },
]

/** Once we are in, words like “User suspended” are about the recipient. */
const rulesOfLetters = allRules.filter(({ unauthorised }) => !unauthorised)

const fallback: Rule = {
  code: 'refused-by-server',
  error: { zh: '邮件服务器拒绝了请求。', en: 'The mail server refused.' },
  remedy: { zh: '请查看服务器的原话，或联系邮箱服务商。', en: 'See what the server said, or ask the provider.' },
}

export function explainFault(error: unknown, preset: Preset, endpoint: Endpoint): Fault {
  const faulty = error as Error & {
    code?: string
    response?: unknown
    responseText?: string
    responseCode?: number
    serverResponseCode?: string
    authenticationFailed?: boolean
    /** Of SMTP: which of ours the answer is to. */
    command?: string
    cause?: { code?: string }
  }
  const words = [faulty.responseText, typeof faulty.response === 'string' ? faulty.response : undefined, faulty.message].filter((word): word is string =>
    Boolean(word),
  )
  const said = (words[0] ?? '').replace(/\s+/g, ' ').slice(0, 300)
  const text = [faulty.code, faulty.cause?.code, faulty.serverResponseCode, ...words].join(' ')
  const letters = /^(?:RCPT|DATA)/.test(faulty.command ?? '')
  const rules = letters ? rulesOfLetters : allRules
  const rule =
    rules.find(({ code }) => code === faulty.code) ??
    // A login that failed is one, whatever its words are; what the words add (unsafe, switched off) comes first.
    (faulty.authenticationFailed || faulty.code === 'EAUTH'
      ? (rules.find(
          ({ code, pattern }) =>
            (code === 'unsafe-login' || code === 'basic-auth-ended' || code === 'protocol-off' || code === 'rate-limited') && pattern?.test(text),
        ) ?? rules.find(({ code }) => code === 'auth'))
      : rules.find(({ pattern }) => pattern?.test(text))) ??
    fallback
  // Reply codes say whether it is for now or for good (RFC 5321, 4.2.1); words only say why.
  const reply = faulty.responseCode
  const retry = reply && reply >= 400 && !rule.unauthorised ? reply < 500 : (rule.retry ?? rule === fallback)
  return {
    code: rule.code,
    error: rule.error,
    remedy: typeof rule.remedy === 'function' ? rule.remedy(preset, endpoint) : rule.remedy,
    said,
    unauthorised: rule.unauthorised ?? false,
    retry,
    ofLetter: letters && isOfLetter(rule, text),
  }
}

/**
 * The status code's subject says whose it is (RFC 3463, 3): addresses but the sender's, mailboxes, contents; the mail system's and the
 * network's are not the letter's. Of policy, and where there is none, the words decide.
 */
function isOfLetter({ ofLetter = false }: Rule, text: string): boolean {
  const [, subject, detail = ''] = /\b[45]\.(\d)\.(\d{1,3})\b/.exec(text) ?? []
  if (subject === '1') return detail !== '7' && detail !== '8'
  if (subject === '2' || subject === '6') return true
  return subject !== '3' && subject !== '4' && subject !== '5' && ofLetter
}

/** Error, remedy and the server's own words in one sentence. Only where it is tried again (`again`) it says so. */
export const sentenceOf = ({ error, remedy, said }: Fault, again = false): LocalText => ({
  zh: `${error.zh}${remedy.zh}${again ? '系统会自动重试。' : ''}${said ? `（服务器说：${said}）` : ''}`,
  en: `${error.en} ${remedy.en}${again ? ' It is tried again by itself.' : ''}${said ? ` (The server said: ${said})` : ''}`,
})

/** What happened and nothing else, without a full stop: the core's last word on a letter is built on it. */
export const faultOf = ({ error, said }: Fault): LocalText => ({
  zh: `${bare(error.zh)}${said ? `（服务器说：${said}）` : ''}`,
  en: `${bare(error.en)}${said ? ` (the server said: ${said})` : ''}`,
})
const bare = (sentence: string): string => sentence.replace(/[。.]$/, '')
