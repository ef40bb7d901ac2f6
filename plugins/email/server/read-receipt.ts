/** A reader's programme tells what became of a letter of ours (RFC 8098). We ask for none; some send them all the same, and people write into them. */
import type { LetterMeta } from '@huike/core/sdk/channel.ts'
import { loopHeader } from './classify.ts'
import { parseHeaders, parseMessageIds } from './headers.ts'
import type { Letter } from './read-mail.ts'

export function readReceipt({ report }: Letter): { receipt: LetterMeta['receipt']; originals: string[] } {
  const status = parseHeaders(Buffer.from(report?.status ?? '', 'utf8'))
  // `manual-action/MDN-sent-manually; displayed/error`
  const [, became = ''] = /;\s*([a-z]+)/i.exec(status.raw('disposition') ?? '') ?? []
  const [marked] = report?.original?.raw(loopHeader)?.trim().split(/\s+/) ?? []
  const originals = [
    ...(marked ? [marked] : []),
    ...parseMessageIds(status.raw('original-message-id'), 1),
    ...parseMessageIds(report?.original?.raw('message-id'), 1),
  ]
  return { receipt: receipts[became.toLowerCase()], originals }
}

const receipts: Record<string, LetterMeta['receipt']> = { displayed: 'read', deleted: 'deleted' }
