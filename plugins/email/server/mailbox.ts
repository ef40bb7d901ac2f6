/**
 * One mailbox, watched: connect → catch up → wait (IDLE, or a look now and then) → again. A letter counts as read only when
 * the hub has it; then, and not before, the number is saved. One connection; the lease that keeps other processes away is
 * the hub's. The mailbox itself is not changed unless the admin says so.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChannelInbox } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import type { ImapFlow } from 'imapflow'
import { connectImap } from './connect.ts'
import { type Emit, waiting } from './emit-letter.ts'
import { explainFault, MailFault } from './faults.ts'
import { parseHeaders } from './headers.ts'
import { type Mailbox, mailboxOf } from './inbox-settings.ts'
import { isNew, noteRead, noteWaiting, openProgress, save } from './keep-place.ts'
import { Progress, Token } from './letter.entity.ts'
import { takeLetter } from './take-letter.ts'
import { headFields } from './thread.ts'

/** Larger ones are taken in with their head only: the mailbox keeps them. Less than the hub takes from a channel (`ctx.storeFile`). */
const maxLetterBytes = 30 * 1024 * 1024
const oversizedHead = 256 * 1024
/** After so many failures of the same letter (about half an hour) it is told to the hub as unreadable, so that those behind it come through. */
const maxAttempts = 12
/** While a mailbox waits for its authorisation it is asked this often whether it has come. */
const authorisedEveryMs = 2_000
const backoffMs = (failures: number) => Math.min(1_000 * 2 ** Math.min(failures, 9), 300_000)

export interface MailboxWatch {
  stop(): Promise<void>
}

export function watchMailbox(ctx: PluginContext, inbox: ChannelInbox, emit: Emit): MailboxWatch {
  const mailbox = mailboxOf(inbox)
  const ending = new AbortController()
  let client: ImapFlow | undefined
  const health = (state: Parameters<PluginContext['health']>[1]) =>
    ctx.health(inbox.id, state).catch((error: unknown) => ctx.log.warn({ err: error }, 'the state of a mailbox could not be told'))

  /** Waits; an authorisation that somebody gives meanwhile, in whichever process, ends it. */
  async function pause(ms: number, since: Date): Promise<void> {
    const oauth = mailbox.settings.login === 'oauth'
    const until = Date.now() + ms
    while (!ending.signal.aborted && Date.now() < until) {
      const left = until - Date.now()
      await sleep(oauth ? Math.min(left, authorisedEveryMs) : left, undefined, { signal: ending.signal }).catch(() => undefined)
      if (!oauth || ending.signal.aborted) continue
      const authorised = await ctx
        .em()
        .count(Token, { inboxId: inbox.id, updatedAt: { $gte: since } })
        .catch(() => 0)
      if (authorised > 0) return
    }
  }

  /** Never met. Until somebody says which mailbox it is there is nothing to watch, and nothing broken. */
  const isUnmet = (): Promise<boolean> =>
    ctx
      .em()
      .count(Progress, { inboxId: inbox.id })
      .then(
        (count) => count === 0,
        () => false,
      )

  async function run(): Promise<void> {
    if (mailbox.address === '' && (await isUnmet())) return
    let failures = 0
    const since = new Date()
    while (!ending.signal.aborted) {
      try {
        client = await connectImap(ctx, mailbox)
        if (ending.signal.aborted) break
        await watch(ctx, inbox, mailbox, client, emit, ending.signal, async () => {
          failures = 0
          await health({ state: 'connected' })
        })
      } catch (error) {
        await noteWaiting(ctx, inbox.id, since).catch((failed: unknown) =>
          ctx.log.warn({ err: failed }, 'since when a mailbox is waited for could not be noted'),
        )
        if (ending.signal.aborted) break
        failures++
        const failedAt = new Date()
        const fault = explainFault(error, mailbox.preset, mailbox.imap)
        ctx.log.warn({ err: error, inbox: inbox.id, fault: fault.code, failures }, 'a mailbox lost its connection')
        // One drop is the network's everyday life; what lasts, or will not mend itself, is told.
        if (!fault.retry || failures > 2)
          await health({ state: fault.unauthorised ? 'unauthorised' : 'broken', error: fault.error, remedy: fault.remedy, code: fault.code })
        client?.close()
        client = undefined
        // Providers lock accounts that try a wrong password again and again.
        const wait = fault.unauthorised ? Math.max(backoffMs(failures), 60_000) : backoffMs(failures - 1)
        await pause(wait * (0.75 + Math.random() / 2), failedAt)
      }
    }
    client?.close()
  }

  const running = run()
  return {
    async stop() {
      ending.abort()
      // An IDLE or a slow fetch would outlive us: cut, the next process catches up. A connection that is only being made is
      // dropped when it stands; nobody waits for it.
      client?.close()
      await Promise.race([running, sleep(2_000, undefined, { ref: false })])
    },
  }
}

async function watch(
  ctx: PluginContext,
  inbox: ChannelInbox,
  mailbox: Mailbox,
  client: ImapFlow,
  emit: Emit,
  signal: AbortSignal,
  healthy: () => Promise<void>,
): Promise<void> {
  let news: (() => void) | undefined
  let closed = false
  let pending = false
  const wake = () => {
    pending = true
    news?.()
  }
  client.on('exists', wake)
  client.on('close', () => {
    closed = true
    news?.()
  })
  signal.addEventListener('abort', wake, { once: true })
  await client.mailboxOpen(mailbox.settings.folder, { readOnly: !mailbox.settings.markSeen })
  const progress = await openProgress(ctx, mailbox, client)
  const idles = client.capabilities.has('IDLE')
  let told = false
  // Not before: a login that ends at its first letter, again and again, is no recovery.
  const went = async () => {
    if (!told) await healthy()
    told = true
  }
  while (!signal.aborted && !closed) {
    pending = false
    await catchUp(ctx, inbox, mailbox, client, progress, emit, signal, went)
    await went()
    if (pending || signal.aborted || closed) continue
    const timer = setTimeout(() => news?.(), mailbox.settings.pollSeconds * 1_000)
    const waited = new Promise<void>((resolve) => {
      news = resolve
    })
    // Ends by itself when the next command is sent; a line that is dead shows as a close.
    if (idles) void client.idle().catch(() => undefined)
    await waited
    clearTimeout(timer)
    news = undefined
    // Servers without IDLE tell of news only as an answer; and a folder that was made anew under our feet shows only when it
    // is opened again.
    if (!signal.aborted && !closed && !pending) {
      const { uidValidity } = await client.mailboxOpen(mailbox.settings.folder, { readOnly: !mailbox.settings.markSeen })
      if (String(uidValidity) !== progress.uidValidity) throw Object.assign(new Error('UIDVALIDITY changed'), { code: 'ECONNECTION' })
    }
  }
  if (!signal.aborted) throw Object.assign(new Error(client.byeReason ?? 'Connection closed unexpectedly'), { code: 'ECONNECTION' })
}

async function catchUp(
  ctx: PluginContext,
  inbox: ChannelInbox,
  mailbox: Mailbox,
  client: ImapFlow,
  progress: Progress,
  emit: Emit,
  signal: AbortSignal,
  went: () => Promise<void>,
): Promise<void> {
  const began = new Date()
  const resyncing = progress.lastUid < progress.resyncUntil
  const range = `${progress.lastUid + 1}:*`
  // `n:*` names the newest letter even when n lies above it (RFC 3501, 6.4.8): told apart by number.
  const found = await client.search({ uid: range, ...(resyncing ? { since: new Date(progress.since.getTime() - 86_400_000) } : {}) }, { uid: true })
  if (!Array.isArray(found)) throw new Error('the server refused the search')
  for (const uid of found.filter((each) => each > progress.lastUid).sort((a, b) => a - b)) {
    if (signal.aborted) return
    await takeOne(ctx, inbox, mailbox, client, progress, uid, emit)
    await went()
  }
  if (resyncing && progress.lastUid < progress.resyncUntil) await save(ctx, progress, { lastUid: progress.resyncUntil })
  await noteRead(ctx, progress, began)
}

async function takeOne(
  ctx: PluginContext,
  inbox: ChannelInbox,
  mailbox: Mailbox,
  client: ImapFlow,
  progress: Progress,
  uid: number,
  emit: Emit,
): Promise<void> {
  const head = await client.fetchOne(
    String(uid),
    { uid: true, size: true, internalDate: true, ...(uid <= progress.resyncUntil ? { headers: headFields } : {}) },
    { uid: true },
  )
  // Moved or deleted meanwhile.
  if (!head) return save(ctx, progress, { lastUid: uid, attempts: 0 })
  if (uid <= progress.resyncUntil && !(await isNew(ctx, progress, head))) return save(ctx, progress, { lastUid: uid, attempts: 0 })
  const oversized = (head.size ?? 0) > maxLetterBytes
  // `source` is BODY.PEEK[]: the letter stays unread.
  const fetched = await client.fetchOne(String(uid), { uid: true, source: oversized ? { start: 0, maxLength: oversizedHead } : true }, { uid: true })
  if (!fetched || fetched.source === undefined) return save(ctx, progress, { lastUid: uid, attempts: 0 })
  const receivedAt = head.internalDate ? new Date(head.internalDate) : new Date()
  try {
    await takeLetter(ctx, inbox, fetched.source, receivedAt, emit, oversized)
  } catch (error) {
    const failure = new MailFault('not-taken', (error as Error).message, { cause: error })
    // The letter waits, and those behind it.
    if (error instanceof HubError && waiting.has(error.code)) throw failure
    const attempts = progress.attempts + 1
    if (attempts < maxAttempts) {
      await save(ctx, progress, { attempts })
      throw failure
    }
    ctx.log.error({ err: error, inbox: inbox.id, uid }, 'a letter could not be taken in; the hub is told that it is there')
    await emit([
      {
        kind: 'message',
        externalId: `unreadable-${progress.uidValidity}-${uid}`,
        from: { externalId: parseHeaders(fetched.source.subarray(0, 65_536)).addresses('from', 1)[0]?.address ?? 'unknown@invalid' },
        parts: [{ type: 'unsupported', raw: { reason: 'unreadable', uid, folder: mailbox.settings.folder, error: (error as Error).message.slice(0, 300) } }],
        sentAt: receivedAt,
      },
    ])
  }
  if (mailbox.settings.markSeen) await client.messageFlagsAdd(String(uid), ['\\Seen'], { uid: true })
  await save(ctx, progress, { lastUid: uid, attempts: 0 })
}
