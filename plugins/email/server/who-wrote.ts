/** Who wrote a letter, and how far that may be believed: the author in From, a form's filler, or somebody who only says so. */
import type { LetterMeta } from '@huike/core/sdk/channel.ts'
import { verdictOn } from './authenticity.ts'
import { whoFilledIn } from './classify.ts'
import { type Mailbox, unverified } from './inbox-settings.ts'
import type { Letter } from './read-mail.ts'

export interface Writer {
  /** The letter as theirs: what a form sends is its filler's. */
  letter: Letter
  /** What the hub knows them by. */
  id: string
  /** The mailbox's own server vouches for them. */
  verified: boolean
  /** It says that they are not who they say. */
  forged: boolean
  /** Its words, where they are about this author. */
  auth: LetterMeta['auth']
}

export function whoWrote(received: Letter, mailbox: Mailbox, automatic: boolean): Writer {
  const auth = verdictOn(received, mailbox.trusted)
  const forged = auth?.dmarc === 'fail'
  // Of who that is, the site's word is all there is.
  const filler = automatic || forged ? undefined : whoFilledIn(received, mailbox.own)
  const letter = filler ? { ...received, from: filler, replyTo: [] } : received
  const address = letter.from?.address
  return {
    letter,
    // Of whom nothing can be read, no two letters are of the same person. Whoever forges a sender does not get into a
    // conversation by it: they are a person of their own, whose name nobody else can have.
    id: !address ? `${unverified}${letter.fingerprint}` : forged ? `${unverified}${address}` : address,
    verified: auth?.dmarc === 'pass' && !filler,
    forged,
    auth: filler ? undefined : auth,
  }
}
