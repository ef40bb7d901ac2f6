/**
 * Mail servers of our own, in this process: an IMAP and an SMTP server just large enough for a mail client to believe them,
 * and for a test to tell them how to misbehave. They are no real ones: they stand in where Dovecot and Postfix are not
 * installed, and say what those cannot be made to say (no IDLE, NetEase's refusal, an OAuth challenge, a late greeting).
 * RFC 3501, 2177, 2971, 4315 and 5321 as far as the plugin uses them. Every address has a mailbox, but those that begin with
 * `ghost-`: their letters come back.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { connectTo, type MailServers, mailSettings } from './mail-servers.ts'

/** How the servers behave; changed at any time. */
export interface Behaviour {
  imap: {
    idle: boolean
    /** The folder opens only to who has sent ID, as at NetEase. */
    demandsId: boolean
    /** Offered, and nothing but it allowed before. */
    starttls: boolean
    /** Mechanisms; without any only LOGIN is left, unless that is shut too. */
    auth: readonly ('PLAIN' | 'XOAUTH2')[]
    loginDisabled: boolean
    /** Said before this many milliseconds; `never` says nothing. */
    greetAfter: number | 'never'
    /** UIDVALIDITY of every folder that is made, as many servers have it; else each has one of its own. */
    validity: number | undefined
    /** A whole answer without its tag (`NO …`) instead of the usual, `cut` for none and the end of the line. */
    answer: (command: string, rest: string) => string | undefined
  }
  smtp: {
    starttls: boolean
    auth: readonly ('PLAIN' | 'LOGIN' | 'XOAUTH2')[]
    /** Bytes a letter may have, told with EHLO. */
    size: number | undefined
    greetAfter: number | 'never'
    /** A reply instead of the usual (`550 …`), `cut` for none and the end of the line. `verb` is `DOT` for the end of a letter. */
    answer: (verb: string, rest: string) => string | undefined
    /** How long it looks at a letter before it says that it has it, in milliseconds. */
    takesAfter: number
  }
  /** Tokens both servers take. */
  tokens: Set<string>
}

const usual = (): Behaviour => ({
  imap: { idle: true, demandsId: false, starttls: false, auth: ['PLAIN'], loginDisabled: false, greetAfter: 0, validity: undefined, answer: () => undefined },
  smtp: { starttls: false, auth: ['PLAIN', 'LOGIN'], size: undefined, greetAfter: 0, answer: () => undefined, takesAfter: 0 },
  tokens: new Set(),
})

interface Stored {
  uid: number
  raw: Buffer
  flags: Set<string>
  at: Date
}
interface Folder {
  name: string
  validity: number
  next: number
  letters: Stored[]
}

export interface OwnMailServers extends MailServers {
  how: Behaviour
  /** What SMTP took, in order. */
  taken: { from: string; to: string[]; raw: Buffer }[]
  /** Commands of all IMAP connections, without their tags. */
  asked: string[]
  /** Ends every connection. */
  cut(): void
  /** The folder is numbered anew, as after a restore from a backup. */
  renumber(address: string, folder?: string): void
  reset(): void
}

const pem = readFileSync(`${import.meta.dirname}/self-signed.pem`)

export async function startOwnMailServers(): Promise<OwnMailServers> {
  const password = 'a-code-of-the-tests'
  const how = usual()
  const boxes = new Map<string, Map<string, Folder>>()
  const sockets = new Set<Socket>()
  const sessions = new Set<ImapSession>()
  const lines: string[] = []
  const asked: string[] = []
  const taken: OwnMailServers['taken'] = []
  let validity = 1_000

  const folder = (name: string): Folder => ({ name, validity: how.imap.validity ?? ++validity, next: 1, letters: [] })
  const boxOf = (address: string): Map<string, Folder> => {
    const box = boxes.get(address) ?? new Map(['INBOX', 'Sent'].map((name) => [name, folder(name)]))
    boxes.set(address, box)
    return box
  }
  const put = (into: Folder, raw: Buffer, flags: readonly string[] = [], at = new Date()): number => {
    const uid = into.next++
    into.letters.push({ uid, raw, flags: new Set(flags), at })
    for (const session of sessions) if (session.folder === into && session.idling) session.tellNews()
    return uid
  }

  /** To a mailbox here, or back to the sender. */
  function deliver(from: string, to: string, raw: Buffer): void {
    if (to.startsWith('ghost-')) {
      if (from) deliver('', from, bounceOf(to, raw))
      return
    }
    const checked = from === 'verified@customer.test' ? 'spf=pass; dkim=pass; dmarc=pass header.from=customer.test' : 'dmarc=none'
    const results = from.endsWith('@customer.test') ? `Authentication-Results: mx.shop.test; ${checked}\r\n` : ''
    put(boxOf(to.toLowerCase()).get('INBOX') as Folder, Buffer.concat([Buffer.from(`Return-Path: <${from}>\r\n${results}`), raw]))
  }

  /** A server that greets, and hands every connection to `serve`. */
  const listen = async (serve: (socket: Socket) => void) => {
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => sockets.delete(socket))
      serve(socket)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    return { server, port: (server.address() as { port: number }).port }
  }
  const greet = (after: number | 'never', say: () => void) => {
    if (after === 'never') return
    if (after === 0) say()
    else setTimeout(say, after).unref()
  }

  // ── IMAP ───────────────────────────────────────────────────────────────────────────────────────────────────────

  class ImapSession {
    folder: Folder | undefined
    idling = ''
    #socket: Socket
    #user = ''
    #identified = false
    #known = 0
    #secure = false
    #input = Buffer.alloc(0)
    #text = ''
    #literals: Buffer[] = []
    #need = 0
    /** Takes the next line instead of a command. */
    #answered: ((line: string) => void) | undefined

    constructor(socket: Socket) {
      this.#socket = socket
      sessions.add(this)
      socket.on('close', () => sessions.delete(this))
      this.#read(socket)
      greet(how.imap.greetAfter, () => this.#say(`* OK [CAPABILITY ${this.#capabilities()}] our own IMAP server`))
    }

    #read(socket: Socket): void {
      let chunks: Buffer[] = []
      let length = 0
      socket.on('data', (chunk) => {
        chunks.push(chunk)
        length += chunk.length
        // A large letter is put together once.
        if (this.#input.length + length < this.#need) return
        this.#input = Buffer.concat([this.#input, ...chunks])
        chunks = []
        length = 0
        while (this.#step());
      })
    }

    #say(line: string): void {
      if (this.#socket.writable) this.#socket.write(Buffer.from(`${line}\r\n`, 'latin1'))
    }

    #capabilities(): string {
      const { idle, starttls, auth, loginDisabled } = how.imap
      const open = this.#secure || !starttls
      return [
        'IMAP4rev1 UIDPLUS ID',
        ...(idle ? ['IDLE'] : []),
        ...(open ? auth.map((mechanism) => `AUTH=${mechanism}`) : ['STARTTLS']),
        ...(loginDisabled || !open ? ['LOGINDISABLED'] : []),
      ].join(' ')
    }

    tellNews(): void {
      const count = this.folder?.letters.length ?? 0
      if (count !== this.#known) this.#say(`* ${count} EXISTS`)
      this.#known = count
    }

    /** One line, or one literal. */
    #step(): boolean {
      if (this.#need > 0) {
        if (this.#input.length < this.#need) return false
        this.#literals.push(this.#input.subarray(0, this.#need))
        this.#text += `\u00a7${this.#literals.length - 1}\u00a7`
        this.#input = this.#input.subarray(this.#need)
        this.#need = 0
        return true
      }
      const end = this.#input.indexOf('\r\n')
      if (end < 0) return false
      const line = this.#input.subarray(0, end).toString('latin1')
      this.#input = this.#input.subarray(end + 2)
      const literal = /\{(\d+)(\+?)\}$/.exec(line)
      if (literal) {
        this.#text += line.slice(0, literal.index)
        this.#need = Number(literal[1])
        if (!literal[2]) this.#say('+ go on')
        return true
      }
      const [text, literals] = [this.#text + line, this.#literals]
      this.#text = ''
      this.#literals = []
      if (this.#answered) {
        const answered = this.#answered
        this.#answered = undefined
        answered(text)
      } else if (this.idling) {
        const tag = this.idling
        this.idling = ''
        this.#say(`${tag} OK idled`)
      } else this.#command(text, literals)
      return true
    }

    #command(text: string, literals: readonly Buffer[]) {
      const [, tag = '*', verb = '', args = ''] = /^(\S+) ((?:UID )?\S+) ?(.*)$/i.exec(text) ?? []
      const command = verb.toUpperCase()
      asked.push(`${command} ${/^(?:LOGIN|AUTHENTICATE)$/.test(command) ? '…' : args}`.trim())
      const told = how.imap.answer(command, args)
      if (told === 'cut') return this.#socket.destroy()
      if (told) return this.#say(`${tag} ${told}`)
      const answer = this.#obey(tag, command, words(args, literals), args)
      if (answer === undefined) return
      if (this.folder) this.tellNews()
      this.#say(`${tag} ${answer}`)
    }

    /** The tagged answer; undefined when it comes later. */
    #obey(tag: string, command: string, args: Word[], rest: string): string | undefined {
      const name = String(args[0] ?? '')
      switch (command) {
        case 'CAPABILITY':
          this.#say(`* CAPABILITY ${this.#capabilities()}`)
          return 'OK done'
        case 'ID':
          this.#identified = /"name"/i.test(rest)
          this.#say('* ID ("name" "our own")')
          return 'OK done'
        case 'STARTTLS':
          this.#say(`${tag} OK begin`)
          this.#socket.removeAllListeners('data')
          this.#socket = new TLSSocket(this.#socket, { isServer: true, key: pem, cert: pem })
          this.#socket.on('error', () => undefined)
          this.#secure = true
          this.#read(this.#socket)
          return undefined
        case 'LOGIN':
          if (how.imap.loginDisabled) return 'NO [PRIVACYREQUIRED] LOGIN is disabled'
          return this.#enter(name, String(args[1]) === password)
        case 'AUTHENTICATE':
          this.#authenticate(tag, name.toUpperCase())
          return undefined
        case 'LOGOUT':
          this.#say('* BYE so long')
          this.#say(`${tag} OK done`)
          this.#socket.end()
          return undefined
        case 'NOOP':
        case 'ENABLE':
        case 'SUBSCRIBE':
          return 'OK done'
        case 'NAMESPACE':
          this.#say('* NAMESPACE (("" "/")) NIL NIL')
          return 'OK done'
      }
      if (!this.#user) return 'BAD not logged in'
      const box = boxOf(this.#user)
      switch (command) {
        case 'LIST':
        case 'LSUB':
          if (args[1] === '') this.#say(`* ${command} (\\Noselect) "/" ""`)
          else for (const { name: path } of box.values()) this.#say(`* ${command} (\\HasNoChildren${path === 'Sent' ? ' \\Sent' : ''}) "/" "${path}"`)
          return 'OK done'
        case 'SELECT':
        case 'EXAMINE':
          return this.#open(box.get(name), command === 'EXAMINE')
        case 'STATUS': {
          const found = box.get(name)
          if (!found) return 'NO [NONEXISTENT] no such folder'
          this.#say(`* STATUS "${name}" (MESSAGES ${found.letters.length} UIDNEXT ${found.next} UIDVALIDITY ${found.validity})`)
          return 'OK done'
        }
        case 'CREATE':
          box.set(name, folder(name))
          return 'OK done'
        case 'DELETE':
          return box.delete(name) ? 'OK done' : 'NO [NONEXISTENT] no such folder'
        case 'RENAME': {
          const moved = box.get(name)
          if (!moved) return 'NO [NONEXISTENT] no such folder'
          box.delete(name)
          moved.name = String(args[1])
          box.set(moved.name, moved)
          return 'OK done'
        }
        case 'APPEND': {
          const into = box.get(name)
          const raw = args.at(-1)
          if (!into) return 'NO [TRYCREATE] no such folder'
          if (!Buffer.isBuffer(raw)) return 'BAD no letter'
          const at = args.slice(1, -1).find((word) => typeof word === 'string')
          const uid = put(into, raw, Array.isArray(args[1]) ? args[1].map(String) : [], at ? new Date(at) : undefined)
          return `OK [APPENDUID ${into.validity} ${uid}] done`
        }
      }
      if (!this.folder) return 'BAD no folder is open'
      switch (command) {
        case 'CLOSE':
        case 'UNSELECT':
          this.folder = undefined
          return 'OK done'
        case 'IDLE':
          this.idling = tag
          this.#say('+ idling')
          this.tellNews()
          return undefined
        case 'SEARCH':
        case 'UID SEARCH': {
          const found = this.folder.letters.filter((letter) => matches(letter, args, this.folder as Folder))
          const numbers = found.map((letter) => (command === 'SEARCH' ? (this.folder as Folder).letters.indexOf(letter) + 1 : letter.uid))
          this.#say(`* SEARCH${numbers.map((number) => ` ${number}`).join('')}`)
          return 'OK done'
        }
        case 'FETCH':
        case 'UID FETCH':
          for (const letter of select(this.folder, name, command.startsWith('UID'))) this.#fetch(letter, rest)
          return 'OK done'
        case 'UID STORE':
          for (const letter of select(this.folder, name, true)) for (const flag of args[2] as Word[]) letter.flags.add(String(flag))
          return 'OK done'
        default:
          return `BAD ${command} is not known here`
      }
    }

    #enter(user: string, right: boolean): string {
      if (!right) return 'NO [AUTHENTICATIONFAILED] LOGIN Login error or password error'
      this.#user = user.toLowerCase()
      lines.push(`imap-login: Login: user=<${this.#user}>`)
      return `OK [CAPABILITY ${this.#capabilities()}] logged in`
    }

    #authenticate(tag: string, mechanism: string) {
      if (!how.imap.auth.includes(mechanism as 'PLAIN')) return this.#say(`${tag} NO [CANNOT] AUTHENTICATE ${mechanism} is disabled`)
      this.#say('+ ')
      this.#answered = (line) => {
        const said = Buffer.from(line, 'base64').toString()
        if (mechanism === 'PLAIN') {
          const [, user = '', secret] = said.split('\0')
          return this.#say(`${tag} ${this.#enter(user, secret === password)}`)
        }
        const { user, right } = bearer(said, how.tokens)
        if (right) return this.#say(`${tag} ${this.#enter(user, true)}`)
        // The challenge carries the error; the client answers with an empty line and hears NO.
        this.#say(`+ ${oauthError}`)
        this.#answered = () => this.#say(`${tag} NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)`)
      }
    }

    #open(found: Folder | undefined, readOnly: boolean): string {
      this.folder = undefined
      if (how.imap.demandsId && !this.#identified) return 'NO SELECT Unsafe Login. Please contact kefu@188.com for help'
      if (!found) return 'NO [NONEXISTENT] no such folder'
      this.folder = found
      this.#known = found.letters.length
      for (const line of [
        'FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)',
        `${found.letters.length} EXISTS`,
        '0 RECENT',
        `OK [UIDVALIDITY ${found.validity}] ok`,
        `OK [UIDNEXT ${found.next}] ok`,
      ])
        this.#say(`* ${line}`)
      return `OK [${readOnly ? 'READ-ONLY' : 'READ-WRITE'}] opened`
    }

    #fetch(letter: Stored, items: string): void {
      const pieces: Buffer[] = [Buffer.from(`UID ${letter.uid} FLAGS (${[...letter.flags].join(' ')})`)]
      if (/RFC822\.SIZE/i.test(items)) pieces.push(Buffer.from(`RFC822.SIZE ${letter.raw.length}`))
      if (/INTERNALDATE/i.test(items)) pieces.push(Buffer.from(`INTERNALDATE "${imapDate(letter.at)}"`))
      const fields = /BODY(?:\.PEEK)?\[HEADER\.FIELDS \(([^)]*)\)\]/i.exec(items)
      if (fields) {
        const head = letter.raw.subarray(0, Math.max(0, letter.raw.indexOf('\r\n\r\n'))).toString('latin1')
        const wanted = (fields[1] as string).toLowerCase().replace(/"/g, '').split(' ')
        const found = head.split(/\r\n(?![ \t])/).filter((line) => wanted.includes(line.split(':')[0]?.toLowerCase() ?? ''))
        pieces.push(literalOf(`BODY[HEADER.FIELDS (${fields[1]})]`, Buffer.from(`${found.map((line) => `${line}\r\n`).join('')}\r\n`, 'latin1')))
      }
      const whole = /BODY(?:\.PEEK)?\[\](?:<(\d+)\.(\d+)>)?/i.exec(items)
      if (whole) {
        const from = Number(whole[1] ?? 0)
        const bytes = whole[2] ? letter.raw.subarray(from, from + Number(whole[2])) : letter.raw
        pieces.push(literalOf(whole[2] ? `BODY[]<${from}>` : 'BODY[]', bytes))
      }
      const number = (this.folder as Folder).letters.indexOf(letter) + 1
      const body = pieces.flatMap((piece, i) => (i === 0 ? [piece] : [Buffer.from(' '), piece]))
      if (this.#socket.writable) this.#socket.write(Buffer.concat([Buffer.from(`* ${number} FETCH (`), ...body, Buffer.from(')\r\n')]))
    }
  }

  // ── SMTP ───────────────────────────────────────────────────────────────────────────────────────────────────────

  function serveSmtp(first: Socket): void {
    let socket = first
    let input = ''
    let secure = false
    let from = ''
    let to: string[] = []
    let letter = false
    let answered: ((line: string) => void) | undefined
    const say = (line: string) => socket.writable && socket.write(`${line}\r\n`)
    const read = () =>
      socket.on('data', (chunk) => {
        input += chunk.toString('latin1')
        for (;;) {
          const end = input.indexOf(letter ? '\r\n.\r\n' : '\r\n')
          if (end < 0) return
          const piece = input.slice(0, end)
          input = input.slice(end + (letter ? 5 : 2))
          if (letter) finish(piece)
          else if (answered) {
            const take = answered
            answered = undefined
            take(piece)
          } else command(piece)
        }
      })
    const finish = (piece: string) => {
      letter = false
      const told = how.smtp.answer('DOT', '')
      if (told === 'cut') return void socket.destroy()
      if (told && !told.startsWith('2')) return say(told)
      const raw = Buffer.from(`${piece.replace(/^\.\./gm, '.')}\r\n`, 'latin1')
      taken.push({ from, to, raw })
      for (const address of to) deliver(from, address, raw)
      if (how.smtp.takesAfter === 0) return say(told ?? '250 2.0.0 taken')
      return void setTimeout(() => say(told ?? '250 2.0.0 taken'), how.smtp.takesAfter).unref()
    }
    const enter = (right: boolean) => say(right ? '235 2.7.0 welcome' : '535 5.7.8 Error: authentication failed')
    const authenticate = (mechanism: string, initial: string) => {
      const withAnswer = (take: (said: string) => void) => {
        if (initial) return take(Buffer.from(initial, 'base64').toString())
        say('334 ')
        answered = (line) => take(Buffer.from(line, 'base64').toString())
      }
      if (!how.smtp.auth.includes(mechanism as 'PLAIN')) return say(`504 5.5.4 AUTH ${mechanism} is disabled`)
      if (mechanism === 'PLAIN') return withAnswer((said) => enter(said.split('\0')[2] === password))
      if (mechanism === 'LOGIN') {
        say(`334 ${Buffer.from('Username:').toString('base64')}`)
        answered = () => {
          say(`334 ${Buffer.from('Password:').toString('base64')}`)
          answered = (line) => enter(Buffer.from(line, 'base64').toString() === password)
        }
        return
      }
      return withAnswer((said) => {
        if (bearer(said, how.tokens).right) return enter(true)
        say(`334 ${oauthError}`)
        answered = () => say('535 5.7.8 Username and Password not accepted')
      })
    }
    const command = (line: string) => {
      const [, name = '', rest = ''] = /^(\S+) ?(.*)$/.exec(line) ?? []
      const verb = name.toUpperCase()
      const told = how.smtp.answer(verb, rest)
      if (told === 'cut') return void socket.destroy()
      if (told) return say(told)
      switch (verb) {
        case 'EHLO': {
          const open = secure || !how.smtp.starttls
          const offers = ['mx.shop.test', ...(open ? [`AUTH ${how.smtp.auth.join(' ')}`] : ['STARTTLS']), ...(how.smtp.size ? [`SIZE ${how.smtp.size}`] : [])]
          return say(offers.map((offer, i) => `250${i === offers.length - 1 ? ' ' : '-'}${offer}`).join('\r\n'))
        }
        case 'STARTTLS':
          say('220 begin')
          socket.removeAllListeners('data')
          socket = new TLSSocket(socket, { isServer: true, key: pem, cert: pem })
          socket.on('error', () => undefined)
          secure = true
          return void read()
        case 'AUTH':
          return authenticate(rest.split(' ')[0]?.toUpperCase() ?? '', rest.split(' ')[1] ?? '')
        case 'MAIL': {
          from = /<([^>]*)>/.exec(rest)?.[1] ?? ''
          to = []
          const size = Number(/SIZE=(\d+)/i.exec(rest)?.[1] ?? 0)
          return say(how.smtp.size && size > how.smtp.size ? '552 5.3.4 Message size exceeds fixed limit' : '250 2.1.0 ok')
        }
        case 'RCPT':
          to.push(/<([^>]*)>/.exec(rest)?.[1] ?? '')
          return say('250 2.1.5 ok')
        case 'DATA':
          if (to.length === 0) return say('503 5.5.1 no recipients')
          letter = true
          return say('354 go on')
        case 'QUIT':
          return socket.end('221 2.0.0 so long\r\n')
        default:
          return say('250 2.0.0 ok')
      }
    }
    read()
    greet(how.smtp.greetAfter, () => say('220 mx.shop.test our own SMTP server'))
  }

  const imap = await listen((socket) => void new ImapSession(socket))
  const smtp = await listen(serveSmtp)
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    kind: 'our own mail servers',
    imapPort: imap.port,
    smtpPort: smtp.port,
    password,
    how,
    taken,
    asked,
    settings: mailSettings({ imapPort: imap.port, smtpPort: smtp.port, password }),
    imap: (address) => connectTo(imap.port, address, password),
    log: () => lines.join('\n'),
    cut,
    renumber(address, name = 'INBOX') {
      const found = boxOf(address).get(name)
      if (!found) throw new Error(`${address} has no ${name}`)
      found.validity = ++validity
      found.next = 1
      for (const letter of found.letters) letter.uid = found.next++
    },
    reset() {
      const fresh = usual()
      Object.assign(how.imap, fresh.imap)
      Object.assign(how.smtp, fresh.smtp)
      how.tokens.clear()
    },
    async stop() {
      cut()
      await Promise.all([imap, smtp].map(({ server }) => new Promise((resolve) => server.close(resolve))))
    },
  }
}

type Word = string | Buffer | Word[]

/** Atoms, quoted strings, literals and lists (RFC 3501, 4). */
function words(text: string, literals: readonly Buffer[]): Word[] {
  const stack: Word[][] = [[]]
  for (const [token, quoted, literal] of text.matchAll(/\(|\)|"((?:[^"\\]|\\.)*)"|\u00a7(\d+)\u00a7|[^\s()]+/g)) {
    const list = stack.at(-1) as Word[]
    if (token === '(') {
      const inner: Word[] = []
      list.push(inner)
      stack.push(inner)
    } else if (token === ')') stack.pop()
    else if (quoted !== undefined) list.push(quoted.replace(/\\(.)/g, '$1'))
    else if (literal !== undefined) list.push(literals[Number(literal)] as Buffer)
    else list.push(token)
  }
  return stack[0] as Word[]
}

/** `3`, `2:5`, `7:*`, several by commas. `n:*` names the last letter even when n lies above it (RFC 3501, 6.4.8). */
function select({ letters }: Folder, set: string, byUid: boolean): Stored[] {
  const numberOf = (letter: Stored) => (byUid ? letter.uid : letters.indexOf(letter) + 1)
  const last = Math.max(0, ...letters.map(numberOf))
  const ranges = set.split(',').map((range) => {
    const [from = 0, to = from] = range.split(':').map((end) => (end === '*' ? last : Number(end)))
    return [Math.min(from, to), Math.max(from, to)] as const
  })
  return letters.filter((letter) => ranges.some(([from, to]) => numberOf(letter) >= from && numberOf(letter) <= to))
}

/** The search keys the plugin and its tests use, all of which must hold. */
function matches(letter: Stored, keys: readonly Word[], folder: Folder): boolean {
  for (let i = 0; i < keys.length; i++) {
    const key = String(keys[i]).toUpperCase()
    if (key === 'ALL') continue
    if (key === 'SEEN' || key === 'UNSEEN') {
      if (letter.flags.has('\\Seen') !== (key === 'SEEN')) return false
    } else if (key === 'UID') {
      if (!select(folder, String(keys[++i]), true).includes(letter)) return false
    } else if (key === 'SINCE') {
      const since = Date.parse(`${String(keys[++i])} UTC`)
      if (letter.at.getTime() < since) return false
    } else if (key === 'HEADER') {
      const [name, value] = [String(keys[++i]).toLowerCase(), String(keys[++i])]
      const head = letter.raw.toString('latin1').split('\r\n\r\n')[0] ?? ''
      if (!head.split(/\r\n(?![ \t])/).some((line) => line.toLowerCase().startsWith(`${name}:`) && line.includes(value))) return false
    } else throw new Error(`our own IMAP server knows no search for ${key}`)
  }
  return true
}

const literalOf = (name: string, bytes: Buffer): Buffer => Buffer.concat([Buffer.from(`${name} {${bytes.length}}\r\n`), bytes])
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (number: number) => String(number).padStart(2, '0')
const imapDate = (at: Date): string =>
  `${two(at.getUTCDate())}-${months[at.getUTCMonth()]}-${at.getUTCFullYear()} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000`

/** What Gmail says in its challenge. */
const oauthError = Buffer.from(JSON.stringify({ status: '400', schemes: 'Bearer', scope: 'https://mail.google.com/' })).toString('base64')

/** `user=` … `auth=Bearer ` …, divided by 0x01 (XOAUTH2). */
function bearer(said: string, tokens: ReadonlySet<string>): { user: string; right: boolean } {
  const [user = '', token = '', ...rest] = said.split(String.fromCharCode(1))
  const right = user.startsWith('user=') && token.startsWith('auth=Bearer ') && rest.join() === ','
  return { user: user.slice('user='.length), right: right && tokens.has(token.slice('auth=Bearer '.length)) }
}

/** A report as Postfix writes it (RFC 3464). */
function bounceOf(recipient: string, raw: Buffer): Buffer {
  const boundary = randomUUID()
  const head = raw.toString('latin1').split('\r\n\r\n')[0] ?? ''
  return Buffer.from(
    [
      'From: MAILER-DAEMON@mx.shop.test (Mail Delivery System)',
      'Subject: Undelivered Mail Returned to Sender',
      'Auto-Submitted: auto-replied',
      `Message-ID: <${randomUUID()}@mx.shop.test>`,
      `Date: ${new Date().toUTCString()}`,
      'MIME-Version: 1.0',
      `Content-Type: multipart/report; report-type=delivery-status; boundary="${boundary}"`,
      '',
      `--${boundary}`,
      'Content-Type: text/plain; charset=us-ascii',
      '',
      `<${recipient}>: host 127.0.0.1 said: 550 5.1.1 no such user here`,
      '',
      `--${boundary}`,
      'Content-Type: message/delivery-status',
      '',
      'Reporting-MTA: dns; mx.shop.test',
      '',
      `Final-Recipient: rfc822; ${recipient}`,
      'Action: failed',
      'Status: 5.1.1',
      'Diagnostic-Code: smtp; 550 5.1.1 no such user here',
      '',
      `--${boundary}`,
      'Content-Type: text/rfc822-headers',
      '',
      head,
      '',
      `--${boundary}--`,
      '',
    ].join('\r\n'),
    'latin1',
  )
}
