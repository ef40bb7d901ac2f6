/**
 * A mail provider for tests: Dovecot (IMAP, LMTP, SASL) and Postfix (SMTP, bounces) as throw-away instances with their own
 * configuration, ports and data; nothing of the system's own services is touched. Every address of `shop.test` and
 * `customer.test` has a mailbox, but those that begin with `ghost-`: their letters come back. They run where the programs are installed
 * and we are root (both change their user); the caller says loudly when they do not.
 */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ImapFlow } from 'imapflow'
import { freePort } from './free-port.ts'

export interface MailServers {
  /** Which ran, for the output. */
  kind: string
  imapPort: number
  smtpPort: number
  password: string
  /** Settings of an inbox of the plugin on this provider. */
  settings(address: string, more?: Record<string, unknown>): Record<string, unknown>
  /** A customer's own connection. */
  imap(address: string): Promise<ImapFlow>
  /** The log of both, for a failure's message. */
  log(): string
  stop(): Promise<void>
}

const programs = { dovecot: '/usr/sbin/dovecot', postfix: '/usr/sbin/postfix', lmtp: '/usr/lib/dovecot/lmtp' }

/** What is missing, or undefined when the servers can run. */
export function whyNoMailServers(): string | undefined {
  const missing = Object.entries(programs).filter(([, path]) => !existsSync(path))
  if (missing.length > 0) return `${missing.map(([name]) => name).join(', ')} not installed (apt-get install dovecot-imapd dovecot-lmtpd postfix)`
  return process.getuid?.() === 0 ? undefined : 'Dovecot and Postfix change their user, which needs root'
}

/** Settings of an inbox on servers at these ports of this machine. */
export const mailSettings =
  ({ imapPort, smtpPort, password }: Pick<MailServers, 'imapPort' | 'smtpPort' | 'password'>): MailServers['settings'] =>
  (address, more = {}) => ({
    provider: 'generic',
    address,
    displayName: '某某商城客服',
    password,
    imapHost: '127.0.0.1',
    imapPort,
    imapSecurity: 'none',
    smtpHost: '127.0.0.1',
    smtpPort,
    smtpSecurity: 'none',
    pollSeconds: 30,
    authservIds: ['mx.shop.test'],
    ...more,
  })

/** Somebody's own mail client. */
export async function connectTo(port: number, address: string, password: string): Promise<ImapFlow> {
  const client = new ImapFlow({ host: '127.0.0.1', port, secure: false, auth: { user: address, pass: password }, logger: false, doSTARTTLS: false })
  await client.connect()
  return client
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

export async function startMailServers(): Promise<MailServers> {
  const dir = mkdtempSync(join(tmpdir(), 'huike-mail-'))
  chmodSync(dir, 0o755)
  const [imapPort, lmtpPort, authPort, smtpPort] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const password = 'a-code-of-the-tests'
  const refuser = await startRefuser()
  for (const name of ['run', 'state', 'mail', 'postfix', 'spool', 'data']) mkdirSync(join(dir, name))
  execFileSync('chown', ['nobody', join(dir, 'mail')])
  execFileSync('chown', ['postfix', join(dir, 'data')])
  writeFileSync(join(dir, 'postfix/transport'), `/^ghost-/ lmtp:inet:127.0.0.1:${refuser.port}\n`)
  writeFileSync(
    join(dir, 'dovecot.conf'),
    `
protocols = imap lmtp
listen = 127.0.0.1
base_dir = ${dir}/run
state_dir = ${dir}/state
log_path = ${dir}/log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:${dir}/mail/%u
mail_uid = nobody
mail_gid = nogroup
mail_fsync = never
passdb {
  driver = static
  args = password=${password}
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=${dir}/mail/%u allow_all_users=yes
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Sent {
    auto = subscribe
    special_use = \\Sent
  }
}
service imap-login {
  inet_listener imap {
    port = ${imapPort}
  }
  inet_listener imaps {
    port = 0
  }
}
service lmtp {
  inet_listener lmtp {
    port = ${lmtpPort}
  }
}
service auth {
  inet_listener {
    port = ${authPort}
  }
}
service stats {
  process_min_avail = 0
}
`,
  )
  writeFileSync(
    join(dir, 'postfix/main.cf'),
    `
compatibility_level = 3.6
queue_directory = ${dir}/spool
data_directory = ${dir}/data
mail_owner = postfix
myhostname = mx.shop.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = shop.test, customer.test
transport_maps = regexp:${dir}/postfix/transport
virtual_transport = lmtp:inet:127.0.0.1:${lmtpPort}
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:${authPort}
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_sender_restrictions = check_sender_access inline:{ { verified@customer.test = PREPEND Authentication-Results: mx.shop.test; spf=pass; dkim=pass; dmarc=pass header.from=customer.test }, { customer.test = PREPEND Authentication-Results: mx.shop.test; dmarc=none } }
smtpd_delay_reject = yes
maillog_file_prefixes = ${dir}
maillog_file = ${dir}/log.postfix
smtputf8_enable = no
lmtp_destination_concurrency_limit = 5
alias_maps =
alias_database =
`,
  )
  const dist = ['/usr/share/postfix/master.cf.dist', '/etc/postfix/master.cf'].find((path) => existsSync(path)) as string
  const master = readFileSync(dist, 'utf8')
    .split('\n')
    // None of its daemons in a chroot: the spool of a test has no libraries in it.
    .map((line) => line.replace(/^(\S+\s+(?:inet|unix|fifo|pass|unix-dgram)\s+\S+\s+\S+\s+)\S+/, '$1n'))
    .map((line) => line.replace(/^smtp(\s+inet)/, `127.0.0.1:${smtpPort}$1`))
  writeFileSync(join(dir, 'postfix/master.cf'), master.join('\n'))

  const children: ChildProcess[] = [
    spawn(programs.dovecot, ['-F', '-c', join(dir, 'dovecot.conf')], { stdio: 'ignore' }),
    spawn(programs.postfix, ['-c', join(dir, 'postfix'), 'start-fg'], { stdio: 'ignore' }),
  ]
  const log = (): string => ['log', 'log.postfix'].map((name) => (existsSync(join(dir, name)) ? readFileSync(join(dir, name), 'utf8') : '')).join('\n')
  const stop = async (): Promise<void> => {
    // Both end their own children when they are told to; who does not listen is ended.
    spawnSync(programs.postfix, ['-c', join(dir, 'postfix'), 'stop'], { stdio: 'ignore', timeout: 10_000 })
    await Promise.all(
      children.map(
        (child) =>
          new Promise<void>((resolve) => {
            if (child.exitCode !== null || child.signalCode !== null) return resolve()
            child.once('exit', () => resolve())
            child.kill('SIGTERM')
            setTimeout(() => child.kill('SIGKILL'), 3_000).unref()
          }),
      ),
    )
    refuser.close()
    rmSync(dir, { recursive: true, force: true })
  }
  for (const port of [imapPort, lmtpPort, authPort, smtpPort]) {
    let up = false
    for (let i = 0; i < 300 && !up; i++) {
      up = await answers(port)
      if (!up) await new Promise((resolve) => setTimeout(resolve, 50))
    }
    if (!up) {
      const said = log()
      await stop()
      throw new Error(`the mail servers do not start:\n${said}`)
    }
  }
  return {
    kind: 'Dovecot and Postfix',
    imapPort,
    smtpPort,
    password,
    settings: mailSettings({ imapPort, smtpPort, password }),
    imap: (address) => connectTo(imapPort, address, password),
    log,
    stop,
  }
}

/** The place behind Postfix that knows nobody: what it refuses was accepted before, so that it comes back as a letter. */
async function startRefuser(): Promise<{ port: number; close(): void }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.write('220 nobody.test LMTP\r\n')
    socket.on('data', (chunk) => {
      for (const line of chunk.toString('latin1').split('\r\n').filter(Boolean)) {
        if (/^QUIT/i.test(line)) socket.end('221 2.0.0 Bye\r\n')
        else socket.write(/^RCPT/i.test(line) ? '550 5.1.1 no such user here\r\n' : /^DATA/i.test(line) ? '503 5.5.1 no recipients\r\n' : '250 2.0.0 Ok\r\n')
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return { port: (server.address() as { port: number }).port, close: () => server.close() }
}
