/** What a customer's own client (the widget, an app) reads. */
import { type Static, Type } from 'typebox'
import { MessagePart } from '../message-parts.ts'

/** What a message answers to, in few words; of one without words, its kind. */
const CustomerQuote = Type.Object({
  id: Type.String(),
  from: Type.Union([Type.Literal('me'), Type.Literal('agent')]),
  text: Type.String(),
  /** The type of its first part. */
  kind: Type.String(),
})
export type CustomerQuote = Static<typeof CustomerQuote>

/** A message as its customer may see it: no notes, no authors but a display name. */
export const CustomerMessage = Type.Object({
  id: Type.String(),
  conversationId: Type.String(),
  seq: Type.Integer(),
  rev: Type.Integer(),
  from: Type.Union([Type.Literal('me'), Type.Literal('agent'), Type.Literal('system')]),
  /** The name shown for an agent; empty for others. */
  name: Type.String(),
  parts: Type.Array(MessagePart),
  recalled: Type.Boolean(),
  /** Of the same conversation; never a note, nor what was recalled. */
  quote: Type.Union([Type.Null(), CustomerQuote]),
  /** The id the customer's client gave it, to join what it showed already. */
  clientId: Type.Union([Type.String(), Type.Null()]),
  at: Type.String(),
})
export type CustomerMessage = Static<typeof CustomerMessage>

export const CustomerThread = Type.Object({
  messages: Type.Array(CustomerMessage),
  /** Where to go on from; ask with it again to hear what changed since. */
  cursor: Type.String(),
  /** More was changed than fits: ask again at once. */
  more: Type.Boolean(),
  /** The conversation now, or null before the first word. */
  conversation: Type.Union([
    Type.Null(),
    Type.Object({
      id: Type.String(),
      status: Type.String(),
      agentName: Type.String(),
      /** Is who has it there, by the hub's rule of presence? What is written to somebody who is not waits for them. */
      agentPresent: Type.Boolean(),
      /** A number or an address of theirs is known, by the channel's word or their own. */
      reachable: Type.Boolean(),
      /** The last message that whoever answers has seen, and that has reached somebody's workbench. */
      agentReadSeq: Type.Integer(),
      agentDeliveredSeq: Type.Integer(),
      rating: Type.Union([Type.Integer(), Type.Null()]),
    }),
  ]),
})
export type CustomerThread = Static<typeof CustomerThread>
