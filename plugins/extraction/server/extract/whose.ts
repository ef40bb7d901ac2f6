/**
 * Whose a number or an account is. What somebody says of their father's telephone, of an account that wrote to them, of a
 * number they no longer have, must not be filled in as theirs: it is offered with whose it is, or left out.
 */
import type { Candidate, Reading } from '@huike/core/sdk/contact-reader/reader.ts'
import { heard, thing } from './heard.ts'

const people: readonly [whose: string, words: string][] = [
  ['child', '儿子|女儿|闺女|孩子|宝宝|小孩|娃|弟弟|妹妹|侄子|侄女|外甥女?|孙子|孙女'],
  ['parent', '妈妈?|爸爸?|母亲|父亲|爷爷|奶奶|外婆|外公|姥姥|姥爷|公公|婆婆|岳父|岳母|丈母娘|老丈人'],
  ['partner', '老公|老婆|媳妇|爱人|对象|男友|女友|男朋友|女朋友|老伴|太太|未婚夫|未婚妻'],
  ['friend', '朋友|闺蜜|同事|同学|室友|邻居|姐姐?|哥哥?|姐夫|嫂子|舅舅?|阿姨|叔叔?|表[姐妹哥弟]|堂[姐妹哥弟]|家人|亲戚|助理|秘书|老板|领导|司机'],
  [
    'other',
    '(?<!其)[他她](?:们|家|本人)?|别人|人家|对方|(?<!(?:我|本人|这里|这边|这)(?:们|就|也)*是[^，,。]{0,4})(?:推荐人|介绍人|紧急联系人|担保人|代理商?|经销商|供[应货]商|房东|租客|配送员|送货员|派[送件]员|快递员|骑手|外卖员|保安|门卫|收款人|房主|客户经理|班主任|主播|博主|团长|群主|导游|(?:安装|维修|装修|送水)(?:工|师傅))',
  ],
]
/** Between the person and the number. */
const link = '(?:的|那边|那里|本人|手机号?|电话号?|号码|联系方式|联系|座机|微信号?|薇信|v信|vx|wx|wechat|qq号?|扣扣|邮箱|email|号|是|为|就|用|[：:\\s]){0,6}$'
const owners = people.map(([whose, words]) => [whose, new RegExp(`(?:${words})${link}`)] as const)
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
