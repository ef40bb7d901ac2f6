/** Who wrote a letter, and how far that may be believed: the author in From, a form's filler, or somebody who only says so. */
import type { LetterAddress, LetterMeta } from '@huike/core/sdk/channel.ts'
import type { EntityManager } from '@mikro-orm/core'
import { domainOf, verdictOn } from './authenticity.ts'
import { isOurs, siteOf, whoFilledIn, whoIsAnswered } from './classify.ts'
import { fillerId, type Mailbox, unverified } from './inbox-settings.ts'
import { LetterRow } from './letter.entity.ts'
import type { Letter } from './read-mail.ts'

interface Writer {
  /** Whose letter it is: what a form sends is its filler's. */
  author: LetterAddress | undefined
  /** They filled in a form: of who they are, the site's word is all there is. */
  form: boolean
  /** What the hub knows them by. */
  id: string
  /** What an agent reads in place of a name that nothing vouches for: they are a person of their own. */
  apartAs: string | undefined
  /** The mailbox's own server vouches for them. */
  verified: boolean
  /** It says that the letter is not from where it says. */
  forged: boolean
  /** Its words on the address in From. */
  auth: LetterMeta['auth']
}

export async function whoWrote(em: EntityManager, received: Letter, mailbox: Mailbox, automatic: boolean): Promise<Writer> {
  const auth = verdictOn(received, mailbox.trusted)
  const forged = auth?.dmarc === 'fail'
  const filler = automatic ? undefined : (whoFilledIn(received, mailbox.own) ?? (await nextInTurn(em, received, mailbox)))
  const { from } = received
  const verified = auth?.dmarc === 'pass'
  if (filler && from) {
    // Anybody can have a site that says anything: only our own, proven to be ours, is believed.
    if (verified && isOurs(from.address, mailbox.own))
      return { author: filler, form: true, id: filler.address, apartAs: undefined, verified: false, forged, auth }
    const site = siteOf(from.address)
    return { author: filler, form: true, id: fillerId(filler.address, site, forged), apartAs: `${filler.address} (${site})`, verified: false, forged, auth }
  }
  const address = from?.address
  const apart = forged || !address
  return {
    author: from,
    form: false,
    // Of whom nothing can be read, no two letters are of the same person. Whoever forges a sender does not get into a
    // conversation by it: they are a person of their own, whose name nobody else can have.
    id: !address ? `${unverified}${received.fingerprint}` : forged ? `${unverified}${address}` : address,
    apartAs: apart ? (address ?? [...received.headers.text('from')].slice(0, 100).join('')) : undefined,
    verified,
    forged,
    auth,
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
