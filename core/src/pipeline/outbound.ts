/**
 * The river out as far as the agent waits for it: hooks → one transaction (message numbered, its client id unique) → 201.
 * From there `deliver.ts` hands it to the platform, and `fate.ts` writes down what became of it.
 */
import type { ChannelCapabilities, LetterMeta } from '../../sdk/channel.ts'
import { HubError } from '../../sdk/errors.ts'
import { maxRecipients } from '../../sdk/max-recipients.ts'
import type { ComposablePart } from '../../sdk/message-parts.ts'
import type { Em } from '../db/orm.ts'
import { changeConversation } from '../domain/conversation/change.ts'
import { Conversation } from '../domain/conversation/conversation.entity.ts'
import { takeReplies } from '../domain/conversation/reply-window.ts'
import { claimFiles, fileIdsOf } from '../domain/file/claim-files.ts'
import { type MayRead, stillTheirs } from '../domain/file/still-theirs.ts'
import { capabilitiesOf, piecesOf } from '../domain/inbox/channels.ts'
import { Message } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { checkedCard, checkLink } from './check-card.ts'
import { checkedFiles } from './check-files.ts'

export interface SendRequest {
  conversationId: string
  /** Made by the client, unique in the inbox: a repeated request is the same message. */
  clientId: string
  parts: ComposablePart[]
  /** The composer's letter fields. */
  meta?: LetterMeta | undefined
  agentId: string
  /** A note stays among colleagues. */
  note?: boolean
  replyToId?: string | null
  /** May this agent write here? Asked under the conversation's lock. */
  allowed(conversation: Conversation): boolean
  /** May they read this one, whose file they send once more? */
  mayRead: MayRead
}

/** Stores an agent's message. Throws HUB_FORBIDDEN, HUB_CONVERSATION_CLOSED, HUB_REQUEST_INVALID (`recipients`), HUB_MESSAGE_REFUSED, HUB_REPLY_WINDOW, HUB_CONFLICT, or what a hook refuses with. */
export async function sendMessage(hub: Hub, request: SendRequest): Promise<{ message: Message; duplicate: boolean }> {
  const em = hub.em()
  const dedupeKey = `out:${request.clientId}`
  const target = await em.findOne(Message, { conversationId: request.conversationId, dedupeKey }, { disableIdentityMap: true })
  if (target) return { message: ownRepeat(target, request), duplicate: true }
  const { parts, capabilities, pieces } = await checkedParts(hub, em, request)
  await checkFilesTheirs(em, request.agentId, request.mayRead, parts)
  let duplicate: Message | null = null
  const { result } = await changeConversation(hub, request.conversationId, async (change, tx) => {
    const { conversation } = change
    if (!request.allowed(conversation)) throw new HubError('HUB_FORBIDDEN', 'You may not write in this conversation')
    const stored = await tx.findOne(Message, { inboxId: conversation.inboxId, dedupeKey }, { disableIdentityMap: true })
    if (stored) {
      duplicate = ownRepeat(stored, request)
      return false
    }
    if (conversation.status === 'closed' && !request.note) throw new HubError('HUB_CONVERSATION_CLOSED', 'This conversation has ended')
    const push = capabilities?.delivery === 'push'
    if (request.replyToId) await checkAnswered(tx, request.replyToId, conversation.id)
    const grants = capabilities?.replyWindow ? await takeReplies(tx, conversation, pieces) : null
    const message = change.append({
      direction: request.note ? 'note' : 'out',
      parts,
      authorId: request.agentId,
      status: push ? 'queued' : 'sent',
      dedupeKey,
      replyToId: request.replyToId ?? null,
      meta: request.meta ?? null,
      outbound: push ? { grants } : undefined,
    })
    message.parts = await claimFiles(tx, parts, message, request.agentId)
    if (!request.note) change.assisted('reply', request.agentId, message.id)
    return message
  })
  const message = duplicate ?? (result as Message)
  return { message, duplicate: duplicate !== null }
}

/** Throws HUB_NOT_FOUND for a file that is not theirs to send, or no more. */
async function checkFilesTheirs(em: Em, agentId: string, mayRead: MayRead, parts: readonly ComposablePart[]): Promise<void> {
  const ids = new Set(fileIdsOf(parts))
  if ((await stillTheirs(em, agentId, mayRead, [...ids])).size < ids.size) throw new HubError('HUB_NOT_FOUND', 'A file of this message is not there')
}

/** A repeat is its author's own, in the same conversation; else nothing was stored, and what there is belongs to somebody else. Throws HUB_CONFLICT. */
function ownRepeat(stored: Message, { conversationId, agentId }: SendRequest): Message {
  if (stored.conversationId !== conversationId || stored.authorId !== agentId) throw new HubError('HUB_CONFLICT', 'Another message has this client id')
  return stored
}

/** What is answered was said in this very conversation: who may write in it sees that. Throws HUB_MESSAGE_REFUSED (`replyTo`). */
async function checkAnswered(em: Em, id: string, conversationId: string): Promise<void> {
  const said = await em.count(Message, { id, conversationId, direction: { $ne: 'system' } })
  if (said === 0) throw new HubError('HUB_MESSAGE_REFUSED', 'What it answers is no message of this conversation', { reason: 'replyTo', path: '/replyToId' })
}

interface CheckedParts {
  parts: ComposablePart[]
  capabilities?: ChannelCapabilities
  /** The platform's messages it will be. */
  pieces: number
}

async function checkedParts(hub: Hub, em: Em, request: SendRequest): Promise<CheckedParts> {
  if (request.note) return { parts: await Promise.all(request.parts.map(cleaned)), pieces: 1 }
  const conversation = await em.findOne(Conversation, { id: request.conversationId }, { fields: ['channel', 'inboxId'], disableIdentityMap: true })
  if (!conversation) throw new HubError('HUB_NOT_FOUND', 'There is no such conversation')
  const capabilities = await capabilitiesOf(hub, conversation.inboxId)
  if (!capabilities) throw new HubError('HUB_CHANNEL_DISABLED', 'The channel of this conversation is switched off')
  checkLetter(capabilities, request.meta)
  for (const part of request.parts) {
    if (!capabilities.send.includes(part.type))
      throw new HubError('HUB_MESSAGE_REFUSED', `This channel cannot carry ${part.type}`, { reason: 'part', part: part.type })
    if (part.type === 'text' && capabilities.maxTextLength && [...part.text].length > capabilities.maxTextLength)
      throw new HubError('HUB_MESSAGE_REFUSED', `The text is longer than ${capabilities.maxTextLength} characters`, {
        reason: 'length',
        max: capabilities.maxTextLength,
      })
  }
  const parts: ComposablePart[] = []
  for (const part of request.parts) {
    if (part.type === 'link') checkLink(part)
    parts.push(part.type === 'card' ? await checkedCard(em, part, capabilities) : part)
  }
  const hooked = await hub.kernel.hook('outbound.send', {
    inboxId: conversation.inboxId,
    channel: conversation.channel,
    conversationId: request.conversationId,
    agentId: request.agentId,
    parts,
  })
  const written = await checkedFiles(em, hooked.parts as ComposablePart[], capabilities, request.agentId)
  const safe = await Promise.all(written.map(cleaned))
  return { parts: safe, capabilities, pieces: capabilities.replyWindow ? await piecesOf(hub, conversation.inboxId, safe) : 1 }
}

/** Markup comes from a browser, or by a token from anywhere: it is made harmless before anybody sees it, after the hooks have had their say. */
async function cleaned(part: ComposablePart): Promise<ComposablePart> {
  if (part.type !== 'html') return part
  // Large, and needed where letters are written: loaded with the first one.
  const { sanitizeWritten } = await import('../../sdk/sanitize-letter.ts')
  const safe = sanitizeWritten(part.html)
  if (!safe) throw new HubError('HUB_MESSAGE_REFUSED', 'The markup is too large or too deep', { reason: 'markup' })
  const { quoted: _folded, remoteImages: _told, ...rest } = part
  return { ...rest, html: safe.html, text: [...safe.text].slice(0, 100_000).join(''), ...(safe.remoteImages ? { remoteImages: true } : {}) }
}

function checkLetter({ letter = [] }: ChannelCapabilities, meta: LetterMeta | undefined): void {
  const unknown = Object.keys(meta ?? {}).find((field) => !(letter as readonly string[]).includes(field))
  if (unknown) throw new HubError('HUB_MESSAGE_REFUSED', `This channel has no ${unknown}`, { reason: 'part', part: unknown })
  const { to = [], cc = [] } = meta ?? {}
  const named = new Set([...to, ...cc].map(({ address }) => address.toLowerCase())).size
  // With none in To the channel knows one.
  if (named + (to.length === 0 ? 1 : 0) <= maxRecipients) return
  const message = `A letter goes to ${maxRecipients} people at most, To and Cc together`
  throw new HubError('HUB_REQUEST_INVALID', message, {
    reason: 'recipients',
    max: maxRecipients,
    faults: [{ path: `body/meta/${cc.length > 0 ? 'cc' : 'to'}`, rule: 'maxItems', limit: maxRecipients, message }],
  })
}
