/**
 * Files that a platform keeps for us: their message is safe already, here the bytes follow. Each try fetches what is
 * still missing and puts it in place by a change of the conversation, so every screen sees it.
 */
import { type FetchedFile, SendError } from '../../sdk/channel.ts'
import { HubError } from '../../sdk/errors.ts'
import { awaitedRef, type MessagePart, textOf } from '../../sdk/message-parts.ts'
import { changeConversation } from '../domain/conversation/change.ts'
import type { Conversation } from '../domain/conversation/conversation.entity.ts'
import { claimFiles, inboxKey } from '../domain/file/claim-files.ts'
import { partOf, storeFile } from '../domain/file/store-file.ts'
import { adapterOf, openInbox } from '../domain/inbox/channels.ts'
import { Message, RemoteFetch } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { inTime } from '../in-time.ts'

const maxAttempts = 8
const longestWaitMs = 1_800_000
const backoffMs = (attempt: number) => Math.min(1_000 * 3 ** attempt, longestWaitMs)
const fetchTimeoutMs = 60_000
/** What a process that died had taken is due again after it. */
const leaseMs = 5 * 60_000
/** A channel that is switched off is looked at again this often; that is no try. */
const pausedMs = 30_000

/** Fetches what one message still misses, if it is due and nobody else does. */
export async function fetchRemote(hub: Hub, messageId: string): Promise<void> {
  const em = hub.em()
  const now = new Date()
  const row = await em.findOne(RemoteFetch, { messageId }, { disableIdentityMap: true })
  if (!row || row.dueAt > now) return
  const claimed = await em.nativeUpdate(
    RemoteFetch,
    { messageId, attempts: row.attempts, dueAt: row.dueAt },
    { attempts: row.attempts + 1, dueAt: new Date(now.getTime() + leaseMs) },
  )
  if (claimed === 0) return
  const attempt = row.attempts + 1
  const inbox = await openInbox(hub, row.inboxId)
  const adapter = inbox && hub.kernel.isRunning(inbox.channel) ? adapterOf(hub, inbox.channel) : undefined
  if (inbox && !(inbox.enabled && adapter)) {
    await em.nativeUpdate(RemoteFetch, { messageId }, { attempts: row.attempts, dueAt: new Date(Date.now() + pausedMs) })
    return
  }
  const message = await em.findOne(Message, { id: messageId }, { disableIdentityMap: true })
  const found = new Map<string, MessagePart>()
  const again: Again[] = []
  for (const part of message?.parts ?? []) {
    const ref = awaitedRef(part)
    if (ref === undefined) continue
    try {
      if (!inbox || !adapter?.fetchFile) throw new SendError('no-fetch', { retry: false })
      const fetched = await inTime(adapter.fetchFile(ref, inbox.forAdapter), fetchTimeoutMs, overdue)
      found.set(ref, await stored(hub, row.inboxId, part, fetched))
    } catch (error) {
      const fate = againAfter(error, attempt, row.createdAt)
      hub.log.warn({ err: error, message: messageId, attempt, final: !fate }, 'a file could not be fetched')
      if (fate) again.push(fate)
      else found.set(ref, withoutFile(part))
    }
  }
  if (found.size > 0) await putInPlace(hub, row, found)
  if (again.length === 0) {
    await em.nativeDelete(RemoteFetch, { messageId })
    return
  }
  const waitMs = Math.min(...again.map((one) => one.waitMs))
  const attempts = again.some(({ counts }) => counts) ? attempt : row.attempts
  await em.nativeUpdate(RemoteFetch, { messageId }, { dueAt: new Date(Date.now() + waitMs), attempts })
}

interface Again {
  waitMs: number
  /** Whether it is one of the tries that the file has. */
  counts: boolean
}

/** When what failed so is tried again; undefined: it would fail so the next time. */
function againAfter(error: unknown, attempt: number, since: Date): Again | undefined {
  const age = Date.now() - since.getTime()
  // The platform has the file and we cannot keep it just now: that is no fault of the file.
  if (error instanceof HubError) return error.kind.retry ? { waitMs: Math.min(Math.max(age, 3_000), longestWaitMs), counts: false } : undefined
  const { retry, retryForMs, retryAfterMs } = error instanceof SendError ? error : ({ retry: 'unknown' } as Partial<SendError>)
  if (retry === false) return undefined
  const waitMs = retryAfterMs ?? backoffMs(attempt)
  if (retry === true && retryForMs !== undefined) return age < retryForMs ? { waitMs, counts: false } : undefined
  return attempt < maxAttempts ? { waitMs, counts: true } : undefined
}

async function stored(hub: Hub, inboxId: string, part: MessagePart, { bytes, name }: FetchedFile): Promise<MessagePart> {
  const { as, name: called } = part.type === 'remote' ? part : { as: 'image' as const, name: undefined }
  const file = partOf(await storeFile(hub, { name: name ?? called ?? as, bytes, uploadedBy: inboxKey(inboxId), voice: as === 'audio' }), { as })
  if (part.type !== 'card') return file
  return file.type === 'image' ? { ...(withoutFile(part) as typeof part), cover: file.fileId } : withoutFile(part)
}

/** It cannot be had: an agent may ask for a file again; a card does without its picture. */
function withoutFile(part: MessagePart): MessagePart {
  if (part.type === 'remote') return { ...part, failed: true }
  if (part.type !== 'card') return part
  const { coverRef: _gone, ...card } = part
  return card
}

async function putInPlace(hub: Hub, { messageId, conversationId, inboxId }: RemoteFetch, found: Map<string, MessagePart>): Promise<void> {
  await changeConversation(hub, conversationId, async (change, em) => {
    const message = await em.findOne(Message, { id: messageId }, { disableIdentityMap: true })
    const arrived = (part: MessagePart) => found.get(awaitedRef(part) ?? '')
    if (!message?.parts.some(arrived)) return false
    message.parts = message.parts.map((part) => arrived(part) ?? part)
    message.text = textOf(message.parts)
    // They were brought for this message: none is of another conversation.
    await claimFiles(em, [...found.values()], message, inboxKey(inboxId))
    change.touch(message)
    return true
  })
}

const overdue = () => new SendError('timeout', { retry: true })

/** An agent asks again for files that were given up. Throws HUB_NOT_FOUND, HUB_CONFLICT when there are none. */
export async function fetchAgain(hub: Hub, messageId: string, allowed: (conversation: Conversation) => boolean): Promise<Message> {
  const found = await hub.em().findOne(Message, { id: messageId }, { disableIdentityMap: true })
  if (!found) throw new HubError('HUB_NOT_FOUND', 'There is no such message')
  const { result } = await changeConversation(hub, found.conversationId, async (change, em) => {
    if (!allowed(change.conversation)) throw new HubError('HUB_NOT_FOUND', 'There is no such message')
    const message = await em.findOneOrFail(Message, { id: messageId }, { disableIdentityMap: true })
    if (message.recalledAt || !message.parts.some((part) => part.type === 'remote' && part.failed && !part.removed))
      throw new HubError('HUB_CONFLICT', 'There is no file of this message to ask for again')
    message.parts = message.parts.map((part) => (part.type === 'remote' && !part.removed ? { ...part, failed: false } : part))
    change.touch(message)
    await em.upsert(RemoteFetch, {
      messageId,
      conversationId: message.conversationId,
      inboxId: message.inboxId,
      attempts: 0,
      dueAt: change.at,
      createdAt: change.at,
    })
    return message
  })
  hub.queue.hurry('fetch', messageId)
  return result as Message
}
