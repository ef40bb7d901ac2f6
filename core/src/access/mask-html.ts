/** A letter's paper for those who may not see what is written on it: words are masked also across tags and entities. */
import type { HubAbility } from './ability.ts'
import { hiddenFrom } from './mask.ts'
import { maskHidden } from './mask-text.ts'

/** Tags within a line: what they part is one word to the eye. */
const inline = /^<\/?(?:a|abbr|b|big|bdo|code|em|font|i|ins|label|mark|s|small|span|strike|strong|sub|sup|tt|u|wbr|o:p)\b/i
const piece = /<!--[\s\S]*?-->|<style\b[\s\S]*?<\/style\s*>|<(?:[^<>"']|"[^"]*"|'[^']*')*>|[^<]+|</gi
const attribute =
  /((?<=[\s/"'])(?:href|src|srcset|poster|background|cite|title|alt|name|value|content|data-[\w-]+|aria-label)\s*=\s*)("[^"]*"|'[^']*'|[^\s>]+)/gi
const named: Record<string, string> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
  commat: '@',
  plus: '+',
  lpar: '(',
  rpar: ')',
  period: '.',
  hyphen: '-',
  dash: '-',
  shy: '\u200b',
  zwnj: '\u200c',
  zwj: '\u200d',
  lowbar: '_',
  colon: ':',
  percnt: '%',
  num: '#',
}

export function maskHtml(ability: HubAbility, html: string): string {
  const hidden = hiddenFrom(ability)
  if (!hidden) return html
  const pieces = html.match(piece) ?? []
  let words = ''
  const parts = pieces.map((part) => {
    if (part[0] === '<' && part.length > 1) {
      // Blocks end a line, whatever they are; a comment and a style are shown to nobody.
      if (!inline.test(part)) words += '\n'
      return part.startsWith('<!--')
        ? { tag: '' }
        : { tag: part.replace(attribute, (_whole, name: string, value: string) => name + maskAttribute(hidden, value)) }
    }
    const text = decode(part)
    const from = words.length
    words += text
    return { from, to: words.length }
  })
  const masked = maskHidden(hidden, words)
  return parts.map((part) => ('tag' in part ? part.tag : encode(masked.slice(part.from, part.to)))).join('')
}

function maskAttribute(hidden: Parameters<typeof maskHidden>[0], quoted: string): string {
  const value = decode(/^["']/.test(quoted) ? quoted.slice(1, -1) : quoted)
  // The name of a picture inside the letter looks like an address and is none; points of one say nothing.
  if (/^(?:cid:|data:image\/)/i.test(value)) return quoted
  const masked = maskHidden(hidden, value)
  return masked === value ? quoted : `"${encode(masked).replace(/"/g, '&quot;')}"`
}

const decode = (text: string): string =>
  text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,8}));?/gi, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name) return named[name.toLowerCase()] ?? whole
    const code = decimal ? Number(decimal) : Number.parseInt(hex as string, 16)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : ''
  })
const encode = (text: string): string =>
  text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/\u00a0/g, '&nbsp;')
