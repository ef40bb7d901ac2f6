/** What an admin has typed in: the address that receives messages, looked at by the guard of every delivery, and secrets that must differ. */
import type { ChannelInbox, LocalText, SettingFault } from '@huike/core/sdk/channel.ts'
import { checkRemote, RemoteError } from '@huike/core/sdk/remote.ts'
import { type Ctx, type InboxSettings, isFetched } from './settings.ts'

const sentences: Partial<Record<RemoteError['reason'], LocalText>> = {
  address: {
    zh: '地址须以 https:// 开头，且不能含用户名和密码。系统与对方同在内网时，可由管理员在插件设置里允许内网地址和 HTTP。',
    en: 'The address must begin with https:// and hold no user name or password. If the app stands in the same network, an admin can allow private addresses and HTTP in the plugin’s settings.',
  },
  'private-address': {
    zh: '这个地址指向内网，不会向它推送。请填公网地址，或由管理员在插件设置里允许内网地址。',
    en: 'This address leads inside the network: nothing is sent there. Enter a public one, or have an admin allow private addresses in the plugin’s settings.',
  },
}

const sameSecret: LocalText = {
  zh: '沙箱密钥与正式密钥相同：请另外生成一个。',
  en: 'The sandbox secret is one of the others: make another.',
}

export async function checkInbox(ctx: Pick<Ctx, 'settings'>, inbox: ChannelInbox): Promise<SettingFault[]> {
  const { endpointUrl, secret, oldSecret, sandboxSecret } = inbox.settings as InboxSettings
  const same = sandboxSecret !== '' && (sandboxSecret === secret || sandboxSecret === oldSecret)
  return [...(isFetched(inbox) ? [] : await checkEndpoint(ctx, endpointUrl)), ...(same ? [{ path: '/sandboxSecret', text: sameSecret }] : [])]
}

async function checkEndpoint(ctx: Pick<Ctx, 'settings'>, endpointUrl: string): Promise<SettingFault[]> {
  if (endpointUrl === '') return []
  try {
    await checkRemote(endpointUrl, ctx.settings.allowPrivateAddresses)
    return []
  } catch (error) {
    const text = error instanceof RemoteError ? sentences[error.reason] : undefined
    if (!text) throw error
    return [{ path: '/endpointUrl', text }]
  }
}
