/** E-mail addresses, plain and spelled. What they cover is closed to the other finders. */
import { find, type Reading } from './candidate.ts'

const signs =
  /@|\(at\)|\[at\]|\{at\}|艾特|爱特|圈a|小老鼠|#| at |在(?=(?:qq|163|126|139|189|gmail|outlook|hotmail|sina|sohu|foxmail|yeah|icloud|yahoo|aliyun) ?(?:点|dot|\.) ?(?:com|cn|net))/g
const local = /[a-z0-9._%+-]/
const ends = new Set('com cn net org edu gov io me co cc hk tw jp uk de fr us info vip top xyz club shop tech online site live pro asia fm tv'.split(' '))
/** Boxes of machines. */
const machine = /^(?:no-?reply|postmaster|mailer-daemon|do-?not-?reply)@/
const mailHosts = /^(?:qq|163|126|139|189|gmail|outlook|hotmail|sina|sohu|foxmail|yeah|icloud|yahoo|aliyun|live|msn|vip)\./
const longest = 64
/** What is said before an address, and is no part of it. */
const saying =
  /^(?:e-?mail|mail|address|addr|is|are|my|your|our|the|me|us|to|contact|write|send|reach|use|please|pls|or|and|via|by|on|in|from|for|here|it|its|hi|hello|add|vx|wx|wechat|weixin|qq|tel|phone|\d+)$/

/** Said on its own before a full stop: no beginning of a name. */
const answer = /^(?:ok|okay|yes|no|sure|thanks|thank|thx|good|fine|great|bye)$/
const dot = '(?:[([{](?:dot|点)[)\\]}]|\\s?点\\s?|。|\\sdot\\s)'
const eachDot = new RegExp(dot, 'g')
const dotted = new RegExp(`(?:[a-z0-9._%+-]{1,32}${dot}){1,4}$`)
const lastPiece = new RegExp(`([a-z0-9._%+-]{1,32})(${dot})$`)

/**
 * The pieces that belong to the name. A full stop may end a sentence, and 点 stands behind the hour: such a name is doubted.
 * @param all whatever has a letter: who hides an address hides too much of it rather than too little
 */
function spelledBefore(text: string, all: boolean): { pieces: string; doubted: boolean } {
  let rest = dotted.exec(text)?.[0] ?? ''
  let pieces = ''
  let doubted = false
  while (rest !== '') {
    const [whole, piece = '', mark = ''] = lastPiece.exec(rest) ?? []
    if (!whole) break
    const bracketed = /[([{]/.test(mark)
    const stop = mark === '。'
    const foreign = !bracketed && (saying.test(piece) || answer.test(piece))
    // A number before a full stop, an account: perhaps another thing that was told.
    const other = stop && !all && /\d/.test(piece)
    if (foreign || other) return { pieces, doubted: doubted || !stop || (other && /[a-z]/.test(piece)) }
    doubted ||= stop
    pieces = whole + pieces
    rest = rest.slice(0, -whole.length)
  }
  return { pieces, doubted }
}

export function findEmails(reading: Reading): void {
  const { low } = reading.shadow
  for (const match of low.matchAll(signs)) {
    const at = match.index
    let start = at
    const gapBefore = /\s{0,2}$/.exec(low.slice(Math.max(0, at - 2), at))?.[0].length ?? 0
    start -= gapBefore
    while (start > 0 && at - start < longest && local.test(low[start - 1] as string)) start--
    const written = low.slice(start, at - gapBefore).replace(/^[.\-+%]+/, '')
    start = at - gapBefore - written.length
    // `wang(dot)li(at)…`, `zhang点wei@…`: pieces of the name behind dots in words.
    const spelled = written === '' ? { pieces: '', doubted: false } : spelledBefore(low.slice(Math.max(0, start - 160), start), reading.anybodys)
    const { pieces } = spelled
    start -= pieces.length
    const name = pieces.replace(eachDot, '.') + written
    if (name === '' || /\.$/.test(name)) continue
    const domain = domainAfter(low, at + match[0].length)
    if (!domain) continue
    // `zhang san @ 163 . com`: where a name is spaced from its sign, the word before it may be its beginning.
    const spaced =
      pieces === '' && (gapBefore > 0 || match[0] === ' at ')
        ? (/(?<![a-z0-9._%+-])(?:([a-z0-9._%+-]{1,32}) )?([a-z0-9._%+-]{1,32}) $/.exec(low.slice(Math.max(0, start - 66), start)) ?? [])
        : []
    const [, earlier = '', word = ''] = spaced
    const doubted = spelled.doubted || (word !== '' && !saying.test(word)) || match[0] === '在'
    const joined = doubted && word !== '' && (earlier === '' || saying.test(earlier)) ? word : ''
    const plain = pieces === '' && match[0] === '@' && gapBefore === 0 && domain.plain
    if (match[0] === '#' && !mailHosts.test(`${domain.name}`)) continue
    if (joined !== '') start -= joined.length + 1
    const address = `${joined}${name}@${domain.name}`
    for (let i = start; i < domain.end; i++) reading.closed[i] = 1
    if (machine.test(address) || low.slice(start - 3, start).includes('://')) continue
    const place = { normal: address, start, end: domain.end }
    const near = reading.words.before(start, 14)
    const other = near.find((hit) => hit.topic === 'theirs')
    if (other && !reading.anybodys && !/我|发到|发给|发至|[。！？!?\n]|寄|把|抄送|填/.test(low.slice(other.end, start)) && !reading.theirs[other.start])
      continue
    const cue = near.find((hit) => hit.topic === 'email')
    find(reading, plain ? 'email.plain' : 'email.spelled', { ...place, ...(cue ? { cue: [cue.start, cue.end] as const } : {}) }, doubted ? 0.8 : 1)
    if (/^(?:vip\.)?qq\.com$/.test(domain.name) && joined === '' && /^[1-9]\d{4,10}$/.test(name)) find(reading, 'qq.mail', { ...place, normal: name })
  }
}

/** `qq.com`, `qq点com`, `163 dot com`, `vip。163。com`: at least one dot and an ending that exists. */
function domainAfter(low: string, from: number): { name: string; end: number; plain: boolean } | undefined {
  let i = from
  let plain = true
  while (low[i] === ' ' && i < from + 2) {
    i++
    plain = false
  }
  const parts: string[] = []
  let end = i
  for (let dots = 0; dots < 5; dots++) {
    const start = i
    while (i - start < longest && /[a-z0-9-]/.test(low[i] ?? '')) i++
    if (i === start) break
    parts.push(low.slice(start, i))
    end = i
    const dot = /^(?:\.|\s?(?:点|dot|。|\[dot\]|\(dot\))\s?|\s\.\s?|,(?=com|cn|net))/.exec(low.slice(i, i + 8))
    if (!dot) break
    if (dot[0] !== '.') {
      // A full stop ends a sentence more often than it is a dot.
      if (parts.length >= 2 && ends.has(parts.at(-1) as string) && !/^(?:cn|hk|tw|uk|jp)\b/.test(low.slice(i + dot[0].length, i + dot[0].length + 3))) break
      plain = false
    }
    i += dot[0].length
  }
  // What comes after the ending is the next sentence.
  while (parts.length > 1 && !ends.has(parts.at(-1) as string)) {
    const last = parts.at(-1) as string
    const known = /^(com|cn|net|org)(?![a-z])/.exec(last)?.[1]
    if (known) {
      end -= last.length - known.length
      parts[parts.length - 1] = known
      break
    }
    end = low.lastIndexOf(last, end) - 1
    plain = false
    parts.pop()
  }
  return parts.length > 1 && ends.has(parts.at(-1) as string) ? { name: parts.join('.'), end, plain } : undefined
}

const linkStart = /https?:\/\/|www\.|\/\/[a-z0-9]/g

/** Links are nobody's number, whatever stands in them. */
export function closeLinks(reading: Reading): void {
  const { low } = reading.shadow
  let done = 0
  for (const match of low.matchAll(linkStart)) {
    if (match.index < done) continue
    let i = match.index
    while (i < low.length && /[!-~]/.test(low[i] as string)) reading.closed[i++] = 1
    done = i
  }
  // Without a protocol: `m.shop.com/item?id=138…`.
  for (const match of low.matchAll(/\.(?:com|cn|net|org|io|html?|php)[/?]/g)) {
    let i = match.index
    if (reading.closed[i]) continue
    while (i > 0 && match.index - i < 80 && /[a-z0-9./:-]/.test(low[i - 1] as string)) i--
    while (i < low.length && /[!-~]/.test(low[i] as string)) reading.closed[i++] = 1
  }
}
