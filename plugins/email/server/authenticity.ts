/**
 * SPF, DKIM and DMARC as the mailbox's own server judged them. A header anybody can write is believed only when it is the
 * topmost of its kind and names that server (RFC 8601, 5 and 7.1): what stands below came with the mail.
 */
import type { LetterMeta } from '@huike/core/sdk/channel.ts'
import type { Headers } from './headers.ts'

export function readAuthenticity(headers: Headers, trusted: ReadonlySet<string>): NonNullable<LetterMeta['auth']> | undefined {
  if (trusted.size === 0) return undefined
  const auth: NonNullable<LetterMeta['auth']> = {}
  let found = false
  for (const { name, raw } of headers.fields) {
    if (name === 'authentication-results') {
      const results = withoutComments(raw)
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
        if (method === 'dkim' ? auth.dkim !== 'pass' : auth[method] === undefined) auth[method] = verdict
      }
    } else if (name === 'received' && found) break
  }
  return found ? auth : undefined
}

/** Text without RFC 5322 comments and quoted strings' contents: a `;` inside them divides nothing. */
function withoutComments(raw: string): string {
  let out = ''
  let depth = 0
  let quoted = false
  for (let i = 0; i < raw.length && i < 20_000; i++) {
    const char = raw[i] as string
    if (char === '\\') i++
    else if (char === '"' && depth === 0) quoted = !quoted
    else if (char === '(' && !quoted) depth++
    else if (char === ')' && !quoted) depth = Math.max(0, depth - 1)
    else if (depth === 0 && !quoted) out += char
  }
  return out
}
