/** In: prove, look whether it was here before, take it, and only then say so. */

import type { ChannelInbox, RawRequest, ReceiveResult } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import { Endpoint, Taken, Thread, Upload } from './app.entity.ts'
import { ofCaller } from './callers.ts'
import { decode, hashOf, type Told } from './decode.ts'
import { noteHad } from './outbox.ts'
import { type Ctx, type InboxSettings, sandboxSecretOf, secretsOf } from './settings.ts'
import { verify } from './standard-webhooks.ts'

export interface Proof {
  /** The `webhook-id`. */
  id: string
  /** Signed with the secret for trying things: answered as others are, and nothing comes of it. */
  sandbox: boolean
}

/** Of a request that the holder of a secret signed. Throws HUB_CHANNEL_UNVERIFIED. */
export async function prove(ctx: Ctx, inbox: ChannelInbox, headers: Record<string, string | undefined>, body: Buffer): Promise<Proof> {
  const [live, trial] = [secretsOf(inbox), sandboxSecretOf(inbox)]
  const verdict = verify(trial === undefined ? live : [...live, trial], headers, body)
  if (!verdict.ok)
    throw new HubError(
      'HUB_CHANNEL_UNVERIFIED',
      'The signature could not be verified',
      verdict.reason === 'signature' ? { reason: 'signature' } : { reason: verdict.reason, serverTime: new Date().toISOString() },
    )
  const sandbox = verdict.secret >= live.length
  // With no new secret set the old one is the first: it counts for the place it stands in.
  const isNew = live[verdict.secret] === (inbox.settings as InboxSettings).secret
  await noteSecret(ctx, inbox.id, sandbox ? 'sandboxSecretUsedAt' : isNew ? 'secretUsedAt' : 'oldSecretUsedAt')
  return { id: verdict.id, sandbox }
}

const noted = new WeakMap<object, Map<string, number>>()

/** When each secret was last used, to the minute: an admin sees when the old one may go. */
async function noteSecret(ctx: Ctx, inboxId: string, place: 'secretUsedAt' | 'oldSecretUsedAt' | 'sandboxSecretUsedAt'): Promise<void> {
  const memory = noted.get(ctx) ?? new Map<string, number>()
  noted.set(ctx, memory)
  const key = `${inboxId}:${place}`
  if (Date.now() - (memory.get(key) ?? 0) < 60_000) return
  memory.set(key, Date.now())
  await ctx.em().upsert(Endpoint, { inboxId, [place]: new Date() }, { onConflictMergeFields: [place] })
}

const json = (status: number, body: unknown): ReceiveResult => ({ events: [], reply: { status, type: 'application/json', body: JSON.stringify(body) } })

export async function receive(ctx: Ctx, request: RawRequest, inbox: ChannelInbox): Promise<ReceiveResult> {
  const { id, sandbox } = await prove(ctx, inbox, request.headers, request.body)
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? ''))
    throw new HubError('APP_CONTENT_TYPE', 'Events are application/json', undefined, { status: 415, reader: 'author', retry: false })
  if (sandbox) {
    await decode(request.body, id, inbox.settings as InboxSettings, (uploadId) => findSandboxUpload(ctx, inbox.id, uploadId))
    return json(202, { accepted: true, eventId: id, duplicate: false, sandbox: true })
  }
  const bodyHash = hashOf(request.body)
  const before = await takenBefore(ctx, inbox.id, id, bodyHash)
  if (before) return json(200, { ...before, duplicate: true })

  const told = await decode(request.body, id, inbox.settings as InboxSettings, (uploadId) => findUpload(ctx, inbox.id, uploadId))
  await claim(ctx, inbox.id, id, bodyHash)
  const answer = { accepted: true, eventId: id, ...(await take(ctx, inbox, told)) }
  await ctx.em().nativeUpdate(Taken, { inboxId: inbox.id, webhookId: id }, { answer: JSON.stringify(answer) })
  return json(202, answer)
}

/** The answer that was given, if this very request was here. Throws APP_ID_REUSED for another body under the same id. */
async function takenBefore(ctx: Ctx, inboxId: string, webhookId: string, bodyHash: string): Promise<Record<string, unknown> | undefined> {
  const row = await ctx.em().findOne(Taken, { inboxId, webhookId }, { disableIdentityMap: true })
  if (!row) return undefined
  if (row.bodyHash !== bodyHash)
    throw new HubError('APP_ID_REUSED', 'This webhook-id was used for another body', { webhookId }, { status: 409, reader: 'author', retry: false })
  // Still being processed, or its process died: taking it again changes nothing that is there.
  return row.answer === '' ? undefined : (JSON.parse(row.answer) as Record<string, unknown>)
}

/** Written before it is processed: who comes second with another body under this id is refused from here on. */
async function claim(ctx: Ctx, inboxId: string, webhookId: string, bodyHash: string): Promise<void> {
  try {
    await ctx.em().insert(Taken, { inboxId, webhookId, bodyHash, answer: '', createdAt: new Date() })
  } catch (error) {
    if (!(error instanceof UniqueConstraintViolationException)) throw error
    await takenBefore(ctx, inboxId, webhookId, bodyHash)
  }
}

async function take(ctx: Ctx, inbox: ChannelInbox, { typing, thread, call, ...told }: Told): Promise<{ messageId?: string; duplicate: boolean }> {
  const inboxId = inbox.id
  if (typing) {
    await ctx.desk.typing({ inboxId, externalId: typing.externalId }, typing.text)
    return { duplicate: false }
  }
  const events = call ? await ofCaller(ctx, inboxId, call, told.events) : told.events
  const accepted = []
  for (const event of events)
    try {
      if (event.kind === 'failure') await noteHad(ctx, inbox, event.messageExternalId)
      accepted.push(...(await ctx.accept(inboxId, [event])))
    } catch (error) {
      // A blocked sender is refused quietly: the client did its part.
      if (!(error instanceof HubError) || error.code !== 'HUB_IDENTITY_BLOCKED') throw error
    }
  const [first] = accepted
  const customerId = thread?.customerId ?? events[0]?.from.externalId
  if (first?.conversationId && customerId)
    await ctx
      .em()
      .upsert(
        Thread,
        { conversationId: first.conversationId, inboxId, externalId: thread?.externalId ?? '', customerId },
        thread ? {} : { onConflictAction: 'ignore' },
      )
  return { duplicate: accepted.length > 0 && accepted.every(({ duplicate }) => duplicate), ...(first?.messageId ? { messageId: first.messageId } : {}) }
}

/** What an upload of the sandbox is called: it was read and not kept. */
export const sandboxUpload = 'sandbox'

async function findSandboxUpload(ctx: Ctx, inboxId: string, id: string): ReturnType<typeof findUpload> {
  if (id !== sandboxUpload) return findUpload(ctx, inboxId, id)
  return { part: { type: 'file', fileId: '', name: sandboxUpload, mime: 'application/octet-stream', size: 0 }, sha256: '' }
}

async function findUpload(ctx: Ctx, inboxId: string, id: string): Promise<{ part: MessagePart; sha256: string } | undefined> {
  const row = await ctx.em().findOne(Upload, { id, inboxId }, { disableIdentityMap: true })
  return row ? { part: JSON.parse(row.part) as MessagePart, sha256: row.sha256 } : undefined
}
