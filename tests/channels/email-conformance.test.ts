/** The channel suite for email: letters come in through Dovecot; what goes out meets an SMTP server that fails as it is told. */
import { createServer, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { createTransport } from 'nodemailer'
import type { ChannelAdapter } from '../../core/sdk/channel.ts'
import { channelConformance, type Failure, type Said } from '../../core/sdk/conformance.ts'
import { textOf } from '../../core/sdk/message-parts.ts'
import type { PluginContext, PluginManifest } from '../../core/sdk/plugin.ts'
import { newId } from '../../core/src/db/types.ts'
import email from '../../plugins/email/plugin.ts'
import { readMail } from '../../plugins/email/server/read-mail.ts'
import { type MailServers, startMailServers, whyNoMailServers } from '../support/mail-servers.ts'

const missing = whyNoMailServers()
if (missing) {
  console.error(`\n!! NOT RUN: the channel suite for email: ${missing}`)
  test('the channel suite for email', { skip: process.env.TEST_REQUIRE !== 'all' && missing }, () => Promise.reject(new Error(missing)))
} else {
  let servers: MailServers
  let smtp: Awaited<ReturnType<typeof startSmtp>>
  before(async () => {
    servers = await startMailServers()
    smtp = await startSmtp()
  })
  after(async () => {
    smtp.close()
    await servers.stop()
  })

  /** The plugin as it is, watched at the seam where letters are handed to the hub. */
  const addresses = new Map<string, string>()
  const waiting = new Map<string, () => void>()
  const channel = email.channel as (ctx: PluginContext) => ChannelAdapter
  const manifest = {
    ...email,
    channel: (ctx: PluginContext): ChannelAdapter => {
      const adapter = channel(ctx)
      return {
        ...adapter,
        listen(inbox, emit) {
          addresses.set(inbox.id, String(inbox.settings.address))
          return (adapter.listen as NonNullable<ChannelAdapter['listen']>)(inbox, async (events) => {
            try {
              return await emit(events)
            } finally {
              for (const event of events) if (event.kind === 'message') waiting.get(`${event.from.externalId} ${textOf(event.parts)}`)?.()
            }
          })
        },
      }
    },
  } as PluginManifest<any, any>

  /** An inbox is listened to soon after it is made. */
  async function addressOf(inboxId: string): Promise<string> {
    for (let i = 0; i < 1_000; i++) {
      const address = addresses.get(inboxId)
      if (address) return address
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error('nobody listens to the inbox')
  }

  const settings = () =>
    servers.settings(`suite-${newId()}@shop.test`, { smtpPort: smtp.port, firstImportDays: 1, quotePrevious: false, saveSent: 'never', pollSeconds: 5 })
  await channelConformance({
    manifest,
    dir: `${import.meta.dirname}/../../plugins/email`,
    settings,
    brokenSettings: { password: 'wrong' },
    async write({ inboxId }, said: Said) {
      const to = await addressOf(inboxId)
      const from = `${said.from}@customer.test`
      const handed = new Promise<void>((resolve) => waiting.set(`${from} ${said.text}`, resolve))
      const transport = createTransport({ host: '127.0.0.1', port: servers.smtpPort, secure: false, ignoreTLS: true })
      await transport.sendMail({ from, to, subject: '咨询', text: said.text, messageId: `<${said.id}@customer.test>` })
      transport.close()
      await handed
    },
    platform: { sent: () => smtp.sent, fail: (how) => smtp.fail(how), hold: () => smtp.hold() },
  })
}

/** Takes letters, refuses them for now or for good, or ends the line after the last byte; keeps what it took. */
async function startSmtp() {
  const sent: { to: string; text: string }[] = []
  let failure: Failure | undefined
  let held: Promise<void> | undefined
  const server = createServer((socket: Socket) => {
    let input = ''
    let recipients: string[] = []
    let letter = false
    socket.on('error', () => undefined)
    const say = (line: string) => socket.write(`${line}\r\n`)
    say('220 platform.test ESMTP')
    const finish = async (raw: string) => {
      if (failure === 'unknown') return socket.destroy()
      sent.push({ to: recipients.join(), text: readMail(Buffer.from(raw, 'latin1')).text ?? '' })
      await held
      return say('250 2.0.0 taken')
    }
    const command = (line: string) => {
      if (/^EHLO/i.test(line)) return say('250-platform.test\r\n250 AUTH PLAIN')
      if (/^AUTH/i.test(line)) return say('235 2.7.0 ok')
      if (/^MAIL/i.test(line)) {
        recipients = []
        return say(failure === 'retry' ? '451 4.3.0 not now' : '250 ok')
      }
      if (/^RCPT/i.test(line)) {
        recipients.push(line.replace(/^.*<|>.*$/g, ''))
        return say(failure === 'never' ? '550 5.1.1 no such user' : '250 ok')
      }
      if (/^DATA/i.test(line)) {
        letter = true
        return say('354 go on')
      }
      return /^QUIT/i.test(line) ? socket.end('221 bye\r\n') : say('250 ok')
    }
    socket.on('data', (chunk) => {
      input += chunk.toString('latin1')
      for (;;) {
        const end = letter ? input.indexOf('\r\n.\r\n') : input.indexOf('\r\n')
        if (end < 0) return
        const piece = input.slice(0, end)
        input = input.slice(end + (letter ? 5 : 2))
        if (letter) {
          letter = false
          void finish(piece.replace(/^\.\./gm, '.'))
        } else command(piece)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return {
    port: (server.address() as { port: number }).port,
    sent,
    fail(how: Failure | undefined) {
      failure = how
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return () => {
        held = undefined
        resolve()
      }
    },
    close: () => server.close(),
  }
}
