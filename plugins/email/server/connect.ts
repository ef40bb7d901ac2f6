/** Connections to the two servers of a mailbox: how one logs in, what one says about oneself, how long one waits. */
import { ImapFlow } from 'imapflow'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import XOAuth2 from 'nodemailer/lib/xoauth2'
import { explainFault, MailFault } from './faults.ts'
import type { Mailbox } from './inbox-settings.ts'
import { accessToken, type OAuthContext } from './oauth.ts'

/** Certificates are verified unless the admin says that this server’s is its own. */
const tlsOf = ({ settings }: Mailbox) => ({ minVersion: 'TLSv1.2' as const, rejectUnauthorized: !settings.selfSigned })

export function assertConfigured({ address, imap, smtp, settings }: Mailbox): void {
  if (!address || !imap.host || !smtp.host || (settings.login === 'password' && !settings.password))
    throw new MailFault('not-configured', 'address, servers or password are missing')
}

/** Does it with a token, and once more with a fresh one when the server refuses it. */
async function withLogin<T>(
  ctx: OAuthContext,
  mailbox: Mailbox,
  work: (auth: { user: string; pass?: string; accessToken?: string }) => Promise<T>,
): Promise<T> {
  const { user, settings } = mailbox
  if (settings.login === 'password') return work({ user, pass: settings.password })
  const token = await accessToken(ctx, mailbox)
  try {
    return await work({ user, accessToken: token })
  } catch (error) {
    if (!explainFault(error, mailbox.preset, mailbox.imap).unauthorised) throw error
    return work({ user, accessToken: await accessToken(ctx, mailbox, token) })
  }
}

/** Logged in, nothing selected. NetEase wants the ID command before any folder is opened; imapflow sends it after the login. */
export async function connectImap(ctx: OAuthContext, mailbox: Mailbox): Promise<ImapFlow> {
  assertConfigured(mailbox)
  const { host, port, security } = mailbox.imap
  return withLogin(ctx, mailbox, async (auth) => {
    const client = new ImapFlow({
      host,
      port,
      secure: security === 'tls',
      ...(security === 'starttls' ? { doSTARTTLS: true } : security === 'none' ? { doSTARTTLS: false } : {}),
      auth,
      clientInfo: { name: 'Huike', version: '0.1.0', vendor: 'Huike', 'support-email': mailbox.address },
      tls: tlsOf(mailbox),
      logger: false,
      disableAutoIdle: true,
      maxIdleTime: 5 * 60_000,
      connectionTimeout: 20_000,
      greetingTimeout: 15_000,
      // Longer than an IDLE lasts, short enough to notice a dead line.
      socketTimeout: 6 * 60_000,
      maxLiteralSize: 64 * 1024 * 1024,
    })
    // Errors between commands arrive here; the next command fails with them.
    client.on('error', () => undefined)
    try {
      await client.connect()
      return client
    } catch (error) {
      client.close()
      throw error
    }
  })
}

/**
 * How long an SMTP server may take, in milliseconds: to be reached, for each answer of the login and of the letter's head, and to
 * say that it has the letter. That one scans first and may take ten minutes (RFC 5321, 4.5.3.2.6): who hangs up earlier does not
 * know whether it went out. The hub may call its fate unknown before; what the server says then still counts.
 */
export const patience = { toReach: 8_000, atLogin: 18_000, toAnswer: 60_000, toTake: 600_000 }

/** From now on. The library knows one time for all of it. */
export function waitFor(connection: SMTPConnection, ms: number): void {
  if (connection._socket) connection._socket.setTimeout(ms)
}

/** Connected and logged in. The caller ends it. */
export async function connectSmtp(ctx: OAuthContext, mailbox: Mailbox): Promise<SMTPConnection> {
  assertConfigured(mailbox)
  const { host, port, security } = mailbox.smtp
  return withLogin(ctx, mailbox, async (auth) => {
    const connection = new SMTPConnection({
      host,
      port,
      secure: security === 'tls',
      requireTLS: security === 'starttls',
      ignoreTLS: security === 'none',
      name: mailbox.address.split('@')[1] ?? 'localhost',
      tls: tlsOf(mailbox),
      connectionTimeout: patience.toReach,
      greetingTimeout: patience.toReach,
      socketTimeout: patience.atLogin,
      socketCloseTimeout: 500,
    })
    try {
      await new Promise<void>((resolve, reject) => {
        connection.once('error', reject)
        connection.connect((error) => (error ? reject(error) : resolve()))
      })
      await new Promise<void>((resolve, reject) => {
        connection.once('error', reject)
        connection.login(
          auth.accessToken
            ? { user: auth.user, method: 'XOAUTH2', oauth2: new XOAuth2({ user: auth.user, accessToken: auth.accessToken }) }
            : { credentials: { user: auth.user, pass: auth.pass ?? '' } },
          (error) => (error ? reject(error) : resolve()),
        )
      })
      connection.removeAllListeners('error')
      connection.on('error', () => undefined)
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  })
}
