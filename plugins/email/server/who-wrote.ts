/** Who wrote a letter, and how far that may be believed: the author in From, a form's filler, or somebody who only says so. */
import type { LetterAddress, LetterMeta } from '@huike/core/sdk/channel.ts'
import type { EntityManager } from '@mikro-orm/core'
import { domainOf, verdictOn } from './authenticity.ts'
import { whoFilledIn, whoIsAnswered } from './classify.ts'
import { type Mailbox, unverified } from './inbox-settings.ts'
import { LetterRow } from './letter.entity.ts'
import type { Letter } from './read-mail.ts'

interface Writer {
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

export async function whoWrote(em: EntityManager, received: Letter, mailbox: Mailbox, automatic: boolean): Promise<Writer> {
  const auth = verdictOn(received, mailbox.trusted)
  const forged = auth?.dmarc === 'fail'
  // Of who that is, the site's word is all there is.
  const filler = automatic ? undefined : (whoFilledIn(received, mailbox.own) ?? (await nextInTurn(em, received, mailbox)))
  const letter = filler ? { ...received, from: filler, replyTo: [] } : received
  const address = letter.from?.address
  return {
    letter,
    // Of whom nothing can be read, no two letters are of the same person. A site whose forms fail the check has more than
    // one filler still. Whoever forges a sender does not get into a
    // conversation by it: they are a person of their own, whose name nobody else can have.
    id: !address ? `${unverified}${letter.fingerprint}` : forged ? `${unverified}${address}` : address,
    verified: auth?.dmarc === 'pass' && !filler,
    forged,
    auth: filler && !forged ? undefined : auth,
  }
}

/**
 * Whatever it is called: who asked the answers to go to one person first, and to another elsewhere now, writes for both. Two
 * customers never share a conversation.
 */
async function nextInTurn(em: EntityManager, letter: Letter, { inboxId, own }: Mailbox): Promise<LetterAddress | undefined> {
  const person = whoIsAnswered(letter, own)
  const from = letter.from?.address
  if (!person || !from || letter.answers.length > 0 || domainOf(person.address) === domainOf(from)) return undefined
  const earlier = await em.find(
    LetterRow,
    { inboxId, fromAddress: from, direction: 'in', replyTo: { $ne: null } },
    { fields: ['replyTo'], orderBy: { at: 'desc' }, limit: 50, disableIdentityMap: true },
  )
  return earlier.length > 0 && earlier.every(({ replyTo }) => replyTo !== person.address) ? person : undefined
}
