/** Whom an answer to a letter goes to, as long as the agent has not said otherwise. */
import type { LetterAddress } from '../../../../core/sdk/channel.ts'
import { maxRecipients } from '../../../../core/sdk/max-recipients.ts'
import type { Message } from '../../../../core/sdk/wire/conversation.ts'

/** As the server counts them. */
export const countOf = (...lists: readonly (readonly LetterAddress[])[]): number => new Set(lists.flat().map(({ address }) => address.toLowerCase())).size

export interface Proposal {
  to: readonly LetterAddress[]
  cc: readonly LetterAddress[]
  /** More had the letter than an answer may go to: then it goes to nobody but its sender. */
  tooMany: boolean
}

/** `own`: our addresses; undefined before it is known which those are. */
export function proposeRecipients(answered: NonNullable<Message['meta']>, own: readonly string[] | undefined): Proposal {
  const { from, to = [], cc = [], replyTo = [], replyToDoubtful, form } = answered
  // The mailbox's own server says that it is not from there.
  if (answered.auth?.dmarc === 'fail') return { to: [], cc: [], tooMany: false }
  const receivers = replyTo.length > 0 && !replyToDoubtful ? replyTo : from ? [from] : []
  // Whom a form's letter went to was its site's choice.
  if (form) return { to: receivers, cc: [], tooMany: false }
  // Everybody who had the letter has the answer, but ourselves; before it is known who that is, only those in copy.
  const others = own ? [...to, ...cc] : cc
  const seen = new Set([...(own ?? []), ...receivers.map(({ address }) => address), ...(from ? [from.address] : [])].map((address) => address.toLowerCase()))
  const copied = others.filter(({ address }) => !seen.has(address.toLowerCase()) && seen.add(address.toLowerCase()))
  const tooMany = countOf(receivers, copied) > maxRecipients
  return { to: receivers, cc: tooMany ? [] : copied, tooMany }
}
