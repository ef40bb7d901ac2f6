/** What the client is told: an agent's messages, what became of them, and news of the conversation. */
import { type ChannelInbox, type OutboundMessage, SendError } from '@huike/core/sdk/channel.ts'
import type { ConversationFacts, HubEvents } from '@huike/core/sdk/events.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'
import { Outbox, Stream, Thread } from './app.entity.ts'
import { isOurName } from './decode.ts'
import { envelope, isRefusal, openEndpoint, post, retryAfter } from './deliver.ts'
import { fileLink } from './files.ts'
import { offer, withdraw } from './offer.ts'
import { goOn, owe, oweMessage, placeMessages, tellBefore, tellUpTo } from './outbox.ts'
import { hurry, messageType, settle } from './outbox-rows.ts'
import { type Ctx, hasWay, isFetched } from './settings.ts'

const threadOf = (ctx: Ctx, conversationId: string) => ctx.em().findOne(Thread, { conversationId }, { disableIdentityMap: true })
const named = (id: string, thread: Thread | null) => ({ id, ...(thread?.externalId ? { externalId: thread.externalId } : {}) })

/** Throws SendError. */
export async function sendMessage(ctx: Ctx, message: OutboundMessage, inbox: ChannelInbox): Promise<{ externalId: string }> {
  const { id, conversationId, attempt } = message
  const fetched = isFetched(inbox)
  if (!fetched) await openEndpoint(ctx, inbox)
  const place = await oweMessage(ctx, inbox.id, message)
  // It lies there, from a try that was cut off, or was fetched already.
  if (fetched && place.state !== 'waiting') return { externalId: id }
  try {
    await tellBefore(ctx, inbox, place)
  } catch (error) {
    if (!(error instanceof SendError) || error.retry === false) throw error
    const { reason, sentence, fault } = error
    throw new SendError(reason, { retry: true, ...(sentence ? { sentence } : {}), ...(fault ? { fault } : {}), retryAfterMs: retryAfter(attempt) })
  }
  const body = envelope(messageType, new Date(), {
    sequence: place.seq,
    messageId: id,
    conversation: named(conversationId, await threadOf(ctx, conversationId)),
    recipient: { externalId: message.to },
    sender: { role: 'agent', ...(message.agentName ? { name: message.agentName } : {}) },
    content: message.parts.map((part) => contentOf(ctx, inbox.id, part)),
    ...(message.replyToExternalId ? { replyToExternalId: message.replyToExternalId } : {}),
    attempt,
  })
  if (fetched) {
    await offer(ctx, place, body)
    await goOn(ctx, conversationId)
    return { externalId: id }
  }
  let answer: Record<string, unknown>
  try {
    answer = await post(ctx, inbox, { id: place.webhookId, type: messageType, body, attempt })
  } catch (error) {
    if (error instanceof SendError && error.retry === false) await settle(ctx, place, isRefusal(error) ? 'refused' : 'given-up', error.reason)
    throw error
  }
  await settle(ctx, place, 'taken')
  await goOn(ctx, conversationId)
  const { externalMessageId } = answer
  // Without a name of its own, or with one that other things here have, the client uses ours: receipts and recalls name it.
  return { externalId: typeof externalMessageId === 'string' && isTheirs(externalMessageId) ? externalMessageId : id }
}
const isTheirs = (name: string): boolean => name !== '' && name.length <= 150 && !isOurName(name)

/** A part as the client gets it: no id of the hub's files, but a link that opens this one file. */
function contentOf(ctx: Ctx, inboxId: string, part: MessagePart): Record<string, unknown> {
  if (part.type === 'image' || part.type === 'file' || part.type === 'audio' || part.type === 'video') {
    const { fileId, ...rest } = part
    return { ...rest, url: fileLink(ctx, inboxId, fileId) }
  }
  if (part.type === 'card' && part.cover) {
    const { cover, ...rest } = part
    return { ...rest, coverUrl: fileLink(ctx, inboxId, cover) }
  }
  return part
}

/** Resolves when it is told, or owed to a client that does not answer just now. Throws SendError where it never will be. */
export async function recallMessage(
  ctx: Ctx,
  { externalId, to, conversationId }: { externalId: string; to: string; conversationId: string },
  inbox: ChannelInbox,
): Promise<void> {
  if (!isFetched(inbox)) await openEndpoint(ctx, inbox)
  else if (await withdraw(ctx, inbox.id, externalId)) return
  const row = await owe(ctx, {
    inboxId: inbox.id,
    conversationId,
    webhookId: `recall_${externalId}`.replaceAll('.', '_').slice(0, 150),
    type: 'message.recalled',
    at: new Date(),
    data: { externalMessageId: externalId, conversation: named(conversationId, await threadOf(ctx, conversationId)), recipient: { externalId: to } },
  })
  try {
    await tellUpTo(ctx, inbox, row)
  } catch (error) {
    if (error instanceof SendError && error.retry !== false) return
    if (error instanceof SendError && !isRefusal(error)) await settle(ctx, row, 'given-up', error.reason)
    throw error
  }
}

/** Only while somebody types, and only once: it is worth nothing a moment later, and to a client that fetches nothing at all. */
export async function showTyping(ctx: Ctx, to: string, active: boolean, inbox: ChannelInbox): Promise<void> {
  if (!active || isFetched(inbox)) return
  const id = `typing_${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`
  await post(ctx, inbox, { id, type: 'typing.started', body: envelope('typing.started', new Date(), { recipient: { externalId: to } }), attempt: 1 })
}

/** News of a conversation, from an event of the hub's. */
interface News {
  id: string
  at: string
  type: 'conversation.assigned' | 'conversation.closed' | 'message.read'
  data: Record<string, unknown>
}

/** Owes news to the client; they are told by a job. */
export async function tellNews(ctx: Ctx, { id: conversationId, channel, inboxId }: ConversationFacts, { id, at, type, data }: News): Promise<void> {
  if (channel !== ctx.id) return
  const inbox = await ctx.inbox(inboxId)
  if (!inbox || !hasWay(inbox)) return
  const thread = await threadOf(ctx, conversationId)
  await placeMessages(ctx, inboxId, conversationId, new Date(at))
  const recipient = thread && { recipient: { externalId: thread.customerId } }
  await owe(ctx, {
    inboxId,
    conversationId,
    webhookId: `evt_${id}`,
    type,
    at: new Date(at),
    data: { conversation: named(conversationId, thread), ...recipient, ...data },
  })
  await hurry(ctx, conversationId)
}

/** Read up to here: the client hears it of the newest message that has a name of the client's own. */
export async function tellRead(ctx: Ctx, id: string, at: string, { conversation, upToSeq, messageExternalId }: Read): Promise<void> {
  if (conversation.channel !== ctx.id || messageExternalId === null) return
  const name = isOurName(messageExternalId)
    ? (await ctx.recent(conversation.id, { upToSeq, limit: lookBack })).findLast(
        ({ direction, externalId }) => direction === 'in' && externalId !== null && !isOurName(externalId),
      )?.externalId
    : messageExternalId
  if (name) await tellNews(ctx, conversation, { id, at, type: 'message.read', data: { externalMessageId: name } })
}
type Read = HubEvents['message.read']
/** Messages before an edit, a form or an entry of a call. */
const lookBack = 50

/** The conversation is gone for good: so is what was to be told of it. */
export async function forgetConversation(ctx: Ctx, conversationId: string): Promise<void> {
  for (const entity of [Outbox, Stream, Thread]) await ctx.em().nativeDelete(entity as typeof Outbox, { conversationId })
}
