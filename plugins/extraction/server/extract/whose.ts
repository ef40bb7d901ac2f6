/**
 * Whose a number or an account is. What somebody says of their father's telephone, of an account that wrote to them, of a
 * number they no longer have, must not be filled in as theirs: it is offered with whose it is, or left out.
 */
import type { Candidate, Reading } from '@huike/core/sdk/contact-reader/reader.ts'

const people: readonly [whose: string, words: string][] = [
  ['child', '儿子|女儿|闺女|孩子|宝宝|小孩|娃|弟弟|妹妹|侄子|侄女|外甥女?|孙子|孙女'],
  ['parent', '妈妈?|爸爸?|母亲|父亲|爷爷|奶奶|外婆|外公|姥姥|姥爷|公公|婆婆|岳父|岳母|丈母娘|老丈人'],
  ['partner', '老公|老婆|媳妇|爱人|对象|男友|女友|男朋友|女朋友|老伴|太太|未婚夫|未婚妻'],
  ['friend', '朋友|闺蜜|同事|同学|室友|邻居|姐姐?|哥哥?|姐夫|嫂子|舅舅?|阿姨|叔叔?|表[姐妹哥弟]|堂[姐妹哥弟]|家人|亲戚|助理|秘书|老板|领导|司机'],
  [
    'other',
    '(?<!其)[他她](?:们|家|本人)?|别人|人家|对方|(?<!(?:我|本人|这里|这边|这)(?:们|就|也)*是[^，,。]{0,4})(?:推荐人|介绍人|紧急联系人|担保人|代理商?|经销商|供[应货]商|房东|租客|配送员|送货员|派[送件]员|快递员|骑手|外卖员|保安|门卫)',
  ],
]
/** Between the person and the number. */
const link = '(?:的|那边|那里|本人|手机号?|电话号?|号码|联系方式|联系|座机|微信号?|薇信|v信|vx|wx|wechat|qq号?|扣扣|邮箱|email|号|是|为|就|用|[：:\\s]){0,6}$'
const owners = people.map(([whose, words]) => [whose, new RegExp(`(?:${words})${link}`)] as const)
const thing = '(?:手机号?|电话号?|号码?|微信号?|薇信|vx|wx|v信|v|qq号?|扣扣|邮箱|号|账号|那个|这个|[\\s：:是])'

const notBefore = [
  new RegExp(`(?:别|不要|不用|请勿|甭|勿)再?(?:加|打|联系|发)(?:给|到)?(?:我|他|她)?的?${thing}{0,5}$`),
  new RegExp(
    `(?:刚才|刚刚|刚|有人|有个人?|昨天|今天|陌生人?|骗子|谁|一直)(?:用|拿)?(?:加|打|打给|联系|骚扰|冒充)(?:过)?(?:我|电话给我)的?(?:人)?的?${thing}{0,5}$`,
  ),
  new RegExp(`(?:以前|之前|原来|旧|老|原先|曾经)的?${thing}{1,5}$`),
  /(?:充值?|充话费|交话费|缴费)(?:给|到|的)?(?:号码|手机号?)?[\s：:是]*$/,
]
const notAfter =
  /^(?:\s?充|\s?(?:这个号?)?的?(?:话费|流量|月租|套餐)|\s?这个?(?:单|订单|快递)|[^，,。!！?？\d\n]{0,3}(?:是骗子|骗子|是不是骗|不用了|停用|停机|注销|作废|早就?换|已经换)|\s?不是我的?(?:号|微信|电话|qq))/

/** `138… 是我爸的` */
const ownersAfter = people.map(
  ([whose, words]) => [whose, new RegExp(`^\\s?(?:这个?)?(?:号码?|电话|手机号?|微信号?|邮箱)?是(?:我家?)?的?(?:${words})的`)] as const,
)

/** A number that rang, that did not answer, that a colleague gave: whoever speaks of it so does not speak of their own. */
const heardBefore = [
  /(?:接到|接了(?=[个一])|收到(?=[个一]|来自|自称)|来自|来电(?:显示|号码|的?是)|显示(?:的?是|的?号码)?)(?:了|过|[个一条]|你们|客服|陌生|诈骗|骚扰|推销|人|自称|号码|电话|短信|的|是|为|用|[：:\s])*$/,
  /(?:有[个位]?人|有一个人|有[个一位]{0,2}(?:陌生人|骗子|自称)|加了(?=[个一])|一个叫)[^，,]{0,10}$/,
  new RegExp(`(?:诈骗|骚扰|骗子|陌生|推销|可疑|冒充)[^，,]{0,4}?的?${thing}{0,3}$`),
  new RegExp(
    `(?<!(?:请|麻烦|可以|能|帮|让|叫)[^，,]{0,4})(?:客服|你们|店家|[卖商]家|销售|师傅|快递员?|顾问|经理|前台|中介|小二)[^，,我请]{0,6}(?:给|推|留|发|报|告诉)(?:给)?我[的了](?:这个|那个)?${thing}{0,4}$`,
  ),
  new RegExp(`(?<![未没请再能先])(?:拨打|打|拨|联系|添加|加)(?:了|过)(?:你们|客服|店里)?的?${thing}{0,4}$`),
  /(?<![给帮为替请跟和向让])我(?:已经?|刚|刚才|刚刚|昨天|今天|前天|上周|之前)?(?:把[^，,]{1,8})?(?:发|写|投)(?:送|了|过|信|邮件|简历|资料|材料|申请)*(?:到|给|至)(?:你们|官方|贵司)?的?(?:邮箱)?[\s：:]*$/,
  /\b(?:called|dialed|dialled|rang|tried|(?:call|calls|text|texts|message|messages|sms|mail|e-?mail) from|wrote to|written to|e-?mailed|added)(?: (?:your|the|a|this|that|number|line|wechat|account|named|called|support|at|by|on))* $/,
]
const idle = '(?:一直|总是?|老是?|天天|刚才|今天|昨天|又|都|还|怎么|根本|也|好几次|几次|[\\s，,]){0,4}'
const heardAfter = [
  // 打不通就打另一个: that is one's own.
  new RegExp(
    `^\\s?的?(?:这个|那个)?(?:号码?|电话|手机|微信|人)?${idle}(?:打不[通进了]|没人接|无人接|没有人接|没接|不接(?!骚扰|陌生|推销|广告)|联系不上|关机|是?空号|占线|忙音|加不[上了]|添加不了|没通过|不通过|搜不到|没回|不回|没人回|没反应|被退|退信)(?!的?话|就|请|可以|时|再|也)`,
  ),
  /^\s?(?:打|拨)[过了](?!来)/,
  /^[^，,。！!？?\n]{0,6}(?:是不是|是)(?:你们|贵|你家|谁|客服|快递|官方|骗子|诈骗|真的|假的)/,
  /^[^，,。！!？?\n\d]{0,8}(?:骚扰|冒充|自称|骗我|说(?:是|已|我|要|你们|他|她|可以退|能退|的是)|加了我|打来|打过来(?:的|说|了)|(?:的|发来的?)(?:短信|来电))/,
  /^ (?:called|texted|rang|keeps calling|(?:does|did)(?: not|n['’]t) (?:answer|reply|work)|is not (?:answering|reachable)|nobody answer|no one answer)/,
  // 发到 kefu@shop.com 了; 了吗 asks whether it has come.
  /^\s?了(?![吗没么])/,
]
/** `给我打电话` behind a number asks for a call, or tells of one. */
const callsMe =
  /^(?:这个?)?(?:号码?|电话|手机)?[^，,。！!？?\n\d]{0,6}?(?:打(?:了|过)?(?:个|几个|好几个|很多)?电话给我|打给我|给我(?:打|发|来)|联系我|加我|找我)[^，,。！!？?\n]{0,8}/
const asksFor = /请|麻烦|可以|方便|帮|尽快|有空|记得|直接|能不能|下班|用/
const tells = /刚才|刚刚|昨天|前天|今早|昨晚|那天|有人|有个|你们|一直|老是|怎么|为什么/
const toldOf = /打给我(?=说|的|了|过|要|问|让|推销)|[了过]|说|问|的$|短信|信息/
const leaving = new RegExp(`(?:注销|销户|解绑|换掉)(?:了|掉|一下)?(?:我的?)?${thing}{0,4}$`)
/** It has been said to be one's own. */
const mine = new RegExp(`(?<!(?:给|发|推|告诉))(?:我|本人|俺|自己|my)(?:自己|这边)?的?\\s?${thing}{1,5}$`)

/** What is said of a number around it: somebody else's, unsure, or nothing. */
function heard(clause: string, right: string, others: readonly string[]): 'other' | '?' | '' {
  if (mine.test(clause)) return ''
  const near = `${clause}\ue000${/^[^，,。！!？?；;\n\ue000]*/.exec(right)?.[0] ?? ''}`
  if (others.some((word) => near.includes(word))) return 'other'
  // What became of a letter says something only where one has written one.
  const sent = /(?:发|写|寄|投)[^，,]{0,8}(?:到|给|至)[^，,]{0,6}$/.test(clause)
  if (heardBefore.some((pattern) => pattern.test(clause))) return 'other'
  if (heardAfter.some((pattern, i) => (i < heardAfter.length - 1 || sent) && pattern.test(right))) return 'other'
  const calls = callsMe.exec(right)?.[0]
  if (calls !== undefined && !asksFor.test(calls) && !asksFor.test(clause)) {
    if (tells.test(clause + calls) || toldOf.test(calls)) return 'other'
    if (/^打/.test(calls) || /^给我/.test(calls)) return '?'
  }
  return leaving.test(clause) ? '?' : ''
}

const clauseOf = (text: string): string => text.slice(Math.max(...[...'，,。！!？?；;\n\ue000'].map((sign) => text.lastIndexOf(sign))) + 1)

/** Undefined where it is nobody's who could be written to, `?` where it may be the customer's: a person says so. */
export function ownerOf({ shadow }: Reading, { start, end }: Candidate, others: readonly string[] = []): string | undefined {
  // Of two numbers with a stroke between them both are whose the first one is.
  const before = shadow.low
    .slice(Math.max(0, start - 64), start)
    .replace(/(?:\+?\d[\d -]{5,15}\d\s?[/|\\]\s?){1,2}$/, '')
    .slice(-24)
  const clause = clauseOf(before)
  if (notBefore.some((pattern) => pattern.test(clause)) || notAfter.test(shadow.low.slice(end, end + 16))) return undefined
  // `我爸的电话，138…`: a pause before the number changes nothing.
  const pausing = clauseOf(before.replace(/[\s，,]+$/, ''))
  let [whose, at] = ['', -1]
  for (const [of, pattern] of owners) {
    const found = pattern.exec(pausing)
    // The one named last is the one it belongs to.
    if (found && found.index >= at) [whose, at] = [of, found.index]
  }
  const right = shadow.low.slice(end, end + 24)
  return whose || ownersAfter.find(([, pattern]) => pattern.test(right))?.[0] || heard(clause, right, others)
}
