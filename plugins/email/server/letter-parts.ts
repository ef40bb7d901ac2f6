/** What a letter is in a conversation: its words as one part, its files, and what of it was too much. */
import type { LocalText } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { sanitizeLetter, stripTags } from '@huike/core/sdk/sanitize-letter.ts'
import { splitQuote } from '@huike/core/sdk/split-quote.ts'
import { standsForMarkup } from './plain-part.ts'
import { escapeHtml, type Letter, type LetterFile } from './read-mail.ts'
import { shortened } from './shorten.ts'

const maxTextPart = 20_000
const maxQuoted = 200_000
/** What an html part may hold of the words, for lists and search; a longer letter is whole in its markup. */
const maxWords = 100_000
/** What an html part may hold. */
const maxMarkup = 500_000

const tooLarge: LocalText = {
  zh: '邮件太大，只收取了开头，附件可能不全。完整的邮件在邮箱里。',
  en: 'Too large: only the beginning was taken in, files may be missing. The mailbox has it whole.',
}
const tooMuch: LocalText = {
  zh: '邮件内容太多，没有全部显示。完整内容在邮件原文里。',
  en: 'There is more in this letter than is shown here. The raw letter has all of it.',
}
/** What stands in a file's place where the hub has none of it. */
function missing({ name, bytes }: LetterFile): LocalText {
  const called = shortened(name, 40)
  return bytes.length === 0
    ? { zh: `附件“${called}”是空的（0 字节）`, en: `The attachment “${called}” is empty (0 bytes)` }
    : { zh: `附件“${called}”没有收下，请到邮箱里查看`, en: `“${called}” could not be taken in: see the mailbox` }
}

/** Words as one part, then the files. Files of the letter that its markup shows stand inside it. */
export async function partsOf(ctx: PluginContext, inboxId: string, letter: Letter): Promise<MessagePart[]> {
  const parts: MessagePart[] = []
  const shown = new Set<LetterFile>()
  const answers = letter.answers.length > 0
  const safe = letter.html === undefined ? undefined : sanitizeLetter(letter.html, { answers })
  const files = [...letter.files]
  const exceeded = [...letter.exceeded]
  if (safe && (safe.text || safe.quoted || safe.remoteImages || safe.cids.length > 0)) {
    const inline: { cid: string; fileId: string }[] = []
    for (const file of files) {
      const cid = safe.cids.find((wanted) => wanted === file.contentId)
      if (!cid || inline.length >= 200) continue
      const part = await storeAs(ctx, inboxId, file, 'image')
      if (part?.type !== 'image') continue
      inline.push({ cid, fileId: part.fileId })
      shown.add(file)
    }
    // The plain version is the sender's own words; the markup's words only stand in for it.
    const own = letter.text?.trim() && !standsForMarkup(letter.text, `${safe.text}\n${safe.quoted}`)
    const plain = own ? splitQuote(letter.text as string, { answers }) : undefined
    const text = plain?.text || safe.text
    const quoted = plain?.quoted || safe.quoted
    parts.push({
      type: 'html',
      html: safe.html,
      text: shortened(text, maxWords),
      ...(quoted ? { quoted: shortened(quoted, maxQuoted) } : {}),
      ...(inline.length > 0 ? { inline } : {}),
      ...(safe.remoteImages ? { remoteImages: true } : {}),
    })
  } else {
    const marked = letter.html ? stripTags(letter.html) : ''
    const plain = letter.text?.trim() ?? ''
    const whole = plain && !standsForMarkup(plain, marked) ? plain : marked
    const { text, quoted } = splitQuote(whole, { answers })
    // Quotation or length: both need the part that can hold them.
    if (quoted || text.length > maxTextPart) {
      const html = plainHtml(text, shortened(quoted, maxQuoted))
      if (!html.whole || quoted.length > maxQuoted) exceeded.push('text')
      parts.push({ type: 'html', html: html.html, text: shortened(text, maxWords), ...(quoted ? { quoted: shortened(quoted, maxQuoted) } : {}) })
    } else if (text) parts.push({ type: 'text', text })
    // Markup too large or too deep to be shown safely is not lost: it is a file.
    if (letter.html && !safe) files.unshift({ name: 'letter.html', type: 'text/html', bytes: Buffer.from(letter.html), inline: false })
  }
  for (const file of files) {
    if (shown.has(file)) continue
    const part = await storeAs(ctx, inboxId, file)
    parts.push(part ?? { type: 'card', kind: 'letter-file', title: '', label: missing(file) })
  }
  if (exceeded.length > 0)
    parts.push({ type: 'card', kind: 'letter-limits', title: '', label: exceeded.includes('size') ? tooLarge : tooMuch, data: { exceeded } })
  if (parts.length === 0) parts.push({ type: 'text', text: letter.subject || '(空邮件 / empty letter)' })
  return parts
}

/** Plain words as markup, so that a long letter is shown whole and its quotation folds. */
function plainHtml(text: string, quoted: string): { html: string; whole: boolean } {
  const lines = (words: string) => escapeHtml(words).replace(/\n/g, '<br>')
  const below = quoted ? `<details data-quoted><summary>···</summary><div>${lines(quoted)}</div></details>` : ''
  const html = `<div>${lines(text)}</div>`
  if (html.length + below.length <= maxMarkup) return { html: html + below, whole: true }
  // The quotation is in the part's `quoted` too: the new words go first. Escaping lengthens a character sixfold at most.
  return html.length <= maxMarkup ? { html, whole: true } : { html: `<div>${lines(shortened(text, Math.floor(maxMarkup / 6) - 10))}</div>`, whole: false }
}

/** Undefined when the hub will not have it (empty, too large). */
async function storeAs(ctx: PluginContext, inboxId: string, file: LetterFile, as?: 'image'): Promise<(MessagePart & { fileId: string }) | undefined> {
  try {
    const part = await ctx.storeFile(inboxId, { name: file.name, bytes: file.bytes, ...(as ? { as } : {}) })
    return 'fileId' in part ? part : undefined
  } catch (error) {
    if (!(error instanceof HubError) || error.kind.retry) throw error
    return undefined
  }
}
