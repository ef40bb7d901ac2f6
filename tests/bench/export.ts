/**
 * npm run bench -- export: what an export of twenty thousand conversations with four hundred thousand messages costs: how
 * long, how much memory, and what those feel who work meanwhile. One hub in a process of its own that also writes the
 * exports, as a small shop has it; with a worker apart the web feels less.
 *   --conversations N    20 000 by default, twenty messages each
 *   --pictures N         of the conversations, how many have a picture; 400 by default
 *   --formats csv,xlsx,pdf
 *   --profile embedded|served
 */
import { loadavg } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import sharp from 'sharp'
import { openOrm } from '../../core/src/db/open-orm.ts'
import { dialectOf, type Em } from '../../core/src/db/orm.ts'
import { insertRows, keepStatements } from '../../core/src/db/statements.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { StoredFile } from '../../core/src/domain/file/file.entity.ts'
import { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { indexMessages } from '../../core/src/domain/record/find/index-messages.ts'
import { freePort } from '../support/free-port.ts'
import { makePlace, type Place, type ProfileName } from '../support/profiles.ts'
import { forgetRedis, makeSite, owner, signIn, startHub } from './hub.ts'
import { Client, quantile } from './load.ts'
import type { Served } from './process.ts'
import { idAt, say } from './records/seed.ts'

const flag = (name: string): string | undefined => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined)
const conversations = Number(flag('--conversations') ?? 20_000)
const pictures = Number(flag('--pictures') ?? 400)
const each = 20
const formats = (flag('--formats') ?? 'csv,xlsx,pdf').split(',')
const mostMs = 420_000
const tell = (line: string): void => console.error(`  ${line}`)
const fields = {
  table: ['id', 'contact', 'phone', 'inbox', 'agent', 'category', 'at', 'sender', 'author', 'text', 'files', 'fileLink'],
  pdf: ['inbox', 'agent', 'category', 'tags', 'phone', 'createdAt', 'closedAt', 'link', 'fileLink'],
}

export async function benchExports(profiles: readonly ProfileName[]): Promise<string> {
  const parts: string[] = []
  for (const profile of profiles) if (!flag('--profile') || flag('--profile') === profile) parts.push(await measureProfile(profile))
  return parts.join('\n\n')
}

async function measureProfile(profile: ProfileName): Promise<string> {
  const place = await makePlace(profile)
  const undo: (() => unknown)[] = [() => place.remove(), () => forgetRedis(place)]
  try {
    const port = await freePort()
    let hub = await startHub(place, port)
    const client = new Client(hub.url)
    undo.push(() => client.close())
    const cookie = await signIn(client)
    await makeSite(client, cookie)
    const picture = await upload(hub.url, cookie)
    await hub.stop()
    const began = performance.now()
    const first = await seed(place, picture)
    tell(`${profile}: ${conversations} conversations seeded in ${((performance.now() - began) / 1_000).toFixed(0)} s`)
    hub = await startHub(place, port)
    undo.push(() => hub.stop())
    await hub.quiet()
    const idleMb = hub.rssMb()
    const rest = await latencies(client, cookie, first, () => pause(15_000))
    tell(`${profile}: idle ${idleMb.toFixed(0)} MB; a request at rest ${rest}`)
    const rows: string[][] = []
    for (const format of formats) {
      rows.push([profile, format, ...(await measureFormat(hub, client, cookie, first, format, idleMb)), rest])
      tell(rows.at(-1)?.join(' | ') ?? '')
      await hub.quiet()
    }
    const head = ['Profile', 'format', 'seconds', 'records/s', 'MB', 'steps seen', 'peak RSS MB', 'over idle', 'download s', 'request meanwhile', 'at rest']
    const table = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
    const complaints = hub.complaints()
    return `### ${profile}: ${conversations} conversations, ${conversations * each} messages, ${pictures} pictures\n\nIdle ${idleMb.toFixed(0)} MB. Load average ${loadavg()[0]?.toFixed(1)}.\n\n${table}${complaints.length > 0 ? `\n\nComplaints: ${complaints.slice(0, 5).join('\n')}` : ''}`
  } finally {
    for (const take of undo.reverse()) await Promise.resolve(take()).catch((error: Error) => console.error(`clean-up: ${error.message}`))
  }
}

async function measureFormat(hub: Served, client: Client, cookie: string, first: string, format: string, idleMb: number): Promise<string[]> {
  const order = {
    format,
    rows: 'message',
    fields: format === 'pdf' ? fields.pdf : fields.table,
    attachments: false,
    personal: false,
    nameRule: '{date}_{count}',
    filter: {},
    tz: 'Asia/Shanghai',
    language: 'zh',
  }
  let peak = 0
  const watcher = setInterval(() => {
    peak = Math.max(peak, hub.rssMb())
  }, 50)
  try {
    const began = performance.now()
    const { status, text } = await client.post('/api/x/export/exports', JSON.stringify(order), { cookie })
    if (status !== 201) throw new Error(`order: ${status} ${text}`)
    const { id } = JSON.parse(text) as { id: string }
    const seen = new Set<number>()
    let last: { state: string; done: number; total: number; bytes: number; fault: string } | undefined
    const meanwhile = await latencies(client, cookie, first, async () => {
      for (;;) {
        const answer = await client.post(`/api/x/export/exports/${id}`, '', { cookie }, undefined, 'GET')
        last = JSON.parse(answer.text)
        if (last?.done) seen.add(last.done)
        if (last?.state !== 'running') return
        if (performance.now() - began > mostMs) throw new Error(`${format}: not written within ${mostMs / 1_000} s, ${last.done} of ${last.total}`)
        await pause(250)
      }
    })
    const seconds = (performance.now() - began) / 1_000
    if (last?.state !== 'done' || last.total !== conversations) throw new Error(`${format}: ${JSON.stringify(last)}`)
    const from = performance.now()
    const file = await fetch(`${hub.url}/api/x/export/exports/${id}/file`, { headers: { cookie } })
    let bytes = 0
    for await (const chunk of file.body ?? []) bytes += chunk.length
    const download = (performance.now() - from) / 1_000
    return [
      seconds.toFixed(1),
      (conversations / seconds).toFixed(0),
      (bytes / 1_048_576).toFixed(1),
      String(seen.size),
      peak.toFixed(0),
      (peak - idleMb).toFixed(0),
      download.toFixed(1),
      meanwhile,
    ]
  } finally {
    clearInterval(watcher)
  }
}

/** Ten times a second what the workbench asks for: the list, then a thread. Half and one in a hundred, in milliseconds. */
async function latencies(client: Client, cookie: string, conversation: string, work: () => Promise<unknown>): Promise<string> {
  const took: number[] = []
  const open = new Set<Promise<void>>()
  let [over, turn, failed] = [false, 0, 0]
  const asking = (async () => {
    while (!over) {
      const path = turn++ % 2 ? `/api/conversations/${conversation}/messages` : '/api/conversations?group=closed'
      const at = performance.now()
      const one: Promise<void> = client
        .post(path, '', { cookie }, undefined, 'GET')
        .then(
          ({ status }) => (status === 200 ? void took.push(performance.now() - at) : void failed++),
          () => void failed++,
        )
        .finally(() => open.delete(one))
      open.add(one)
      await pause(100)
    }
  })()
  try {
    await work()
  } finally {
    over = true
    await asking
    await Promise.all(open)
  }
  return `p50 ${quantile(took, 0.5).toFixed(0)} ms, p99 ${quantile(took, 0.99).toFixed(0)} ms${failed > 0 ? `, ${failed} failed` : ''}`
}

async function upload(url: string, cookie: string): Promise<StoredFile> {
  const noise = { type: 'gaussian' as const, mean: 128, sigma: 40 }
  const bytes = await sharp({ create: { width: 1_600, height: 1_200, channels: 3, noise, background: '#888' } })
    .jpeg()
    .toBuffer()
  const form = new FormData()
  form.set('file', new Blob([new Uint8Array(bytes)]), '照片.jpg')
  const answer = await fetch(`${url}/api/files`, { method: 'POST', headers: { cookie, origin: url }, body: form })
  if (answer.status !== 201) throw new Error(`upload: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as StoredFile
}

/** Everything happened in the last two years; the same at every run. Returns a conversation's id. */
async function seed(place: Place, picture: unknown): Promise<string> {
  const orm = await openOrm(place)
  await keepStatements(orm, dialectOf(place))
  const em = () => orm.em.fork() as Em
  try {
    const { id: agentId } = await em().findOneOrFail(Agent, { email: owner.email })
    const inbox = await em().findOneOrFail(Inbox, { channel: 'website' })
    const { fileId } = picture as { fileId: string }
    const kept = await em().findOneOrFail(StoredFile, { id: fileId })
    const now = Date.now() - 86_400_000
    const apart = (2 * 365 * 86_400_000) / conversations
    let first = ''
    for (let from = 0; from < conversations; from += 250) {
      const [contacts, talks, messages, files]: [Contact[], Conversation[], Message[], StoredFile[]] = [[], [], [], []]
      for (let i = from; i < Math.min(from + 250, conversations); i++) {
        const begun = Math.floor(now - (conversations - i) * apart)
        const [contactId, id] = [idAt(begun), idAt(begun)]
        first ||= id
        contacts.push({
          ...{ id: contactId, number: 1_000 + i, nickname: `客户${i}`, remark: '', name: '', phone: '', email: '' },
          ...{ wechat: '', qq: '', address: '' },
          ...{ attributes: {}, mergedIntoId: null, createdAt: new Date(begun), updatedAt: new Date(begun) },
        } as unknown as Contact)
        const ended = new Date(begun + each * 60_000)
        talks.push({
          ...{ id, inboxId: inbox.id, channel: inbox.channel, contactId, identityId: idAt(begun), openIdentityId: null, status: 'closed', assigneeId: agentId },
          ...{
            departmentId: null,
            skillGroupId: null,
            lastSeq: each,
            messages: each,
            rev: 1,
            agentReadSeq: each,
            agentDeliveredSeq: 0,
            customerDeliveredSeq: 0,
            customerReadSeq: 0,
            unread: 0,
          },
          ...{ preview: '', previewDirection: 'in', lastMessageAt: ended, lastCustomerAt: ended, grants: null, rating: null, ratingComment: null },
          ...{ categoryId: null, attachments: 0, firstReplyAt: new Date(begun + 60_000), closeReason: 'agent', closedById: null, closedAt: ended },
          ...{ archivedAt: null, deletedAt: null, deletedById: null, purgeAt: null, createdAt: new Date(begun), changedAt: ended },
        } as unknown as Conversation)
        for (let seq = 1; seq <= each; seq++) {
          const inbound = seq % 2 === 1
          const text = say(inbound, i * each + seq)
          const at = new Date(begun + seq * 60_000)
          const messageId = idAt(at.getTime())
          const parts: unknown[] = [{ type: 'text', text }]
          if (seq === 3 && i % Math.max(1, Math.floor(conversations / pictures)) === 0 && pictures > 0) {
            const copy = { ...kept, id: idAt(at.getTime()), conversationId: id } as StoredFile
            files.push(copy)
            parts.push({ ...(picture as object), fileId: copy.id })
          }
          messages.push({
            ...{ id: messageId, conversationId: id, inboxId: inbox.id, seq, rev: seq, direction: inbound ? 'in' : 'out', authorId: inbound ? null : agentId },
            ...{ parts, text, status: inbound ? 'received' : 'sent', dedupeKey: `in:${messageId}`, externalId: null, replyToId: null, failure: null },
            ...{ failureText: null, meta: null, done: 0, round: 1, recalledAt: null, sentAt: at, createdAt: at },
          } as unknown as Message)
        }
      }
      await em().transactional(async (tx) => {
        await insertRows(tx as Em, Contact, contacts)
        await insertRows(tx as Em, Conversation, talks)
        await insertRows(tx as Em, Message, messages)
        await insertRows(tx as Em, StoredFile, files)
      })
    }
    await indexMessages({ em, env: { roles: { web: true, worker: true } }, intake: { busy: () => false } }, { until: Number.POSITIVE_INFINITY })
    return first
  } finally {
    await orm.close()
  }
}
