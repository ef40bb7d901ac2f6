/** The connection test: each step in the order a letter takes, and what is wrong in words that help. Sends nothing. */
import { lookup } from 'node:dns/promises'
import type { ChannelInbox, LocalText, ProbeStep } from '@huike/core/sdk/channel.ts'
import type SMTPConnection from 'nodemailer/lib/smtp-connection'
import { assertConfigured, connectImap, connectSmtp } from './connect.ts'
import { explainFault, sentenceOf } from './faults.ts'
import { mailboxOf } from './inbox-settings.ts'
import { accessToken, type OAuthContext } from './oauth.ts'
import type { Endpoint } from './presets.ts'

export async function probeMailbox(ctx: OAuthContext, inbox: ChannelInbox): Promise<ProbeStep[]> {
  const mailbox = mailboxOf(inbox)
  const steps: ProbeStep[] = []
  const attempt = async <T>(label: LocalText, endpoint: Endpoint, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      const result = await work()
      steps.push({ label, ok: true })
      return result
    } catch (error) {
      steps.push({ label, ok: false, detail: sentenceOf(explainFault(error, mailbox.preset, endpoint)) })
      return undefined
    }
  }
  const { imap, smtp } = mailbox
  const failed = () => steps.some((step) => !step.ok)
  await attempt({ zh: '设置完整', en: 'Settings complete' }, imap, async () => assertConfigured(mailbox))
  if (failed()) return steps
  for (const [name, endpoint] of [
    ['IMAP', imap],
    ['SMTP', smtp],
  ] as const)
    await attempt({ zh: `找到 ${name} 服务器 ${endpoint.host}`, en: `${name} server ${endpoint.host} found` }, endpoint, () => lookup(endpoint.host))
  if (mailbox.settings.login === 'oauth') await attempt({ zh: '授权有效', en: 'Authorisation valid' }, imap, () => accessToken(ctx, mailbox))
  if (failed()) return steps

  const client = await attempt({ zh: `登录 IMAP（${imap.host}:${imap.port}）`, en: `IMAP login (${imap.host}:${imap.port})` }, imap, () =>
    connectImap(ctx, mailbox),
  )
  if (client) {
    await attempt({ zh: `打开文件夹 ${mailbox.settings.folder}`, en: `Folder ${mailbox.settings.folder} opens` }, imap, () =>
      client.mailboxOpen(mailbox.settings.folder, { readOnly: true }).catch((error: Error & { code?: string; mailboxMissing?: boolean }) => {
        throw error.mailboxMissing ? Object.assign(error, { code: 'folder-missing' }) : error
      }),
    )
    if (!failed() && !client.capabilities.has('IDLE'))
      steps.push({
        label: {
          zh: `服务器不支持即时推送，每 ${mailbox.settings.pollSeconds} 秒查看一次`,
          en: `The server cannot push: looked at every ${mailbox.settings.pollSeconds} seconds`,
        },
        ok: true,
      })
    await client.logout().catch(() => client.close())
  }

  const connection = await attempt({ zh: `登录 SMTP（${smtp.host}:${smtp.port}）`, en: `SMTP login (${smtp.host}:${smtp.port})` }, smtp, () =>
    connectSmtp(ctx, mailbox),
  )
  if (connection) {
    await attempt({ zh: `可以用 ${mailbox.address} 发信`, en: `${mailbox.address} may send` }, smtp, () => mailFrom(connection, mailbox.address))
    connection.quit()
  }
  return steps
}

/** MAIL FROM and a recipient at the mailbox itself, then RSET: the server says whether it takes the sender, nothing is sent. */
function mailFrom(connection: SMTPConnection, address: string): Promise<void> {
  const commands = connection as unknown as { _sendCommand(line: string): void; _responseActions: ((answer: string) => void)[] }
  const ask = (line: string): Promise<void> =>
    new Promise((resolve, reject) => {
      connection.once('error', reject)
      commands._responseActions.push((answer) =>
        answer.startsWith('2') ? resolve() : reject(Object.assign(new Error(answer), { response: answer, responseCode: Number(answer.slice(0, 3)) })),
      )
      commands._sendCommand(line)
    })
  return ask(`MAIL FROM:<${address}>`)
    .then(() => ask(`RCPT TO:<${address}>`))
    .finally(() => ask('RSET').catch(() => undefined))
}
