import { defineEntity, p } from '@mikro-orm/core'

/** A verified push has arrived here: WeChat's console has our address, and the keys are the same on both sides. */
export const WechatWebhookSchema = defineEntity({
  name: 'WechatWebhook',
  tableName: 'wechat_webhook',
  properties: { inboxId: p.string().length(26).primary(), provenAt: p.datetime(3) },
})
export class WechatWebhook extends WechatWebhookSchema.class {}
WechatWebhookSchema.setClass(WechatWebhook)
