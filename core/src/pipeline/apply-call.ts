/**
 * A call is told in pieces: its end, and later the same with more known of it, in any order. What was told later wins field
 * by field, and what only the other piece has is added; a call stays one message.
 */
import type { MessagePart } from '../../sdk/message-parts.ts'
import { Message } from '../domain/message/message.entity.ts'
import { type Applying, changeOf, type EventOf, type InboundOutcome } from './applying.ts'

type Call = Extract<MessagePart, { type: 'call' }>

/** The call that these parts are, if they are one. */
export const callIn = (parts: readonly MessagePart[]): Call | undefined => (parts.length === 1 && parts[0]?.type === 'call' ? parts[0] : undefined)

function mergedCall(known: Call, told: Call): Call {
  const later = (told.toldAt ?? 0) >= (known.toldAt ?? 0)
  const { durationMs, ...call } = later ? { ...known, ...told } : { ...told, ...known }
  // A call that was not answered lasted no time, whatever was thought before.
  return call.outcome === 'answered' && durationMs !== undefined ? { ...call, durationMs } : call
}

/** The message that is here already takes over what this event knows of its call. */
export async function applyCall(
  applying: Applying,
  event: EventOf<'message'> | EventOf<'echo'>,
  at: { messageId: string; conversationId: string; seq: number },
): Promise<InboundOutcome> {
  const repeat: InboundOutcome = { kind: 'done', duplicate: true, at }
  const told = callIn(event.parts)
  const change = told && (await changeOf(applying, at.conversationId))
  if (!told || !change) return repeat
  // Under its lock: what this batch has of it, else what is stored.
  const message =
    [...change.added, ...change.changed].find(({ id }) => id === at.messageId) ??
    (await applying.em.findOne(Message, { id: at.messageId }, { disableIdentityMap: true }))
  const known = message && callIn(message.parts)
  if (!message || !known) return repeat
  const merged = mergedCall(known, told)
  if (saysTheSame(merged, known)) return repeat
  message.parts = [merged]
  if (!change.added.includes(message)) change.touch(message)
  return { kind: 'done', duplicate: false, at }
}

function saysTheSame({ toldAt: _a, ...a }: Call, { toldAt: _b, ...b }: Call): boolean {
  const sorted = (call: object) => JSON.stringify(Object.entries(call).sort(([x], [y]) => (x < y ? -1 : 1)))
  return sorted(a) === sorted(b)
}
