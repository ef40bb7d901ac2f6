/** Tries an inbox: its connection step by step, or a message to one address. What is wrong comes back as sentences, never as an error. */
import { isDeepStrictEqual } from 'node:util'
import { type ChannelInbox, type LocalText, type OutboundMessage, type ProbeStep, SendError } from '../../../sdk/channel.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { Em } from '../../db/orm.ts'
import { retryOnConflict } from '../../db/retry.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { inTime } from '../../in-time.ts'
import { mergeSecrets, parseSettings } from '../../kernel/settings.ts'
import { findIdentity } from '../contact/external-id.ts'
import { changeConversation } from '../conversation/change.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { takeMore } from '../conversation/reply-window.ts'
import { adapterOf, capabilitiesOf, openInbox, piecesOf, unlock } from './channels.ts'
import type { Inbox } from './inbox.entity.ts'
import { hastenSends, isBad, mendByTest, noteLife } from './inbox-health.ts'

const timeoutMs = 30_000
const failed: LocalText = { zh: '连接测试未能完成', en: 'The test could not be finished' }

/**
 * A test of what is saved that goes well mends an inbox that is broken; of what is not saved it only tells.
 * @param saved the inbox as it is kept, for the secrets that the form left alone
 * @param settings the form's, when it is not saved yet
 * Throws HUB_NOT_FOUND when the channel has no test, HUB_SETTINGS_INVALID.
 */
export async function probeInbox(hub: Hub, channel: string, saved: Inbox | undefined, settings: Record<string, unknown> | undefined): Promise<ProbeStep[]> {
  const adapter = adapterOf(hub, channel)
  if (!adapter?.probe) throw new HubError('HUB_NOT_FOUND', 'This channel has no connection test')
  const kept = saved && unlock(hub, saved).forAdapter
  const schema = adapter.inboxSettings
  const inbox: ChannelInbox = {
    id: saved?.id ?? newId(),
    name: saved?.name ?? channel,
    settings: settings ? parseSettings(schema, mergeSecrets(schema, settings, kept?.settings ?? {}, 'empty')) : (kept?.settings ?? {}),
  }
  try {
    const steps = await inTime(adapter.probe(inbox), timeoutMs, overdue)
    if (saved && isDeepStrictEqual(inbox.settings, kept?.settings) && steps.length > 0 && steps.every(({ ok, waits }) => ok || waits))
      await mendByTest(hub, saved.id)
    return steps
  } catch (error) {
    hub.log.warn({ err: error, channel }, 'a connection test failed')
    const detail =
      error instanceof SendError && error.sentence
        ? error.sentence
        : { zh: '对方没有在规定时间内应答，或应答无法识别', en: 'The other side did not answer in time, or not in a way we know' }
    return [{ label: failed, ok: false, detail }]
  }
}

/** The settings of an inbox that is broken were changed: is it well now? Nobody waits for the answer; its state tells it. */
export function retryBroken(hub: Hub, saved: Inbox): void {
  void (async () => {
    if (!saved.enabled || !(await isBad(hub.em(), saved.id))) return
    if (adapterOf(hub, saved.channel)?.probe) await probeInbox(hub, saved.channel, saved, undefined)
    else await hastenSends(hub, saved.id)
  })().catch((error) => hub.log.warn({ err: error, inbox: saved.id }, 'a changed inbox could not be tried'))
}

/**
 * Hands a text to the platform as an agent's message would be. Nothing is stored; whom it goes to is always said, so that no customer
 * gets it by accident. Where the platform counts replies it is one, and counted as one.
 */
export async function sendTest(
  hub: Hub,
  inboxId: string,
  to: string,
  text: string,
): Promise<{ ok: boolean; externalId: string | null; failure: string | null; failureText: LocalText | null }> {
  const inbox = await openInbox(hub, inboxId)
  if (!inbox) throw new HubError('HUB_NOT_FOUND', 'There is no such inbox')
  const adapter = adapterOf(hub, inbox.channel)
  if (!inbox.enabled || !adapter) throw new HubError('HUB_CHANNEL_DISABLED', 'This inbox is switched off')
  const capabilities = await capabilitiesOf(hub, inboxId)
  if (!adapter.send || !capabilities?.send.includes('text'))
    throw new HubError('HUB_MESSAGE_REFUSED', 'Customers of this channel read from the hub: nothing is sent', { reason: 'part', part: 'text' })
  const known = await findIdentity(hub, hub.em(), { inboxId, externalId: to })
  const id = newId()
  const message: OutboundMessage = {
    id,
    conversationId: id,
    to,
    identityId: known?.id ?? id,
    seq: 1,
    parts: [{ type: 'text', text }],
    done: 0,
    progress: async () => undefined,
    signal: AbortSignal.timeout(timeoutMs),
    round: 1,
    attempt: 1,
  }
  try {
    const sent = await inTime(adapter.send(message, inbox.forAdapter), timeoutMs, overdue)
    noteLife(hub, inboxId, 'lastSendAt')
    if (capabilities.replyWindow && known) await countReplies(hub, known.id, await piecesOf(hub, inboxId, message.parts))
    return { ok: true, externalId: sent?.externalId ?? null, failure: null, failureText: null }
  } catch (error) {
    if (!(error instanceof SendError)) hub.log.error({ err: error, inbox: inboxId }, 'an adapter failed')
    return {
      ok: false,
      externalId: null,
      failure: error instanceof SendError ? error.reason : 'adapter',
      failureText: error instanceof SendError ? (error.sentence ?? null) : null,
    }
  }
}

/** What was sent beside the conversation is used up all the same: agents see what is left. */
async function countReplies(hub: Hub, identityId: string, count: number): Promise<void> {
  const open = await hub.em().findOne(Conversation, { openIdentityId: identityId }, { fields: ['id'], disableIdentityMap: true })
  if (!open) return retryOnConflict(() => hub.em().transactional((tx) => takeMore(tx as Em, identityId, undefined, count)))
  await changeConversation(hub, open.id, async ({ conversation }, em) => {
    await takeMore(em, identityId, conversation, count)
    return true
  })
}

const overdue = () => new SendError('timeout', { retry: 'unknown' })
