/** What an admin sets for one official account or mini-program; drawn as a form from this schema. */
import { createHash } from 'node:crypto'
import type { ChannelInbox } from '@huike/core/sdk/channel.ts'
import { subjectFields } from '@huike/core/sdk/person-names.ts'
import { type Static, Type } from 'typebox'

export const inboxSettings = Type.Object({
  kind: Type.Union([Type.Literal('official', { title: '公众号（订阅号或服务号）|Official account' }), Type.Literal('mini', { title: '小程序|Mini-program' })], {
    title: '账号类型|Kind of account',
    default: 'official',
  }),
  appId: Type.String({
    title: 'AppID|AppID',
    description: '公众平台「设置与开发 › 基本配置」里的开发者 ID。|The developer id in the console, “Settings › Basic configuration”.',
    pattern: '^(wx[0-9a-zA-Z]{6,40})?$',
    default: '',
  }),
  appSecret: Type.String({ title: 'AppSecret|AppSecret', format: 'secret', maxLength: 64, default: '' }),
  originalId: Type.String({
    title: '原始 ID|Original id',
    description: '以 gh_ 开头。填写后，发给其他账号的推送会被拒绝。|Begins with gh_. Once it is set, pushes for any other account are refused.',
    pattern: '^(gh_[0-9a-zA-Z_]{4,40})?$',
    default: '',
  }),
  mode: Type.Union(
    [
      Type.Literal('safe', { title: '安全模式（推荐）|Safe (recommended)' }),
      Type.Literal('compatible', { title: '兼容模式|Compatible' }),
      Type.Literal('plain', { title: '明文模式|Plain' }),
    ],
    {
      title: '消息加解密方式|Message encryption',
      description:
        '要与公众平台上选的一致。只有安全模式能防止推送被伪造或偷看。|As chosen in the console. Only safe mode keeps pushes from being forged or read.',
      default: 'safe',
    },
  ),
  token: Type.String({
    title: 'Token（令牌）|Token',
    description: '3 到 32 位字母或数字，自己定。|3 to 32 letters or digits, of your own.',
    format: 'secret',
    pattern: '^[0-9A-Za-z]{0,32}$',
    default: '',
  }),
  encodingAesKey: Type.String({
    title: 'EncodingAESKey|EncodingAESKey',
    description: '43 位，在公众平台随机生成。|43 letters, generated in the console.',
    format: 'secret',
    pattern: '^([0-9A-Za-z+/]{43})?$',
    'x-when': { field: 'mode', is: ['safe', 'compatible'] },
    default: '',
  }),
  replyCount: Type.Integer({
    title: '用户发消息后可回复的条数|Replies after a customer’s message',
    description: '48 小时内有效。微信现行规定是 5 条，部分老账号是 20 条。|Within 48 hours. WeChat grants 5 now; some older accounts have 20.',
    minimum: 1,
    maximum: 100,
    default: 5,
  }),
  openPlatform: subjectFields.openPlatform,
  sessionSecret: Type.String({
    title: '小程序 session-from 签名密钥|Key that signs session-from',
    description: '小程序后端用它为用户身份签名，见插件说明。|The mini-program’s server signs who the user is with it; see the plugin’s README.',
    format: 'secret',
    maxLength: 200,
    'x-when': { field: 'kind', is: ['mini'] },
    default: '',
  }),
  userSubject: subjectFields.userSubject,
  cardThumbMediaId: Type.String({
    title: '小程序卡片的默认封面|Default cover of mini-program cards',
    description: '永久素材的 media_id。|The media_id of a permanent material.',
    maxLength: 200,
    default: '',
  }),
  typingPath: Type.Union(
    [
      Type.Literal('/cgi-bin/message/custom/typing', { title: '通用接口|General' }),
      Type.Literal('/cgi-bin/message/custom/business/typing', { title: '小程序业务接口|For mini-programs' }),
    ],
    {
      title: '「正在输入」接口|Typing interface',
      description: '微信文档对小程序的说法不一；显示不出来时换另一个。|WeChat’s pages differ for mini-programs; try the other one if it does not show.',
      default: '/cgi-bin/message/custom/typing',
    },
  ),
  apiBase: Type.String({
    title: '接口域名|Interface address',
    description:
      '一般不用改。可填微信的其他接入点或您自己的固定 IP 代理。|Usually left alone. Another entry point of WeChat, or a proxy of your own with a fixed address.',
    pattern: '^(https://[0-9A-Za-z.-]+(:[0-9]{1,5})?|http://(127\\.0\\.0\\.1|localhost)(:[0-9]{1,5})?)$',
    maxLength: 200,
    default: 'https://api.weixin.qq.com',
  }),
})
export type WechatSettings = Static<typeof inboxSettings>
export type WechatInbox = ChannelInbox<WechatSettings>

/** The inbox with its settings as this plugin's schema has checked them. */
export const asWechat = (inbox: ChannelInbox): WechatInbox => inbox as unknown as WechatInbox

/** Names a credential: two inboxes of one AppID share its token. */
export const credentialOf = ({ apiBase, appId }: WechatSettings): string => createHash('sha256').update(`${apiBase}\n${appId}`).digest('hex')
