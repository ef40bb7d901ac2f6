/** Telephone numbers, and the numbers that are somebody's QQ or WeChat. */
import { type Candidate, find, type Reading } from './candidate.ts'
import type { Hit } from './context.ts'
import { type Cut, cutsOf, elevens, isSpoken, type Run, runsOf, slashed, withExtension } from './digits.ts'
import { digits as plainDigits } from './tables.ts'

const mobile = /^1[3-9]\d{9}$/
/** Not in the public lists of assigned ranges: new ones appear, so they are doubted, not refused. */
const odd = /^1(?:40|42|43|54|60|61|63|64|68|69|79|94)/
const longArea = /^0(?:10|2\d)$/
const shortArea = /^0[3-9]\d\d$/

/** What may stand between a word and its number. */
const link = /^[\s号码是为:：=,，.。、我的呢哈就填个有也叫了用吧这那给你您一下“”"'()（）【】\-—~～>→]*$/
/** Directly after a number these make it an amount or a measure. */
const units =
  /^\s?(?:元|块|￥|¥|rmb|万|千|百|亿|克|kg|ml|mm|cm|米|公里|个(?!人)|件|箱|包|台|分(?!机)|秒|天|页|行|人民币|美元|刀|积分|步|次|平|度|%|％|kb|mb|gb)/i
/** Directly before. */
const money = /[¥￥$€]\s?$|(?:价|共|付了?|转了?|花了?|付款|转账|金额|余额|欠)\s?$/
const family =
  /(?:老公|老婆|媳妇|爱人|妈妈?|爸爸?|儿子|女儿|闺女|朋友|闺蜜|同事|同学|姐姐?|妹妹?|哥哥?|弟弟?|对象|家人|老伴|婆婆|公公|孩子|邻居|助理|秘书|男友|女友|奶奶|爷爷)(?:的|那边|那里|本人)?(?:手机|电话|号码|手机号|联系|微信|号|是|：|:|\s){0,4}$/
const masked = /[*xX＊×·]{2,}/

export function findNumbers(reading: Reading): void {
  const { shadow } = reading
  for (const run of runsOf(shadow, false)) {
    const apart = slashed(shadow, run)
    for (const cut of apart) readCut(reading, run, cut, apart[0]?.start)
    if (apart.length > 0) continue
    const cuts = cutsOf(run)
    let some = false
    for (const cut of cuts) some = readCut(reading, run, cut) || some
    if (some) continue
    const extended = withExtension(run)
    for (const cut of extended ? [extended] : elevens(run)) readCut(reading, run, cut)
  }
  // Letters and sound-alikes: only where the plain reading found nothing.
  const taken = reading.found.slice()
  for (const run of runsOf(shadow, true)) {
    if (!run.weak.some(Boolean)) continue
    for (const cut of cutsOf(run, 11))
      if (
        cut.weak > 0 &&
        (cut.weak <= 6 || isSpoken(shadow.text.slice(cut.start, cut.end))) &&
        !taken.some((known) => known.start < cut.end && cut.start < known.end)
      )
        readAlike(reading, cut)
  }
}

/** @param first where the numbers begin that are told in one breath: what announces that one announces this one */
function readCut(reading: Reading, run: Run, cut: Cut, first?: number): boolean {
  const { shadow, words, closed } = reading
  if (closed[cut.start] || closed[cut.end - 1]) return false
  if (cut.inside === 1 && masked.test(shadow.text.slice(cut.start, cut.end)) && cut.digits.length < 11) return false
  const plus = /\+\s?$/.test(words.text(cut.start - 2, cut.start))
  cut.start = withOpening(shadow.text, cut.start, cut.end)
  const left = leftWord(words.text(cut.start - 24, cut.start))
  const right = words.text(cut.end, cut.end + 24)
  // Glued to a word that is no hint, it is a part of a name: a model, a tracking number.
  const glued = /[a-z]$/.test(words.text(cut.start - 1, cut.start)) ? left : ''
  const gluedRight = /^[a-z]/.test(right) && !/^(?:vx|wx|v|w|tel|qq|weixin|wechat)(?![a-z])/.test(right)
  if (gluedRight || /^[_@]/.test(right)) return false
  if (glued !== '' && !/^(?:vx|wx|v|w|tel|qq|weixin|wechat|phone|mobile|dh|sj|dianhua|shouji|call|hao|shi|q)$/.test(glued)) return false
  const follows = first !== undefined && first < cut.start
  if (!follows && /[_/=&?#@]$/.test(words.text(cut.start - 1, cut.start)) && /[a-z0-9][_/=&?#@]$/.test(words.text(cut.start - 2, cut.start))) return false
  if (units.test(right) || money.test(words.text(cut.start - 4, cut.start))) return false
  if (/[十百千万亿]$/.test(words.text(cut.start - 1, cut.start))) return false
  const announced = follows ? first : cut.start
  const near = words.before(announced, 16)
  const hit = nearest(near, announced, reading)
  const phone = mobileOf(cut.digits, plus)
  if (phone) return readMobile(reading, cut, phone, hit, near)
  if (/^09\d{8}$/.test(cut.digits) && hit?.topic !== 'not' && (cut.groups.join() === '4,3,3' || /台[湾灣]/.test(words.text(cut.start - 12, cut.start)))) {
    if (!isTheirs(reading, cut, near)) find(reading, 'phone.abroad', { normal: `+886${cut.digits.slice(1)}`, start: cut.start, end: cut.end, ...cueOf(hit) })
    return true
  }
  if (/^0\d{9,11}$/.test(areaForm(cut.digits, plus)) && readLandline(reading, run, cut, areaForm(cut.digits, plus), hit, near)) return true
  if (plus && cut.digits.length >= 10 && cut.digits.length <= 15 && hit?.topic !== 'not' && /^[2-9]|^1\d{10}$/.test(cut.digits)) {
    find(reading, 'phone.abroad', { normal: `+${cut.digits.replace(/^00/, '')}`, start: cut.start, end: cut.end, ...cueOf(hit) })
    return true
  }
  return readAccount(reading, cut, hit, near)
}

/** `+86 …` and `(010) …` begin with their sign. */
function withOpening(text: string, start: number, end: number): number {
  if (text[start - 1] === '+') return start - 1
  return text[start - 1] === '(' && text.slice(start, Math.min(end, start + 8)).includes(')') ? start - 1 : start
}

/** The Latin word that ends here, lower case. */
const leftWord = (text: string): string => /[a-z]+$/.exec(text)?.[0] ?? ''

/** The eleven digits of a mainland mobile number, its country code taken off. */
export function mobileOf(digits: string, plus: boolean): string | undefined {
  if (mobile.test(digits) && !plus) return digits
  const bare = digits.replace(/^(?:00)?86/, '')
  return bare !== digits && mobile.test(bare) ? bare : undefined
}

const areaForm = (digits: string, plus: boolean): string =>
  digits.startsWith('0086') ? `0${digits.slice(4).replace(/^0/, '')}` : plus && digits.startsWith('86') ? `0${digits.slice(2).replace(/^0/, '')}` : digits

/** Asked by a colleague for something else, the customer says 好的 and then gives it. */
const isNod = (gap: string): boolean => /^[^\ue000\d]{0,8}\ue000[^\ue000\d]{0,8}$/.test(gap)

/** The word that decides: the nearest one; a number's own word in between two wins over one further away. */
function nearest(near: readonly Hit[], at: number, { words, theirs }: Reading): Hit | undefined {
  for (const hit of near) {
    const gap = words.text(hit.end, at)
    // A sentence has ended in between: what was announced was said there.
    if (/[。！？!?;；\n][^\n]{2,}/.test(gap) && hit.topic !== 'not') return undefined
    if (hit.topic === 'not') {
      // `订单` is often only mentioned; it names a number when the number follows at once.
      const loose = [
        '订单',
        '快递',
        '快手',
        '抖音',
        '淘宝',
        '时间',
        '日期',
        '价格',
        '版本',
        '小红书',
        '群',
        '账户',
        '支付宝',
        '挂号',
        'order',
        'tracking',
        '链接',
        '优惠券',
        '银行卡',
        '航班',
        'id',
        'ip',
        '微博',
        '公众号',
        '合同号',
        '工单',
        '批次',
        '旺旺',
        '密码',
        '服务单',
        '报修单',
        '维修单',
        '退货单',
        '换货单',
        'waybill',
        'reference',
        'awb',
        'sku',
      ].includes(hit.word)
      if (loose ? !/^(?:[\s:：是为号,，#（(]|is){0,4}$/.test(gap) : gap.length > 12) continue
      // 我填了报修单，138…: what was filled in is told of, the number is another thing.
      if (/^(?:服务|报修|维修|退货|换货)单$/.test(hit.word) && /[,，]/.test(gap)) continue
      if (/[。！？!?\n]/.test(gap) && gap.length > 3 && !(theirs[hit.start] && isNod(gap))) continue
      return hit
    }
    if (hit.topic === 'theirs') continue
    // `QQ号码`, `微信号码`: the number of that.
    const wider =
      hit.topic === 'phone' && hit.word.startsWith('号')
        ? near.find((one) => one.start < hit.start && hit.start - one.end <= 0 && one.topic !== 'theirs')
        : undefined
    return wider ?? hit
  }
  return undefined
}

const cueOf = (hit: Hit | undefined): Pick<Candidate, 'cue'> => (hit && hit.topic !== 'not' ? { cue: [hit.start, hit.end] as const } : {})

/** `你们店的电话是…`, `快递员给的号码…`: a number, but not the customer's. Their own word in between makes it theirs again. */
function isTheirs(reading: Reading, cut: Cut, near: readonly Hit[]): boolean {
  const other = near.find((hit) => hit.topic === 'theirs')
  if (!other || reading.anybodys) return false
  if (reading.theirs[other.start]) return false
  const gap = reading.words.text(other.end, cut.start)
  if (/我|本人|自己|[。！？!?;；\n]|打给?$|联系|打|加|发(?:到|给)?$|寄|留|收货|收件/.test(gap)) return false
  const lead = reading.words.text(other.start - 5, other.start)
  if (/(?:让|叫|请|麻烦|要|给|跟|告诉|通知|等)[^，,。]{0,2}$/.test(lead) && !/的?(?:电话|手机|号码|微信|qq)/.test(gap)) return false
  return true
}

function readMobile(reading: Reading, cut: Cut, phone: string, hit: Hit | undefined, near: readonly Hit[]): boolean {
  const { words, shadow } = reading
  if (hit?.topic === 'not' || isTheirs(reading, cut, near)) return true
  const raw = shadow.text.slice(cut.start, cut.end)
  const before = words.text(cut.start - 14, cut.start)
  const right = words.text(cut.end, cut.end + 24)
  if (/^\s?(?:这?是|就是)(?:你们|您们|贵|你家|谁|客服|快递|骗子)/.test(right)) return true
  if (/^\s*(?:是|这是|不是)?(?:我的?|你的?)?(?:订单|单号|运单|快递单|卡号|账号|编号)/.test(right) || /(?:不是|并非)[^，,。]{0,4}$/.test(before)) return true
  const disguised = /[^\d\s\-+()]/.test(raw) || cut.groups.some((size) => size === 1)
  const rightHit = words.after(cut.end, 6).find((one) => ['phone', 'wechat', 'wechat-weak', 'not'].includes(one.topic))
  if (
    rightHit?.topic === 'not' &&
    /^[\s(（]*(?:(?:这|就)?(?:是|为)(?:我的?|这个)?)?$/.test(words.text(cut.end, rightHit.start)) &&
    /[号单码]$/.test(rightHit.word)
  )
    return true
  const cued = hit !== undefined || rightHit?.topic === 'phone'
  const puzzle = /倒过来|反过来|倒着|最后一位|中间四?个|换成|改成|减一|加一/.test(words.text(cut.start - 20, cut.end + 20))
  const place = { normal: `+86${phone}`, start: cut.start, end: cut.end, ...cueOf(hit) }
  if (puzzle) find(reading, 'phone.odd', place)
  else if (family.test(before) && !/我$/.test(before)) find(reading, 'phone.others', place)
  else if (odd.test(phone) && !cued) find(reading, 'phone.odd', place)
  else if (disguised) find(reading, 'phone.disguised', place, cued ? 1 : 0.9)
  else if (cued) find(reading, 'phone.cued', place)
  else find(reading, 'phone.bare', place)
  linkWechat(reading, cut, phone, hit)
  return true
}

/** `微信同号`, `加我微信13800138000`, `13800138000 这是微信`: the number is the account too. */
function linkWechat(reading: Reading, cut: Cut, phone: string, hit: Hit | undefined): boolean {
  const { words } = reading
  // `lily_2020，我微信` and then a number: that word has its account already.
  const answered = (cue: Hit): boolean =>
    /[a-z][a-z0-9_-]{5,}[\s，,。.]{0,3}(?:是|这是)?(?:我的?)?$/.test(words.text(cue.start - 28, cue.start)) && words.text(cue.end, cut.start).includes('\n')
  const same = (cue: Hit) => find(reading, 'wechat.same', { normal: phone, start: cut.start, end: cut.end, cue: [cue.start, cue.end] as const })
  const isWechat = (one: Hit) => one.topic === 'wechat' || one.topic === 'wechat-weak'
  if (hit && isWechat(hit) && !answered(hit) && link.test(words.text(hit.end, cut.start)) && !/不/.test(words.text(hit.end, cut.start))) return same(hit)
  // 微信就是手机号，138…
  if (/(?:微信|vx|wx|v信|薇信)号?(?:也|都)?(?:就是|是|同)(?:这个|我的?|本)?(?:手机|电话)号?码?[\s，,:：是]{0,3}$/.test(words.text(cut.start - 18, cut.start))) {
    const [cue] = words.before(cut.start, 14).filter(isWechat)
    if (cue) return same(cue)
  }
  for (const before of words.before(cut.start, 12).filter(isWechat)) {
    const gap = words.text(before.end, cut.start)
    if (answered(before)) continue
    if (/^(?:[和跟、/\\,，及与或＋+]|同|\s)*(?:电话|手机号?|号码|手机|联系方式)?(?:号码?)?(?:都|同号|同步|一样|也)?[\s是:：]*$/.test(gap)) return same(before)
  }
  const after = words.after(cut.end, 24)
  for (const one of after) {
    if (!isWechat(one)) continue
    const gap = words.text(cut.end, one.start)
    const rest = words.text(one.end, one.end + 14)
    if (/[0-9]{5}|[a-z0-9_-]{6}/.test(gap)) break
    if (/不|没|别/.test(gap.slice(-3)) || /^\s?[号码]{0,2}(?:不|没|另|是另|单独|发|上没|里|在)/.test(rest)) break
    // Another account follows: that is the WeChat.
    if (/^[\s号码是为:：=的id叫，,]{0,6}[a-z][a-z0-9_-]{5}/.test(rest) || /^[\s号码是为:：=]{0,6}\d{6}/.test(rest)) break
    if (/^\s?(?:号|号码|账号)?(?:和|跟|与|也)?(?:手机号?|电话号?|这个|它)?(?:也)?(?:同|一样|是同|也是|就是|都是|相同|通用|是这个|是手机|是电话)/.test(rest))
      return same(one)
    if (one.word.includes('同')) return same(one)
    if (
      gap.length <= 10 &&
      /^[\s,，。、()（）!！~～;；]*(?:(?:这|也|是|就是|同时|都|我的?|加|可以|可|能|直接|搜|请|麻烦|你|您|一下|跟|和|号|手机|个|同|此|为|即|又)[\s,，]*){0,6}$/.test(
        gap,
      ) &&
      !/^[吗么?？]/.test(rest)
    )
      return same(one)
    break
  }
  return false
}

function readLandline(reading: Reading, run: Run, cut: Cut, number: string, hit: Hit | undefined, near: readonly Hit[]): boolean {
  const { words, shadow } = reading
  const area = longArea.test(number.slice(0, 3)) ? 3 : shortArea.test(number.slice(0, 4)) ? 4 : 0
  const local = number.slice(area)
  if (area === 0 || !/^[2-8]\d{6,7}$/.test(local) || (area === 3 && local.length !== 8)) return false
  if (hit?.topic === 'not' || isTheirs(reading, cut, near)) return true
  if (hit && hit.topic !== 'phone' && hit.topic !== 'landline') return false
  let end = cut.end
  let extension = /^\s?(?:转|分机号?|ext\.?)\s?(\d{1,6})(?!\d)/.exec(words.text(end, end + 14))
  const next = run.gaps.indexOf(1, cut.last + 1)
  if (!extension && next === cut.last + 1) extension = /^-(\d{1,5})(?![\d-])/.exec(words.text(end, end + 8))
  if (extension) end += extension[0].length
  const spaced = cut.groups[0] === area || /[^\d]/.test(shadow.text.slice(cut.start, cut.end))
  const place = { normal: `+86${number.slice(1)}${extension ? `;ext=${extension[1]}` : ''}`, start: cut.start, end, ...cueOf(hit) }
  if (hit) find(reading, 'landline.cued', place)
  else find(reading, 'landline.bare', place, spaced ? 1 : 0.9)
  return true
}

/** QQ, digits-only WeChat ids and landlines without their area: only where a word says so. */
function readAccount(reading: Reading, cut: Cut, hit: Hit | undefined, near: readonly Hit[]): boolean {
  const { words } = reading
  if (isTheirs(reading, cut, near)) return true
  if (readBoth(reading, cut, near)) return true
  const after = words.after(cut.end, 6).find((one) => link.test(words.text(cut.end, one.start)))
  const place = (cue: Hit) => ({ normal: cut.digits, start: cut.start, end: cut.end, cue: [cue.start, cue.end] as const })
  const isQq = /^[1-9]\d{4,10}$/.test(cut.digits)
  if (hit && link.test(words.text(hit.end, cut.start)) && !/^\d{0,3}年|^[年月日号:：]\d/.test(words.text(cut.end, cut.end + 3))) {
    if (hit.topic === 'qq' && isQq && (hit.word.length > 1 || /[:：号是]/.test(words.text(hit.end, cut.start)) || isShortQq(hit, cut, words))) {
      find(reading, 'qq.cued', place(hit), cut.digits.length < 6 ? 0.8 : 1)
      // QQ12345678 微信同号
      const same = words.after(cut.end, 4).find(({ topic }) => topic === 'wechat')
      if (same && /^(?:号|也)?(?:同|一样)/.test(same.word.includes('同') ? '同' : words.text(same.end, same.end + 3)))
        find(reading, 'wechat.digits', place(same))
      return true
    }
    if ((hit.topic === 'wechat' || (hit.topic === 'wechat-weak' && /[:：号是]/.test(words.text(hit.end, cut.start)))) && /^[1-9]\d{5,10}$/.test(cut.digits)) {
      find(reading, 'wechat.digits', place(hit))
      return true
    }
    if (hit.topic === 'landline' && /^[2-8]\d{6,7}$/.test(cut.digits)) {
      find(reading, 'landline.local', place(hit))
      return true
    }
    if (hit.topic === 'phone' && /电话|致电|^(?:tel|phone)$/.test(hit.word) && /^[2-8]\d{7}$/.test(cut.digits)) {
      readTown(reading, cut, hit)
      return true
    }
  }
  if (after && !hit && isQq) {
    const rest = words.text(after.end, after.end + 8)
    const gap = words.text(cut.end, after.start)
    if (after.topic === 'qq' && after.word.length > 1 && !/^[\s号:：是]{0,3}\d{5}/.test(rest) && /是|我|的|^\s*[(（]?$/.test(gap)) {
      find(reading, 'qq.cued', place(after))
      return true
    }
    if (after.topic === 'wechat' && /是|我|的/.test(gap) && cut.digits.length >= 6 && !/^[\s号:：是]{0,3}[a-z0-9]{5}/.test(rest)) {
      find(reading, 'wechat.digits', place(after))
      return true
    }
  }
  return false
}

/** 扣12345678: so many are no points of a score. */
const isShortQq = (hit: Hit, cut: Cut, words: Reading['words']): boolean =>
  hit.word === '扣' && cut.digits.length >= 7 && /^\s?$/.test(words.text(hit.end, cut.start))

/** 区号010 电话62345678, else a number in some town. */
function readTown(reading: Reading, cut: Cut, hit: Hit): void {
  const { words } = reading
  const before = words.text(hit.start - 12, hit.start)
  const area = /区号[\s:：是为]{0,3}(0(?:10|2\d|[3-9]\d\d))[\s,，、;；]{0,3}$/.exec(before)?.[1]
  const cue = [hit.start, hit.end] as const
  if (area === undefined) find(reading, 'landline.local', { normal: cut.digits, start: cut.start, end: cut.end, cue }, 0.8)
  else
    find(reading, 'landline.cued', {
      normal: `+86${area.slice(1)}${cut.digits}`,
      start: hit.start - before.length + before.lastIndexOf(area),
      end: cut.end,
      cue,
    })
}

const equal = /^(?:号码?)?(?:也)?[就都]?(?:是|同|用的?是?)(?:我的?)?$/
const both =
  /^(?:号码?|账号|帐号)?(?:(?:都|也|的)?(?:是|用)?(?:一样|一个号?|同一个?号?|同号|相同|通用|同步|同名|同)(?:的|号码?|了)?|都是(?:这个)?|都用(?:这个)?)[\s，,。:：是为]*$/

/** `扣扣和微信一样，123456789`: it is both. */
function readBoth(reading: Reading, cut: Cut, near: readonly Hit[]): boolean {
  const { words } = reading
  const [last] = near
  // 扣扣号 is heard twice, as 扣扣 and as 扣号.
  const from = Math.min(...near.filter(({ topic, end }) => topic === last?.topic && end > last.start).map(({ start }) => start))
  const first = near.find(({ end }) => end <= from)
  if (!last || !first || !/^[1-9]\d{5,10}$/.test(cut.digits)) return false
  const topics = [first.topic, last.topic].sort().join()
  if (topics !== 'qq,wechat') return false
  const [between, behind] = [words.text(first.end, from), words.text(last.end, cut.start)]
  const listed = /^\s?(?:号码?)?[和跟与同、/及\s]{0,3}$/.test(between) && both.test(behind)
  // 微信号就是我QQ号 12345678
  if (!listed && !(equal.test(words.text(first.end, last.start)) && /^(?:号码?)?[\s，,:：是为]*$/.test(behind))) return false
  for (const [rule, cue] of [
    ['qq.cued', first.topic === 'qq' ? first : last],
    ['wechat.digits', first.topic === 'wechat' ? first : last],
  ] as const)
    find(reading, rule, { normal: cut.digits, start: cut.start, end: cut.end, cue: [cue.start, cue.end] as const })
  return true
}

function readAlike(reading: Reading, cut: Cut): void {
  const { words, shadow, closed } = reading
  if (closed[cut.start]) return
  const phone = mobileOf(cut.digits, false)
  const raw = shadow.text.slice(cut.start, cut.end)
  const real = [...raw].filter((sign) => plainDigits[sign] !== undefined).length
  const sure = isSpoken(raw) ? raw.length : real
  if (!phone || sure < 4) return
  const letters = /[a-z|!]/i.test(raw)
  // Letters that are no O and no l need more digits around them.
  if (letters && /[^\doOlIi|!○\s\-.〇-鿿]/.test(raw) && sure < 7) return
  if (/[a-z0-9]$/.test(words.text(cut.start - 1, cut.start)) || /^[a-z0-9]/.test(words.text(cut.end, cut.end + 1))) return
  const near = words.before(cut.start, 16)
  const hit = nearest(near, cut.start, reading)
  if (hit?.topic === 'not' || isTheirs(reading, cut, near)) return
  if (!letters && !hit && sure < 6) return
  find(reading, 'phone.alike', { normal: `+86${phone}`, start: cut.start, end: cut.end, ...cueOf(hit) }, hit ? 1.15 : 1)
  linkWechat(reading, cut, phone, hit)
}
