/** Which folder of which mailbox an inbox reads, and how far it has come. */
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import type { FetchMessageObject, ImapFlow } from 'imapflow'
import { parseHeaders, parseMessageIds } from './headers.ts'
import type { Mailbox } from './inbox-settings.ts'
import { LetterRow, Progress } from './letter.entity.ts'
import { headKey, messageKey } from './thread.ts'

/** Its clock is not ours, and tells seconds only. */
const clockSkewMs = 10 * 60_000
const dayMs = 86_400_000
/** Of a mailbox that was never open it is known only since when it is wanted: what came since is ours when it opens. */
const neverOpen = ''

export async function noteWaiting(ctx: PluginContext, inboxId: string, since: Date): Promise<void> {
  const nowhere = { mailbox: '', uidValidity: neverOpen, lastUid: 0, resyncUntil: 0, readAt: null, attempts: 0 }
  await ctx.em().upsert(Progress, { inboxId, ...nowhere, since, updatedAt: since }, { onConflictAction: 'ignore' })
}

/**
 * Where to go on in the folder that is open. Numbers count only within one mailbox, and many servers say the same UIDVALIDITY
 * (1) of each: under another login, host or folder the letter we took last must be there too. The address says nothing of the
 * place. Where the numbers are of no use what came since we last looked is asked by name, so that nothing is lost or comes twice.
 */
export async function openProgress(ctx: PluginContext, mailbox: Mailbox, client: ImapFlow): Promise<Progress> {
  const box = client.mailbox
  if (!box) throw new Error('no folder is open')
  const { inboxId, settings } = mailbox
  const place = placeOf(mailbox)
  const uidValidity = String(box.uidValidity)
  const em = ctx.em()
  const known = await em.findOne(Progress, { inboxId }, { disableIdentityMap: true })
  const found = known && compare(known.mailbox, mailbox)
  if (known?.uidValidity === uidValidity && (found === 'same' || (await isWhereWeWere(ctx, known, client)))) {
    if (known.mailbox !== place) await em.nativeUpdate(Progress, { inboxId }, { mailbox: place })
    return Object.assign(known, { mailbox: place })
  }
  const now = new Date()
  const last = (box.uidNext ?? 1) - 1
  const wanted = (from: Date) => new Date(from.getTime() - settings.firstImportDays * dayMs)
  let since = wanted(now)
  if (known?.uidValidity === neverOpen) since = wanted(known.since)
  // Numbered anew, or on another server: it may hold what the one before never had.
  else if (known && found !== 'other') since = known.since
  else if (known) since = new Date(Math.min(since.getTime(), (known.readAt ?? known.updatedAt).getTime()))
  // What lies in a mailbox that was never waited for was never ours, unless some days of it are wanted.
  const beginsHere = !known && settings.firstImportDays === 0
  const progress = {
    inboxId,
    mailbox: place,
    uidValidity,
    lastUid: beginsHere ? last : 0,
    resyncUntil: beginsHere ? 0 : last,
    since,
    readAt: beginsHere ? now : (known?.readAt ?? since),
    attempts: 0,
    updatedAt: now,
  } as Progress
  if (known && known.uidValidity !== neverOpen)
    ctx.log.warn({ inbox: inboxId, before: known.uidValidity, now: uidValidity }, 'the numbers of a mailbox are new; what is known in it is not taken in again')
  await em.upsert(Progress, { ...progress })
  return progress
}

/** The host stands last: it alone may be cut. */
const placeOf = ({ user, imap, settings }: Mailbox): string => `${user}\n${settings.folder}\n${imap.host}`.slice(0, 400)
/** As rows say it from before the login was noted: that was the address then. */
const placeByAddress = ({ address, imap, settings }: Mailbox): string => `${address} ${imap.host} ${settings.folder}`.slice(0, 400)

/** `moved`: login and folder are the same, the server has another name, or is another that the mailbox was moved to. */
function compare(noted: string, mailbox: Mailbox): 'same' | 'moved' | 'other' {
  const byAddress = !noted.includes('\n')
  const here = byAddress ? placeByAddress(mailbox) : placeOf(mailbox)
  if (noted === here) return 'same'
  const withoutHost = (place: string) => (byAddress ? place.replace(/^(\S+) \S+/, '$1') : place.split('\n', 2).join('\n'))
  return withoutHost(noted) === withoutHost(here) ? 'moved' : 'other'
}

async function isWhereWeWere(ctx: PluginContext, progress: Progress, client: ImapFlow): Promise<boolean> {
  if (progress.lastUid === 0) return false
  const last = await client.fetchOne(String(progress.lastUid), { uid: true, headers: ['message-id'] }, { uid: true })
  return last !== false && (await isKnown(ctx, progress, last))
}

export async function save(ctx: PluginContext, progress: Progress, change: Partial<Pick<Progress, 'lastUid' | 'attempts' | 'readAt'>>): Promise<void> {
  Object.assign(progress, change)
  const { inboxId, mailbox, uidValidity } = progress
  // Who is slow to end may come after the one that follows, who has opened another mailbox: its numbers are none of ours.
  await ctx.em().nativeUpdate(Progress, { inboxId, mailbox, uidValidity }, { ...change, updatedAt: new Date() })
}

/** It was read to its end. Noted now and then: what is read twice for that is known by its head. */
export async function noteRead(ctx: PluginContext, progress: Progress, at: Date): Promise<void> {
  if (at.getTime() - (progress.readAt?.getTime() ?? 0) > clockSkewMs) await save(ctx, progress, { readAt: at })
}

/**
 * During a resync: not from before our time, and not known by its head. Its Message-ID alone is no proof, others may have used it.
 * What is not known so is fetched, and recognised by its print.
 */
export async function isNew(ctx: PluginContext, progress: Progress, head: FetchMessageObject): Promise<boolean> {
  if (head.internalDate && new Date(head.internalDate).getTime() < progress.since.getTime() - clockSkewMs) return false
  return !(await isKnown(ctx, progress, head, { headKey: headKey(headOf(head), head.size ?? 0) }))
}

const headOf = ({ headers }: FetchMessageObject) => parseHeaders(headers ?? Buffer.alloc(0))

async function isKnown(ctx: PluginContext, { inboxId }: Progress, head: FetchMessageObject, by: { headKey?: string } = {}): Promise<boolean> {
  const [messageId] = parseMessageIds(headOf(head).raw('message-id'), 1)
  return messageId !== undefined && (await ctx.em().count(LetterRow, { inboxId, messageKey: messageKey(messageId), ...by })) > 0
}
