import { defineEntity, p } from '@mikro-orm/core'

/** The access token of one AppID, sealed; one row for all processes and inboxes that use it. */
export const WechatTokenSchema = defineEntity({
  name: 'WechatToken',
  tableName: 'wechat_token',
  properties: {
    /** Hash of the interface's address and the AppID. */
    id: p.string().length(64).primary(),
    sealed: p.text(),
    expiresAt: p.datetime(3),
    /** When a new token was last forced, and how often that day: WeChat rations it. */
    forcedAt: p.datetime(3).nullable(),
    forcedCount: p.integer(),
  },
})
export class WechatToken extends WechatTokenSchema.class {}
WechatTokenSchema.setClass(WechatToken)
