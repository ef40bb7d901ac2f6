/** The rules with what each is worth, as data; an admin's own rules have the same shape. The words stand in the sdk's reader. */
import type { LocalText } from '@huike/core/sdk/channel.ts'

export const kinds = ['phone', 'landline', 'wechat', 'qq', 'email', 'age', 'gender'] as const
export type Kind = (typeof kinds)[number]

/** What one writes or calls to; the rest says who somebody is. */
export const isContact = (kind: Kind): boolean => kind !== 'age' && kind !== 'gender'

/** What says something and no value that could stand in a field: it is noted, not offered. */
export const isHint = (rule: string): boolean => rule === 'age.zodiac' || rule === 'age.retired' || rule === 'age.school'

export interface Rule {
  id: string
  kind: Kind
  label: LocalText
  /** What it is worth, 0–1: from the fill threshold on it fills, from the suggestion threshold on it is offered. */
  confidence: number
  /** What it finds, for the admin's table. */
  example: string
}
const rule = (id: string, confidence: number, zh: string, en: string, example: string): Rule => ({
  id,
  kind: id.split('.')[0] as Kind,
  confidence,
  label: { zh, en },
  example,
})

export const builtinRules: readonly Rule[] = [
  rule('phone.cued', 0.97, '提到电话的手机号', 'Mobile number with a word for telephone', '我电话13800138000'),
  rule('phone.bare', 0.9, '单独的手机号', 'Mobile number by itself', '13800138000'),
  rule('phone.disguised', 0.92, '变形的手机号', 'Mobile number in disguise', '一三八 零零壹叁 八零零零'),
  rule('phone.alike', 0.75, '用字母或谐音代替数字的手机号', 'Mobile number with letters or sound-alikes', '138OO13BOOO'),
  rule('phone.abroad', 0.85, '带国家或地区码的号码', 'Number with a country code', '+852 9123 4567'),
  rule('phone.odd', 0.6, '少见号段的手机号', 'Mobile number of a rare range', '14200138000'),
  rule('phone.others', 0.55, '家人朋友的手机号', 'Number of family or friends', '打我老公电话13800138000'),
  rule('phone.masked', 0.5, '打了码的手机号（只显示）', 'Masked mobile number (shown only)', '138****5678'),
  rule('landline.cued', 0.95, '提到电话的座机', 'Landline with a word for telephone', '座机010-88886666'),
  rule('landline.bare', 0.86, '单独的座机号', 'Landline by itself', '028-88886666'),
  rule('landline.local', 0.7, '没有区号的座机', 'Landline without its area code', '座机 88886666'),
  rule('wechat.cued', 0.93, '提到微信的账号', 'Account after a word for WeChat', '加我薇信 abc_12345'),
  rule('wechat.weak', 0.7, '简写的微信', 'Account after a short hint at WeChat', 'v: abc12345'),
  rule('wechat.after', 0.88, '账号在前，微信在后', 'Account before the word', 'abc12345 这是我微信'),
  rule('wechat.same', 0.92, '微信与手机同号', 'WeChat is the telephone number', '13800138000 微信同号'),
  rule('wechat.digits', 0.7, '纯数字的微信号', 'WeChat id of digits only', '微信号 12345678'),
  rule('qq.cued', 0.93, '提到 QQ 的号码', 'Number with a word for QQ', '扣扣 12345678'),
  rule('qq.mail', 0.75, 'QQ 邮箱里的 QQ 号', 'QQ number of a QQ mailbox', '12345678@qq.com'),
  rule('email.plain', 0.97, '邮箱地址', 'Email address', 'li.na@example.com'),
  rule('email.spelled', 0.88, '变形的邮箱', 'Email address in disguise', 'lina 艾特 163 点 com'),
  rule('age.self', 0.92, '自己的年龄', 'One’s own age', '我今年28'),
  rule('age.bare', 0.7, '没说是谁的年龄', 'An age, nobody named', '28岁'),
  rule('age.range', 0.75, '大概的年龄', 'Roughly an age', '三十出头'),
  rule('age.born', 0.8, '出生年份', 'Year of birth', '我是95后'),
  rule('age.zodiac', 0.5, '生肖（只提示）', 'Chinese zodiac (a hint only)', '我属龙'),
  rule('age.retired', 0.5, '已退休（只提示）', 'Retired (a hint only)', '我退休了'),
  rule('age.school', 0.5, '在读年级（只提示）', 'Year of study (a hint only)', '我上大三'),
  rule('age.others', 0.6, '别人的年龄', 'Somebody else’s age', '孩子3岁'),
  rule('gender.stated', 0.92, '自己说的性别', 'Gender as stated', '我是女生'),
  rule('gender.title', 0.88, '自称', 'A title for oneself', '叫我王女士'),
  rule('gender.implied', 0.55, '推测的性别', 'Gender as implied', '我老公也想要'),
]
