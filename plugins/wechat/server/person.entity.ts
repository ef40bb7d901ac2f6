import { defineEntity, p } from '@mikro-orm/core'

/** When a follower's profile was last asked for: WeChat counts the calls. */
export const WechatPersonSchema = defineEntity({
  name: 'WechatPerson',
  tableName: 'wechat_person',
  properties: {
    inboxId: p.string().length(26).primary(),
    openid: p.string().length(128).primary(),
    askedAt: p.datetime(3),
  },
})
export class WechatPerson extends WechatPersonSchema.class {}
WechatPersonSchema.setClass(WechatPerson)
