/** What an admin sets for one site; drawn as a form from this schema. */
import { subjectFields } from '@huike/core/sdk/person-names.ts'
import { type Static, Type } from 'typebox'

/** Largest file either side may send; the widget says so before it tries. */
export const maxFileBytes = 20 * 1024 * 1024

/** What ends up in a header: a host, perhaps a port, nothing that ends the list or adds to it. */
const site = '^https?://(?:\\*\\.)?[^\\s/\\\\;,*?#@\'"<>%]+$'

export const inboxSettings = Type.Object({
  color: Type.String({ title: '主题色|Accent colour', format: 'color', pattern: '^#[0-9a-fA-F]{6}$', default: '#1664d9' }),
  position: Type.Union([Type.Literal('right'), Type.Literal('left')], { title: '按钮位置|Button position', default: 'right' }),
  locale: Type.Union([Type.Literal('auto'), Type.Literal('zh'), Type.Literal('en')], { title: '界面语言|Language', default: 'auto' }),
  // Left empty, the widget says it in the visitor's language (`widget/src/words.ts`), as the placeholders show.
  title: Type.String({ title: '窗口标题|Title', maxLength: 40, default: '', 'x-placeholder': '在线客服|Live chat' }),
  greeting: Type.String({
    title: '欢迎语|Greeting',
    maxLength: 300,
    default: '',
    'x-placeholder': '您好，请问有什么可以帮您？|Hello, how can we help you?',
    'x-multiline': true,
  }),
  offlineText: Type.String({
    title: '无人在线时的提示|When nobody is online',
    maxLength: 300,
    default: '',
    'x-placeholder':
      '客服暂时不在线，请留言并留下联系方式，我们会尽快回复您。|We are away just now. Leave us a message and a way to reach you, and we will answer as soon as we can.',
    'x-multiline': true,
  }),
  allowedOrigins: Type.Array(Type.String({ maxLength: 200, pattern: site }), {
    title: '允许的网站（留空不限）|Allowed sites (empty: any)',
    description: '例如 https://shop.example.com|For example https://shop.example.com',
    maxItems: 50,
    default: [],
  }),
  trackVisits: Type.Boolean({ title: '记录访客浏览轨迹|Record the page trail', default: true }),
  identitySecret: Type.String({
    title: '访客身份签名密钥|Key that signs visitor identities',
    description:
      '网站后端用它签发 HS256 JWT，证明访客是谁。至少 32 个字符。|The site signs HS256 JWTs with it to tell who is logged in. At least 32 characters.',
    format: 'secret',
    // A shorter one would be kept, and every visitor of the site be a stranger without a word.
    pattern: '^(?:.{32,})?$',
    maxLength: 200,
    default: '',
  }),
  userSubject: subjectFields.userSubject,
})
export type InboxSettings = Static<typeof inboxSettings>
