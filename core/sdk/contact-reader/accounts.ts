/** WeChat accounts: a token that is shaped like one, beside a word that says so. */
import { find, type Reading } from './candidate.ts'
import type { Hit } from './context.ts'

const token = /[a-z0-9_-]/
const shape = /^[a-z][a-z0-9_-]{5,19}$/
/** What may stand between the word and the account. */
const link =
  /^(?:[\s:：=是为号码叫的，,.。、“”"'()（）【】「」>→~～\-—?？!！哈呢]|我|就|id|你|您|加|一下|这个|账号|帐号|搜|可以|直接|填|下|用|发|也|那|吧|请|麻烦|通过|了|名|加我|有空|在这|如下|给|记|一|还|另外|呀|啊|哦|嗯|不是手机号?|英文|字母|小写|大写|全拼|全部|都|联系|聊|扫|备注|吗|呗|嘛|啦|改成|换成|改为|is|my|(?<=[a-z] )id){0,10}$/
/** Shaped like an account, but words that everybody writes. */
const common = new Set(
  `weixin wechat weixinhao hello thanks thankyou please iphone android harmony windows huawei xiaomi samsung apple google douyin taobao tmall alipay baidu meituan pinduoduo jingdong kuaishou xiaohongshu wechatpay
  macbook airpods ipad iphones switch oppofind vivo realme redmi honor galaxy pixel chanel dior gucci adidas newbalance converse puma levis uniqlo nestle loreal lancome
  okokok hahaha hahahaha heihei haha nihao xiexie zaijian goodbye monday sunday friday message service customer kefu online order number password account address email iphone15 iphone14 iphone16 iphone13 waiting before`.split(
    /\s+/,
  ),
)
const product =
  /^(?:iphone|ipad|mate|rtx|gtx|core|ryzen|img|dsc|mvimg|screenshot|video|photo|file|pdf|doc|type|usb|hdmi|ddr|ssd|sku|item|order|tracking|no|sn|mi|redmi|nova|reno|find|model|ver|version|windows|win|ios|android|size|air|pro|max|covid|vitamin|omega|http|html|www)[-_]?\d*(?:pro|max|plus|mini|ultra|ti|se|s|x)*$/
/** The word and the account in one: `vxabc12345`. */
const glued = /^(?:weixin|wechat|vx|wx|v信|vxin|weixinhao)[-_]?([a-z][a-z0-9_-]{5,19})$/
/** What WeChat calls a mini-program or an official account, written without a word before it: `wx` and sixteen signs. */
const appId = /^wx(?=[a-z]*\d)[a-z0-9]{16}$/
const file = /^\.(?:jpe?g|png|gif|mp4|mov|pdf|docx?|xlsx?|zip|com|cn|net|html?|heic|apk|txt)/

export function findAccounts(reading: Reading): void {
  const { shadow, closed } = reading
  const { low } = shadow
  for (let i = 0; i < low.length; ) {
    if (closed[i] || !/[a-z0-9]/.test(low[i] as string)) {
      i++
      continue
    }
    let end = i
    while (end < low.length && token.test(low[end] as string) && !closed[end]) end++
    readToken(reading, i, end)
    i = end
  }
  findSpelled(reading)
}

function readToken(reading: Reading, start: number, end: number): void {
  const { shadow, words } = reading
  const { low } = shadow
  let word = low.slice(start, end).replace(/[-_]+$/, '')
  if (word.length < 6 || word.length > 40) return
  if (file.test(low.slice(end, end + 6)) || /[@/.]$|[a-z0-9/][&?=#]$/.test(low.slice(Math.max(0, start - 2), start))) return
  const stop = start + word.length
  if (/^@/.test(low.slice(stop, stop + 1))) return
  // `QQ12345678微信同`: a number with its word.
  if (/^qq\d{5,11}$/.test(word)) return
  const joined = glued.exec(word)
  const before = words.before(start, 26)
  const cue = cueBefore(reading, before, start)
  if (!cue && joined && !word.startsWith('wxid')) {
    // `wx_pay_error` is a name of a program's, `wx_lily88` may be somebody's.
    if ((/^[a-z]+_/.test(word) && !/\d/.test(word)) || appId.test(word)) return
    word = joined[1] as string
    if (!usual(word)) return
    find(reading, 'wechat.cued', { normal: word, start: stop - word.length, end: stop })
    return
  }
  if (!shape.test(word) || usual(word) === false) return
  if (others(reading, before, start)) return
  if (word.startsWith('wxid_')) {
    find(reading, 'wechat.cued', { normal: word, start, end: stop })
    return
  }
  const named = /[\d_-]/.test(word)
  if (cue) {
    const gap = words.text(cue.end, start)
    const strong = cue.topic === 'wechat'
    const pointed = /[:：=是为叫号]/.test(gap) || gap.trim() === ''
    if (!strong && !(named && /^[\s:：=号是]{0,4}$/.test(gap))) return
    if (!named && !pointed) return
    // "WeChat official account": a word in a sentence.
    if (!named && /[a-z]/.test(cue.word) && gap === ' ' && /^ [a-z]/.test(low.slice(stop, stop + 2))) return
    // `微信zhangsan 2020`: no account has a blank in it, and few have no digit.
    const rest = named ? undefined : /^ \d{2,8}(?![\d年月日号点:：元块.])/.exec(low.slice(stop, stop + 11))?.[0]
    if (rest !== undefined && word.length + rest.length <= 21)
      find(reading, 'wechat.cued', { normal: word + rest.trim(), start, end: stop + rest.length, cue: [cue.start, cue.end] as const }, 0.8)
    if (rest !== undefined) return
    find(
      reading,
      strong ? 'wechat.cued' : 'wechat.weak',
      { normal: word, start, end: stop, cue: [cue.start, cue.end] as const },
      named || /[:：=是为]/.test(gap) ? 1 : 0.8,
    )
    return
  }
  const after = words.after(stop, 12).find((hit) => hit.topic === 'wechat' || hit.topic === 'wechat-weak')
  if (!after) return
  const gap = words.text(stop, after.start)
  const rest = words.text(after.end, after.end + 16)
  // Another account follows the word: this one is something else.
  if (/^[ 号码是为:：=叫的]{0,6}(?:[a-z][a-z0-9_-]{5}|\d{6})/.test(rest)) return
  const near = /^[\s,，。.()（）~～!！]*(?:(?:这|是|就是|我的?|加|个|也|可以|直接|你|您|请|麻烦|一下|为|的|搜|用|通过|号)[\s,，]*){0,6}$/.test(gap)
  if (near && (named || /是|加|搜/.test(gap) || gap.trim() === '')) {
    if (after.topic === 'wechat-weak' && !(named && /是|加/.test(gap))) return
    find(reading, 'wechat.after', { normal: word, start, end: stop, cue: [after.start, after.end] as const })
  }
}

/** The nearest word decides: a QQ or an e-mail in between takes the account away. */
function cueBefore(reading: Reading, before: readonly Hit[], start: number): Hit | undefined {
  for (const hit of before) {
    const gap = reading.words.text(hit.end, start)
    if (hit.topic === 'phone' || hit.topic === 'theirs' || hit.word === 'id') continue
    if (hit.topic === 'not') {
      if (/^[\s:：是为号,，]*$/.test(gap)) return undefined
      continue
    }
    if (hit.topic !== 'wechat' && hit.topic !== 'wechat-weak') return undefined
    // A colleague asked, the customer answers: what stands between is the rest of the question.
    if (reading.theirs[hit.start]) {
      const answer = gap.slice(gap.indexOf('\ue000') + 1)
      return gap.length < 26 && link.test(answer) ? hit : undefined
    }
    return link.test(gap) ? hit : undefined
  }
  return undefined
}

function others(reading: Reading, before: readonly Hit[], start: number): boolean {
  const hit = before.find((one) => one.topic === 'theirs')
  if (!hit || reading.anybodys || reading.theirs[hit.start]) return false
  return !/我|[。！？!?\n]|加|联系/.test(reading.words.text(hit.end, start))
}

/** Shaped like an account and no word that everybody writes. */
export const isAccount = (word: string): boolean => shape.test(word) && usual(word)

const usual = (word: string): boolean => !common.has(word) && !product.test(word)

/** Sign by sign, or with its strokes in words: `a b c 1 2 3 4`, `abc下划线123`. */
function findSpelled(reading: Reading): void {
  const { shadow, words, closed } = reading
  const { low } = shadow
  const chain = /[a-z0-9](?:(?: ?下划线 ?| ?减号 ?| ?横杠 ?| ?杠 ?| )[a-z0-9]+)+/g
  for (const match of low.matchAll(chain)) {
    if (closed[match.index]) continue
    let start = match.index
    while (start > 0 && token.test(low[start - 1] as string)) start--
    const raw = low.slice(start, match.index + match[0].length)
    if (raw.length > 60) continue
    const spoken = /下划线|减号|杠/.test(raw)
    const pieces = raw.split(/ ?下划线 ?| ?减号 ?| ?横杠 ?| ?杠 ?| /)
    // With spaces only, every piece but one must be a single sign, else these are just words.
    if (!spoken && pieces.filter((piece) => piece.length > 1).length > 1) continue
    const word = raw
      .replace(/ ?下划线 ?/g, '_')
      .replace(/ ?(?:减号|横杠|杠) ?/g, '-')
      .replaceAll(' ', '')
    if (!shape.test(word) || !/[\d_-]/.test(word)) continue
    const cue = cueBefore(reading, words.before(start, 26), start)
    if (cue?.topic === 'wechat')
      find(reading, 'wechat.cued', { normal: word, start, end: match.index + match[0].length, cue: [cue.start, cue.end] as const }, 0.95)
  }
}
