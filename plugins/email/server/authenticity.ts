/**
 * SPF, DKIM and DMARC as the mailbox's own server judged them. A header anybody can write is believed only when it is the
 * topmost of its kind and names that server (RFC 8601, 5 and 7.1): what stands below came with the mail.
 */
import type { LetterMeta } from '@huike/core/sdk/channel.ts'
import { type Headers, outsideQuotes } from './headers.ts'
import type { Letter } from './read-mail.ts'

type Auth = NonNullable<LetterMeta['auth']>

/**
 * What the server says of whom we take for the author. Mail can be written so that two readers find two authors in it: a
 * verdict on another domain than ours is one against this author, and a good one holds for a From that can be read in one way
 * only (RFC 7489, 6.6.1).
 */
export function verdictOn({ headers, from, soleAuthor }: Letter, trusted: ReadonlySet<string>): Auth | undefined {
  const read = readAuthenticity(headers, trusted)
  if (!read) return undefined
  const { auth, judged } = read
  if (from && judged !== undefined && judged !== domainOf(from.address)) return { ...auth, dmarc: 'fail' }
  if (soleAuthor || auth.dmarc !== 'pass') return auth
  const { dmarc: _ofWhom, ...rest } = auth
  return rest
}

export const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1)

/** `judged`: the author's domain in the eyes of DMARC, where the server says it. */
export function readAuthenticity(headers: Headers, trusted: ReadonlySet<string>): { auth: Auth; judged: string | undefined } | undefined {
  if (trusted.size === 0) return undefined
  const auth: Auth = {}
  let judged: string | undefined
  let found = false
  for (const { name, raw } of headers.fields) {
    if (name === 'authentication-results') {
      const results = outsideQuotes(raw).text
      const [id = ''] = (results.split(';')[0] ?? '').trim().split(/\s+/)
      // The first of a stranger's ends it, and so does a Received line between: below it the sender could write.
      if (!trusted.has(id.toLowerCase())) break
      found = true
      for (const piece of results.split(';').slice(1, 60)) {
        const result = /^\s*(spf|dkim|dmarc)\s*(?:\/\s*\d+)?\s*=\s*([a-z]{2,20})\b/i.exec(piece)
        if (!result) continue
        const method = (result[1] as string).toLowerCase() as 'spf' | 'dkim' | 'dmarc'
        const verdict = (result[2] as string).toLowerCase()
        // Several signatures: one that holds is enough (RFC 6376). One server says the others once.
        if (method === 'dkim' ? auth.dkim === 'pass' : auth[method] !== undefined) continue
        auth[method] = verdict
        const said = method === 'dmarc' ? /\sheader\.from\s*=\s*([^\s;]+)/i.exec(piece)?.[1] : undefined
        if (said) judged = domainOf(said.toLowerCase())
      }
    } else if (name === 'received' && found) break
  }
  return found ? { auth, judged } : undefined
}
