/** What an admin sets for one Douyin account; the authorisation itself is not typed in, it comes from Douyin. */
import { type Static, Type } from 'typebox'

export const inboxSettings = Type.Object({
  clientKey: Type.String({
    title: 'Client Key（应用 ID）|Client key (app id)',
    description: '抖音开放平台「控制台 – 应用详情」里的 Client Key。|From the console of the Douyin open platform.',
    maxLength: 64,
    pattern: '^[\\w-]*$',
    default: '',
  }),
  clientSecret: Type.String({ title: 'Client Secret（应用密钥）|Client secret', format: 'secret', maxLength: 200, default: '' }),
  webhookSecret: Type.String({
    title: '推送验签密钥（小程序）|Key that signs the webhook (mini-programs)',
    description:
      '网站应用留空，用 Client Secret 验签；小程序填开通推送时给的密钥。|Leave empty for website apps: the client secret signs. Mini-programs get a key of their own.',
    format: 'secret',
    maxLength: 200,
    default: '',
  }),
  scope: Type.String({
    title: '申请的权限|Scopes to ask for',
    description: '用英文逗号隔开，须已由平台批准。|Separated by commas; the platform must have granted them.',
    maxLength: 500,
    pattern: '^[\\w.]+(,[\\w.]+)*$',
    default: 'user_info,im.direct_message,im.recall_message',
  }),
})
export type InboxSettings = Static<typeof inboxSettings>

/** The hub's side of Douyin: one address for all inboxes. */
export const pluginSettings = Type.Object({
  apiUrl: Type.String({
    title: '开放平台地址|Address of the open platform',
    description: '一般不用改；经代理访问或对接测试环境时填写。|Change it only for a proxy or a test environment.',
    pattern: '^https?://[^\\s/]+(:\\d+)?$',
    maxLength: 200,
    default: 'https://open.douyin.com',
  }),
})
export type PluginSettings = Static<typeof pluginSettings>
