/** The mini-program card as the composer offers it. developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage.html */
import type { CardForm } from '@huike/core/sdk/channel.ts'
import { Type } from 'typebox'
import type { WechatSettings } from './inbox-settings.ts'

/** A mini-program shows cards of itself only; an official account names one that is bound to it. */
export function cardForm({ kind, cardThumbMediaId }: Pick<WechatSettings, 'kind' | 'cardThumbMediaId'>): CardForm {
  const cover = Type.String({
    format: 'image',
    title: '封面|Cover',
    description: cardThumbMediaId
      ? '长宽比 5:4。不上传则使用渠道账号设置里的默认封面。|Five by four. Without one the inbox’s default cover is used.'
      : '长宽比 5:4，PNG 或 JPG。|Five by four, PNG or JPG.',
    maxLength: 26,
    minLength: 26,
  })
  const page = {
    title: Type.String({ title: '标题|Title', minLength: 1, maxLength: 64, pattern: '\\S' }),
    pagePath: Type.String({
      title: '页面路径|Page',
      description: '例如 pages/order/detail?id=123，页面须已发布。|For example pages/order/detail?id=123; the page must be published.',
      // A path of the mini-program, as app.json has it.
      pattern: '^[^\\s/:?#][^\\s:#]*$',
      maxLength: 1_024,
    }),
    cover: cardThumbMediaId ? Type.Optional(cover) : cover,
  }
  const appId = Type.String({
    title: '小程序 AppID|AppID of the mini-program',
    description: '须与本公众号关联。|It must be bound to this account.',
    pattern: '^wx[0-9a-zA-Z]{6,40}$',
    maxLength: 42,
  })
  const { title, ...rest } = page
  return {
    kind: 'miniprogram',
    label: { zh: '小程序卡片', en: 'Mini-program card' },
    fields: kind === 'mini' ? Type.Object(page) : Type.Object({ title, appId, ...rest }),
  }
}
