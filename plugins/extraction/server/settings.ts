import type { PersonalField } from '@huike/core/sdk/contacts.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { type TSchema, Type } from 'typebox'
import { type Kind, kinds } from './extract/tables.ts'

const names: Record<Kind, string> = {
  phone: '手机号|Mobile number',
  landline: '座机|Landline',
  wechat: '微信|WeChat',
  qq: 'QQ|QQ',
  email: '邮箱|Email',
  age: '年龄|Age',
  gender: '性别|Gender',
}
const tags: Partial<Record<Kind, string>> = { phone: '转电', landline: '转电', wechat: '转微' }

/** A table on the plugin's own page; as a list of single fields nobody would find their way. */
const perKind = Object.fromEntries(
  kinds.flatMap((kind): [string, TSchema][] => {
    const [zh, en] = names[kind].split('|')
    return [
      [`${kind}On`, Type.Boolean({ default: true, title: `识别${zh}|Find: ${en}`, 'x-own-page': true })],
      [`${kind}Fill`, Type.Boolean({ default: true, title: `把${zh}填进客户资料的空白处|Fill in an empty field: ${en}`, 'x-own-page': true })],
      [
        `${kind}Tag`,
        Type.String({
          maxLength: 30,
          default: tags[kind] ?? '',
          title: `发现${zh}时打上的系统标签|System tag when found: ${en}`,
          description: '留空则不打标签|Empty: none',
          'x-own-page': true,
        }),
      ],
    ]
  }),
)

export const pluginSettings = Type.Object({
  fillFrom: Type.Number({
    minimum: 0.5,
    maximum: 1,
    default: 0.85,
    title: '把握达到多少时自动填写（0.5–1）|Fill in by itself from this confidence on (0.5–1)',
  }),
  suggestFrom: Type.Number({ minimum: 0.3, maximum: 1, default: 0.5, title: '把握达到多少时提示客服确认（0.3–1）|Suggest from this confidence on (0.3–1)' }),
  ours: Type.Array(Type.String({ maxLength: 190 }), {
    maxItems: 100,
    default: [],
    title: '自家的号码、账号和邮箱域名|Our own numbers, accounts and mail domains',
    description: '每行一个，出现在聊天里也不算客户的|One a line; never taken for a customer’s',
  }),
  others: Type.Array(Type.String({ minLength: 1, maxLength: 30 }), {
    maxItems: 100,
    default: [],
    title: '说的是别人的词|Words that speak of others',
    description:
      '每行一个，如“楼管”“打过来的”；同一小句里有它，号码和账号只提示、不填写|One a line; a number or an account in the same clause is offered, never filled in',
  }),
  ...perKind,
})

export type Settings = { fillFrom: number; suggestFrom: number; ours: string[]; others: string[] } & Record<`${Kind}On` | `${Kind}Fill`, boolean> &
  Record<`${Kind}Tag`, string>
export type Ctx = PluginContext<Settings>

/** Which field of the contact a kind goes into. */
export const fieldOf: Record<Kind, string> = { phone: 'phone', landline: 'phone', wechat: 'wechat', qq: 'qq', email: 'email', age: 'age', gender: 'gender' }
/** Whoever may not see this of a contact sees none of the kind. */
export const personalOf: Partial<Record<Kind, PersonalField>> = { phone: 'phone', landline: 'phone', wechat: 'wechat', qq: 'qq', email: 'email' }
