import { defineEntity, p } from '@mikro-orm/core'

/**
 * A verified push has arrived here: WeChat's console has our address, and the keys are the same on both sides. `proof` names the
 * settings that were proven; empty, it is not known.
 */
export const WechatWebhookSchema = defineEntity({
  name: 'WechatWebhook',
  tableName: 'wechat_webhook',
  properties: { inboxId: p.string().length(26).primary(), provenAt: p.datetime(3), proof: p.string().length(43).default('') },
})
export class WechatWebhook extends WechatWebhookSchema.class {}
WechatWebhookSchema.setClass(WechatWebhook)
