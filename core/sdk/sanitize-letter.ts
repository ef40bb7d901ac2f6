/**
 * A letter's markup as it may be shown, whoever wrote it: an allow-list of tags, attributes and styles; no scripts, frames, forms, no address
 * but http, https, mailto, tel and cid. The quotation is folded into a `<details>`; its words are told apart for lists and
 * search. Browsers still show the result in a sandbox, and ask before they fetch pictures from elsewhere.
 */
import render from 'dom-serializer'
import { type AnyNode, type Document, Element, isTag, isText, Text } from 'domhandler'
import { parseDocument } from 'htmlparser2'
import sanitize from 'sanitize-html'
import { isHeaderBlock, splitQuote } from './split-quote.ts'

export interface SafeLetter {
  html: string
  text: string
  quoted: string
  /** It asks for pictures from elsewhere. */
  remoteImages: boolean
  /** Content ids it shows. */
  cids: string[]
}

/** What the part may carry (`HtmlPart`); beyond it the letter is shown as text and the markup is a file. */
const maxHtml = 500_000
/** Deeper than any client writes; parsers slow down quadratically and recursions end. */
const maxDepth = 200

const styles: sanitize.IOptions['allowedStyles'] = (() => {
  const colour = [/^#[0-9a-f]{3,8}$/i, /^rgba?\([\d\s.,%/]{3,40}\)$/i, /^hsla?\([\d\s.,%/deg]{3,40}\)$/i, /^[a-z]{3,30}$/i]
  const length = [/^-?[\d.]{1,8}(?:px|em|rem|pt|%|ch|ex|cm|mm|in)?(?:\s+-?[\d.]{1,8}(?:px|em|rem|pt|%|ch|ex|cm|mm|in)?){0,3}$/i, /^auto$/i]
  const size = [/^[\d.]{1,8}(?:px|em|rem|pt|%|ch|ex|cm|mm|in)?$/i, /^auto$/i, /^(?:xx?-small|small|smaller|medium|large|larger|xx?-large)$/i]
  const keyword = [/^[a-z-]{2,30}$/i]
  const border = [/^[\w\s#.,()%-]{1,80}$/i]
  const all: Record<string, RegExp[]> = {
    color: colour,
    'background-color': colour,
    background: colour,
    'font-family': [/^[\p{L}\d\s,"'._-]{1,300}$/u],
    'font-size': size,
    'font-weight': [/^(?:[a-z]{4,8}|\d{3})$/i],
    'font-style': keyword,
    'text-align': keyword,
    'text-decoration': [/^[a-z\s-]{4,40}$/i],
    'text-indent': length,
    'line-height': [/^[\d.]{1,8}(?:px|em|pt|%)?$/i, /^normal$/i],
    'letter-spacing': length,
    'vertical-align': keyword,
    'white-space': keyword,
    'word-break': keyword,
    'border-collapse': keyword,
    'border-spacing': length,
    'list-style-type': keyword,
    width: size,
    'max-width': size,
    'min-width': size,
    height: size,
    display: [/^(?:block|inline|inline-block|table|table-row|table-cell|none|list-item)$/i],
  }
  for (const side of ['', '-top', '-right', '-bottom', '-left']) {
    all[`padding${side}`] = length
    // A negative margin lifts words out of their place, over other words.
    all[`margin${side}`] = [/^[\d.]{1,8}(?:px|em|rem|pt|%)?(?:\s+[\d.]{1,8}(?:px|em|rem|pt|%)?){0,3}$/i, /^auto$/i, /^(?:0|[\d.]{1,6}(?:px|em|pt)?)\s+auto$/i]
    all[`border${side}`] = border
    for (const what of ['-color', '-style', '-width']) all[`border${side}${what}`] = border
  }
  return { '*': all }
})()

// Inherited things an Object prototype would answer for must not count as attributes of a tag.
const cell = ['align', 'valign', 'width', 'height', 'bgcolor', 'colspan', 'rowspan', 'nowrap']
const rules = (seen: { remote: boolean; cids: Set<string> }): sanitize.IOptions => ({
  allowedTags: [
    ...['a', 'abbr', 'address', 'article', 'aside', 'b', 'big', 'blockquote', 'br', 'caption', 'center', 'cite', 'code', 'col', 'colgroup', 'dd', 'del'],
    ...['details', 'dfn', 'div', 'dl', 'dt', 'em', 'figcaption', 'figure', 'font', 'footer', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'header', 'hr', 'i', 'img'],
    ...['ins', 'kbd', 'li', 'main', 'mark', 'ol', 'p', 'pre', 'q', 's', 'samp', 'section', 'small', 'span', 'strike', 'strong', 'sub', 'summary', 'sup'],
    ...['table', 'tbody', 'td', 'tfoot', 'th', 'thead', 'tr', 'tt', 'u', 'ul', 'var', 'wbr'],
  ],
  // Their content is no words.
  nonTextTags: [
    'script',
    'style',
    'textarea',
    'option',
    'noscript',
    'title',
    'head',
    'svg',
    'math',
    'template',
    'iframe',
    'object',
    'embed',
    'xml',
    'noembed',
    'noframes',
    'xmp',
    'plaintext',
  ],
  allowedAttributes: {
    '*': ['style', 'dir', 'lang', 'title'],
    a: ['href', 'name', 'target', 'rel'],
    img: ['src', 'alt', 'width', 'height'],
    table: [...cell, 'border', 'cellpadding', 'cellspacing'],
    td: cell,
    th: cell,
    tr: cell,
    col: ['width', 'span'],
    colgroup: ['width', 'span'],
    font: ['color', 'face', 'size'],
    ol: ['start', 'type'],
    ul: ['type'],
    li: ['value'],
    div: ['align'],
    p: ['align'],
    h1: ['align'],
    h2: ['align'],
    h3: ['align'],
    details: ['data-quoted'],
  },
  allowedSchemes: ['http', 'https', 'mailto', 'tel'],
  allowedSchemesByTag: { img: ['http', 'https', 'cid', 'data'] },
  allowProtocolRelative: false,
  allowedStyles: styles,
  disallowedTagsMode: 'discard',
  enforceHtmlBoundary: false,
  transformTags: {
    // A relative address in a letter leads nowhere but into the hub.
    a: (tagName, { target: _target, rel: _rel, href, ...attribs }) => ({
      tagName,
      attribs: /^\s*(?:https?:|mailto:|tel:|#)/i.test(href ?? '')
        ? { ...attribs, href: (href as string).trim(), target: '_blank', rel: 'noopener noreferrer nofollow' }
        : attribs,
    }),
    img: (tagName, attribs) => {
      const src = (attribs.src ?? '').trim()
      const { src: _src, ...rest } = attribs
      if (/^cid:/i.test(src)) {
        const cid = contentIdOf(src)
        seen.cids.add(cid)
        return { tagName, attribs: { ...rest, src: `cid:${encodeURIComponent(cid)}` } }
      }
      if (/^https?:\/\//i.test(src)) {
        seen.remote = true
        return { tagName, attribs: { ...rest, src } }
      }
      // SVG may hold script; pictures made of points cannot.
      if (/^data:image\/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]+$/i.test(src)) return { tagName, attribs: { ...rest, src } }
      return { tagName, attribs: rest }
    },
  },
})

/** `cid:a%40b` names the part whose Content-ID is `<a@b>`. */
function contentIdOf(src: string): string {
  const raw = src.slice(4).replace(/^<|>$/g, '')
  try {
    return decodeURIComponent(raw).slice(0, 300)
  } catch {
    return raw.slice(0, 300)
  }
}

/** Undefined when the markup is too large or too deep to be shown. `fold: false` leaves quotations as they stand; `answers` as in {@link splitQuote}. */
export function sanitizeLetter(source: string, { fold = true, answers = true } = {}): SafeLetter | undefined {
  if (source.length > maxHtml * 4 || nestsDeeperThan(source, maxDepth)) return undefined
  try {
    return foldAndSanitize(source, fold, answers)
  } catch (error) {
    // Nesting the count above did not see: recursion ran out of stack.
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function foldAndSanitize(source: string, fold: boolean, answers: boolean): SafeLetter | undefined {
  const document = parseDocument(source)
  const quotation = fold ? foldQuote(document, answers) : 'none'
  const seen = { remote: false, cids: new Set<string>() }
  const html = sanitize(render(document, { encodeEntities: 'utf8' }), rules(seen))
  if (html.length > maxHtml) return undefined
  // Words are taken from what is left, so that nothing hidden in a script counts as said.
  const shown = parseDocument(html)
  const whole = wordsOf(shown.children, {
    skip: (node) => node.name === 'details' && node.attribs['data-quoted'] !== undefined,
    // As mail programs write it, so that answers and what they answer are told apart without markup too.
    marks: quotation === 'answered',
  })
  const below = quotation === 'folded' ? wordsOf(detailsOf(shown)) : ''
  const split = splitQuote(whole, { answers })
  return {
    html,
    text: split.text,
    quoted: [split.quoted, below].filter(Boolean).join('\n'),
    remoteImages: seen.remote,
    cids: [...seen.cids],
  }
}

const voids = new Set(['area', 'base', 'br', 'col', 'embed', 'hr', 'img', 'input', 'link', 'meta', 'param', 'source', 'track', 'wbr'])

/** One pass over the tags, before a parser whose cost is quadratic in the depth sees them. Counts unclosed ones too. */
function nestsDeeperThan(html: string, max: number): boolean {
  let depth = 0
  // Ends of these are often left out, and mostly harmless: they count apart, with more patience.
  let loose = 0
  const impliedEnd = new Set(['p', 'li', 'dt', 'dd', 'option', 'tr', 'td', 'th', 'thead', 'tbody', 'tfoot'])
  for (const [, close, tag] of html.matchAll(/<(\/?)([a-zA-Z][a-zA-Z0-9:-]{0,30})/g)) {
    const name = (tag as string).toLowerCase()
    if (voids.has(name)) continue
    if (impliedEnd.has(name)) {
      loose = Math.max(0, loose + (close ? -1 : 1))
      if (loose > max * 25) return true
      continue
    }
    depth = Math.max(0, depth + (close ? -1 : 1))
    if (depth > max) return true
  }
  return false
}

// ── the quotation ────────────────────────────────────────────────────────────────────────────────────────────────

/** Containers clients put the old letter in. */
function isQuoteContainer(node: Element): boolean {
  const { class: classes = '', id = '', type = '' } = node.attribs
  if (
    /(?:^|\s)(?:gmail_quote(?:_container)?|gmail_extra|yahoo_quoted|protonmail_quote|moz-cite-prefix|qmbox|tutanota_quote|ntes-mailmaster-quote|zmail_extra)(?:\s|$)/i.test(
      classes,
    )
  )
    return true
  if (
    /^(?:divRplyFwdMsg|isReplyContent|isForwardContent|reply-intro|mail-editor-reference-message-container|x?_?appendonsend|origbody|QQMailOriginal|ntes-pcmac-signature-quote)$/i.test(
      id,
    )
  )
    return true
  if (node.name === 'includetail') return true
  return node.name === 'blockquote' && (type.toLowerCase() === 'cite' || /(?:^|\s)(?:cite|quote)/i.test(classes) || id === 'replyBlockquote')
}

/** From these on everything is the old letter, not only what is inside. */
const andAllBelow = (node: Element): boolean =>
  /^(?:divRplyFwdMsg|x?_?appendonsend|reply-intro)$/i.test(node.attribs.id ?? '') || /moz-cite-prefix/.test(node.attribs.class ?? '')

const headLine =
  /^(?:[-_—=\s]{2,40}(?:原始邮件|原邮件|Original(?: Message)?|转发的邮件|Forwarded message|回复的邮件)[-_—=\s]{2,40}|(?:发件人|寄件者|From)\s{0,4}[:：].{0,200})$/i

/** Wraps the quotation, found by its container or by its first line, into `<details data-quoted>`; one that is answered line by line stays. */
function foldQuote(document: Document, answers: boolean): 'folded' | 'answered' | 'none' {
  const start = findQuote(document.children, answers)
  if (!start) return 'none'
  const { node, rest } = start
  if (isAnswered(node, rest)) return 'answered'
  const moved: AnyNode[] = [node]
  if (rest) for (let next = node.next; next; next = next.next) moved.push(next)
  const parent = node.parent
  // Nothing stands above it: folding would leave an empty letter.
  if (!parent || wordsBefore(document, node) === '') return 'none'
  const details = new Element('details', { 'data-quoted': '' }, [])
  const summary = new Element('summary', {}, [new Text('···')])
  const at = parent.children.indexOf(node as never)
  parent.children.splice(at, moved.length, details as never)
  details.parent = parent
  details.children = [summary, ...moved] as never
  summary.parent = details
  for (const child of moved) child.parent = details
  relink(parent.children)
  relink(details.children)
  return 'folded'
}

function relink(children: readonly AnyNode[]): void {
  for (const [i, child] of children.entries()) {
    child.prev = (children[i - 1] ?? null) as never
    child.next = (children[i + 1] ?? null) as never
  }
}

function findQuote(children: readonly AnyNode[], answers: boolean): { node: AnyNode; rest: boolean } | undefined {
  for (const node of children) {
    if (!isTag(node)) {
      if (isText(node) && headLine.test(node.data.trim().slice(0, 300)) && looksLikeHead(node, answers)) return { node: outermost(node), rest: true }
      continue
    }
    if (isQuoteContainer(node)) return { node, rest: andAllBelow(node) }
    const inside = findQuote(node.children, answers)
    if (inside) return inside
  }
  return undefined
}

/** The line stands in boxes of its own: the old letter is beside the outermost of them. */
function outermost(node: AnyNode): AnyNode {
  let at = node
  for (let parent = at.parent; parent && isTag(parent) && parent.name !== 'body'; parent = at.parent) {
    const before = parent.children.slice(0, parent.children.indexOf(at as never))
    if (wordsOf(before) !== '' || before.some((child) => isTag(child) && child.name === 'img')) break
    if (parent.children.length > 1 && !parent.parent) break
    at = parent
  }
  return at
}

const says = (words: string): boolean => words !== '' && splitQuote(`.\n${words}`).text !== '.'

/** The old letter itself, whoever answered whom in it. */
const forwarded = /Forwarded message|转发的邮件|轉寄郵件/i

/** Words below the quotation, or between its pieces: it cannot be folded without hiding an answer. */
function isAnswered(node: AnyNode, rest: boolean): boolean {
  if (!isTag(node)) return false
  // Below these the old letter stands without marks.
  if (rest) return /moz-cite-prefix/.test(node.attribs.class ?? '') && says(wordsBetween(followers(node)))
  if (says(wordsOf(followers(node)))) return true
  // Gmail keeps the answers in the box that it made for the quotation; in others' boxes the old letter stands without marks.
  const ofGmail = node.name !== 'blockquote' && /gmail_(?:quote|extra)/.test(node.attribs.class ?? '')
  return ofGmail && !forwarded.test(wordsOf(node.children, { max: 400 }).slice(0, 200)) && says(wordsBetween(node.children))
}

/** Words that stand behind a quotation's first piece and in none of them. */
function wordsBetween(nodes: readonly AnyNode[]): string {
  const behind: AnyNode[] = []
  let quoted = false
  const walk = (children: readonly AnyNode[]): void => {
    for (const node of children) {
      if (isTag(node) && node.name === 'blockquote') quoted = true
      else if (quoted) behind.push(node)
      else if (isTag(node)) walk(node.children)
    }
  }
  walk(nodes)
  return wordsOf(behind, { skip: (node) => node.name === 'blockquote' })
}

/** What comes after it in reading order, up to the body. */
function followers(node: AnyNode): AnyNode[] {
  const out: AnyNode[] = []
  for (let at: AnyNode | null = node; at; at = at.parent) for (let next = at.next; next; next = next.next) out.push(next)
  return out
}

/** `发件人:` in a sentence or on a parcel is no head. */
function looksLikeHead(node: AnyNode, answers: boolean): boolean {
  const near = wordsOf([node, ...followers(node)].slice(0, 40), { max: 2_000 })
  if (/原始邮件|原邮件|Original|转发的邮件|Forwarded|回复的邮件/i.test(near.slice(0, 80))) return true
  return isHeaderBlock(near.slice(0, 1_000).split('\n'), 0, answers)
}

function wordsBefore(document: Document, node: AnyNode): string {
  let words = ''
  const walk = (children: readonly AnyNode[]): boolean => {
    for (const child of children) {
      if (child === node) return true
      if (isText(child)) words += child.data.trim()
      else if (isTag(child) && !silent.has(child.name)) {
        if (child.name === 'img') words += '.'
        if (walk(child.children)) return true
      }
    }
    return false
  }
  walk(document.children)
  return words
}

function detailsOf(document: Document): AnyNode[] {
  const find = (children: readonly AnyNode[]): AnyNode[] | undefined => {
    for (const child of children) {
      if (!isTag(child)) continue
      if (child.name === 'details' && child.attribs['data-quoted'] !== undefined)
        return child.children.filter((node) => !isTag(node) || node.name !== 'summary')
      const inside = find(child.children)
      if (inside) return inside
    }
    return undefined
  }
  return find(document.children) ?? []
}

// ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────

const silent = new Set(['script', 'style', 'head', 'title', 'template', 'noscript', 'summary'])
const blocks = new Set([
  'address',
  'article',
  'aside',
  'blockquote',
  'center',
  'dd',
  'details',
  'div',
  'dl',
  'dt',
  'figure',
  'footer',
  'h1',
  'h2',
  'h3',
  'h4',
  'h5',
  'h6',
  'header',
  'hr',
  'li',
  'main',
  'ol',
  'p',
  'pre',
  'section',
  'table',
  'tr',
  'ul',
])

interface WordsWanted {
  skip?: (node: Element) => boolean
  max?: number
  /** Quotations with `> ` before their lines. */
  marks?: boolean
}

function wordsOf(nodes: readonly AnyNode[], wanted: WordsWanted = {}): string {
  const { skip, max = 500_000, marks = false } = wanted
  const out: string[] = []
  let length = 0
  const walk = (children: readonly AnyNode[], pre: boolean) => {
    for (const node of children) {
      if (length > max) return
      if (isText(node)) {
        const words = pre ? node.data : node.data.replace(/[ \t\r\n\f]+/g, ' ')
        out.push(words)
        length += words.length
      } else if (isTag(node) && !silent.has(node.name) && !skip?.(node)) {
        if (node.name === 'br') out.push('\n')
        else if (marks && node.name === 'blockquote') {
          const inner = wordsOf(node.children, { ...wanted, max: max - length })
          length += inner.length
          out.push(inner === '' ? '\n' : `\n${inner.replace(/^/gm, '> ')}\n`)
        } else if (blocks.has(node.name)) {
          out.push('\n')
          walk(node.children, pre || node.name === 'pre')
          out.push('\n')
        } else {
          walk(node.children, pre)
          if (node.name === 'td' || node.name === 'th') out.push('\t')
        }
      }
    }
  }
  walk(nodes, false)
  return (
    out
      .join('')
      .replace(/\u00a0/g, ' ')
      // But the space that makes `-- ` the mark of a signature.
      .replace(/(?<!(?:^|\n)--)[ \t]*\n[ \t]*/g, '\n')
      .replace(/\n{3,}/g, '\n\n')
      .replace(/[ \t]{2,}/g, ' ')
      .trim()
  )
}

/**
 * Markup that an agent wrote, as it may be stored, shown and sent: the composer cleans what is pasted, but a browser is no
 * authority. The words come from the markup, so that the two cannot say different things. Undefined as above.
 */
export function sanitizeWritten(source: string): { html: string; text: string; remoteImages: boolean } | undefined {
  const safe = sanitizeLetter(source, { fold: false })
  return safe && { html: safe.html, text: plainOf(safe.html), remoteImages: safe.remoteImages }
}

/** Markup as plain text, the way mail programs write it: `- ` and `1. ` before items, `> ` before quotations, an address behind its words. */
function plainOf(html: string): string {
  const walk = (nodes: readonly AnyNode[]): string => {
    let out = ''
    for (const node of nodes) {
      if (isText(node)) out += node.data.replace(/[ \t\r\n\f]+/g, ' ')
      else if (isTag(node) && !silent.has(node.name)) out += written(node)
    }
    return out
  }
  const below = (text: string, mark: string, rest: string) => {
    const [first = '', ...others] = text.trim().split('\n')
    return [mark + first, ...others.map((line) => rest + line)].join('\n')
  }
  const written = (node: Element): string => {
    if (node.name === 'br') return '\n'
    if (node.name === 'hr') return '\n----\n'
    const inner = walk(node.children)
    if (node.name === 'blockquote') return `\n${below(inner.replace(/\n{2,}/g, '\n\n'), '> ', '> ')}\n`
    if (node.name === 'li') {
      const siblings = (node.parent?.children ?? []).filter((child) => isTag(child) && child.name === 'li')
      const first = isTag(node.parent as AnyNode) ? Number((node.parent as Element).attribs.start ?? 1) || 1 : 1
      const mark = (node.parent as Element | null)?.name === 'ol' ? `${first + siblings.indexOf(node)}. ` : '- '
      return `\n${below(inner.replace(/\n{2,}/g, '\n'), mark, ' '.repeat(mark.length))}`
    }
    if (node.name === 'a') {
      const href = node.attribs.href ?? ''
      const shown = inner.trim()
      return !href || href.startsWith('#') || shown === href || `mailto:${shown}` === href || `tel:${shown}` === href ? inner : `${inner} (${href})`
    }
    // A paragraph stands apart, a line only begins anew.
    if (node.name === 'p' || /^h[1-6]$/.test(node.name)) return `\n\n${inner}\n\n`
    return blocks.has(node.name) ? `\n${inner}\n` : inner
  }
  return walk(parseDocument(html).children)
    .replace(/\u00a0/g, ' ')
    .replace(/[ \t]+\n/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
}

/** Words of markup that cannot be shown: tags gone, one pass. */
export function stripTags(source: string): string {
  return source
    .slice(0, 1_000_000)
    .replace(/<(?:script|style)\b[^<>]*>/gi, '\n')
    .replace(/<[^<>]*>/g, ' ')
    .replace(/&nbsp;/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&')
    .replace(/[ \t]+/g, ' ')
    .replace(/\n\s*\n\s*\n+/g, '\n\n')
    .trim()
}
