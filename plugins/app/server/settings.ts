/** What an admin sets for one app, and for all of them. */
import { subjectFields } from '@huike/core/sdk/person-names.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { type Static, Type } from 'typebox'
import { isSecret } from './standard-webhooks.ts'

const choice = <T extends string>(value: T, title: string) => Type.Literal(value, { title })
const secret = (title: string, description: string) =>
  Type.String({ title, description, format: 'secret', maxLength: 120, pattern: '^(whsec_[A-Za-z0-9+/]{32,86}={0,2})?$', default: '' })

export const inboxSettings = Type.Object({
  outgoing: Type.Union(
    [
      choice('push', '推送到对方的地址|Pushed to an address of the other side'),
      choice('fetch', '由对方来取（对方没有公网地址时）|Fetched by the other side (which cannot be called)'),
    ],
    { title: '客服回复怎样交给对方|How replies reach the other side', default: 'push' },
  ),
  endpointUrl: Type.String({
    title: '接收消息的地址|Address that receives messages',
    description: '客服回复会签名后推送到这里，须为 HTTPS。留空则只收不发。|Replies are signed and sent here, by HTTPS. Empty: nothing is sent.',
    maxLength: 500,
    pattern: '^(https?://[^\\s]+)?$',
    'x-when': { field: 'outgoing', is: ['push'] },
    default: '',
  }),
  secret: secret('签名密钥|Signing secret', 'whsec_ 开头，双方共用。可在下方生成。|Begins with whsec_, shared by both sides. Make one below.'),
  oldSecret: secret(
    '旧签名密钥（更换期间）|Old signing secret (while changing)',
    '更换时把旧密钥放在这里：两个都有效、两个都签名；对方换好后清空。|While changing, the old one stays here: both are valid, both sign. Empty it when the other side has changed.',
  ),
  sandboxSecret: secret(
    '沙箱签名密钥|Sandbox signing secret',
    '供对方联调：用它签名的事件会完整校验并照常应答，但不会保存，也不会打扰客服。须与正式密钥不同。|For the other side to try things: events signed with it are checked and answered as others are, but nothing is stored and nobody is disturbed. Must differ from the others.',
  ),
  userSubject: subjectFields.userSubject,
  openPlatform: subjectFields.openPlatform,
})
export type InboxSettings = Static<typeof inboxSettings>

export const pluginSettings = Type.Object({
  allowPrivateAddresses: Type.Boolean({
    title: '允许内网地址和 HTTP|Allow private addresses and HTTP',
    description: '仅当业务系统与本系统在同一内网时打开。|Only when the app stands in the same network as this hub.',
    default: false,
  }),
})
export type Ctx = PluginContext<Static<typeof pluginSettings>>

/** Nobody is called: the other side comes and fetches. */
export const isFetched = ({ settings }: { settings: object }): boolean => (settings as InboxSettings).outgoing === 'fetch'

/** Is there a way to the other side, whether or not it works at present? */
export const hasWay = (inbox: { settings: object }): boolean => isFetched(inbox) || (inbox.settings as InboxSettings).endpointUrl !== ''

/** The secrets that are in force, the newest first. What the sandbox's signs is no event. */
export const secretsOf = ({ settings }: { settings: object }): string[] => {
  const { secret, oldSecret } = settings as InboxSettings
  return [secret, oldSecret].filter(isSecret)
}

/** For trying things; undefined when there is none. */
export const sandboxSecretOf = ({ settings }: { settings: object }): string | undefined => {
  const { sandboxSecret } = settings as InboxSettings
  return isSecret(sandboxSecret) ? sandboxSecret : undefined
}
