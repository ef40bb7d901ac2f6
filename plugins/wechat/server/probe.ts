/** Tries a connection step by step and says what is wrong and what mends it. Sends nothing to anybody. */
import type { LocalText, ProbeStep } from '@huike/core/sdk/channel.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { callApi, WechatError } from './api.ts'
import { aesKeyOf } from './crypt.ts'
import { remedies } from './errcodes.ts'
import type { WechatInbox } from './inbox-settings.ts'
import { isProven } from './prove-push.ts'
import { askToken } from './token.ts'

export async function probeAccount(ctx: Pick<PluginContext, 'em' | 'sign' | 'publicUrl'>, inbox: WechatInbox): Promise<ProbeStep[]> {
  return [...(await probeSettings(inbox, ctx.publicUrl)), await pushStep(ctx, inbox)]
}

/** The other way round nothing can be tried from here: WeChat must have called. */
async function pushStep(ctx: Pick<PluginContext, 'em' | 'sign'>, inbox: WechatInbox): Promise<ProbeStep> {
  const label: LocalText = { zh: '已收到过验证通过的推送', en: 'A verified push has arrived' }
  if (await isProven(ctx, inbox)) return { label, ok: true }
  return {
    label,
    ok: false,
    waits: true,
    detail: {
      zh: '还没有。请在微信后台填好服务器地址、Token 和 EncodingAESKey 并启用，再用自己的微信发一条消息。',
      en: 'Not yet. Enter the address, the token and the EncodingAESKey in WeChat’s console, switch it on, and write a message from your own WeChat.',
    },
  }
}

async function probeSettings(inbox: WechatInbox, publicUrl: string): Promise<ProbeStep[]> {
  const { settings } = inbox
  const steps: ProbeStep[] = []
  const check = (label: LocalText, fault: LocalText | undefined) => steps.push({ label, ok: !fault, ...(fault ? { detail: fault } : {}) })

  check({ zh: '回调地址', en: 'Callback address' }, callbackFault(publicUrl, settings.apiBase))
  check(
    { zh: 'Token', en: 'Token' },
    /^[0-9A-Za-z]{3,32}$/.test(settings.token)
      ? undefined
      : { zh: '填 3 到 32 位字母或数字，与公众平台一致。', en: 'Give 3 to 32 letters or digits, the same as in the console.' },
  )
  if (settings.mode !== 'plain')
    check(
      { zh: 'EncodingAESKey', en: 'EncodingAESKey' },
      aesKeyOf(settings.encodingAesKey)
        ? undefined
        : { zh: '应为 43 位字母或数字，从公众平台复制。', en: 'It has 43 letters and digits: copy it from the console.' },
    )

  const credential: LocalText = { zh: 'AppID 与 AppSecret', en: 'AppID and AppSecret' }
  if (!settings.appId || !settings.appSecret) {
    check(credential, { zh: '还没有填写。', en: 'Not given yet.' })
    return steps
  }
  let token: string
  try {
    token = (await askToken(settings)).token
    check(credential, undefined)
  } catch (error) {
    check(credential, faultOf(error))
    return steps
  }
  try {
    await callApi(settings.apiBase, '/cgi-bin/getcallbackip', { query: { access_token: token }, repeatable: true, holds: 'ip_list' })
    check({ zh: '调用接口', en: 'Calling the interface' }, undefined)
  } catch (error) {
    check({ zh: '调用接口', en: 'Calling the interface' }, faultOf(error))
  }
  return steps
}

/** WeChat calls ports 80 and 443 of a public name only; one that runs on this machine (a simulator) calls whatever it likes. */
export function callbackFault(publicUrl: string, apiBase: string): LocalText | undefined {
  if (apiBase.startsWith('http:')) return undefined
  const { hostname, port } = new URL(publicUrl)
  const isPrivate =
    hostname === 'localhost' || /^(127|10|192\.168|172\.(1[6-9]|2\d|3[01]))\./.test(hostname) || hostname.endsWith('.local') || hostname.startsWith('[')
  if (isPrivate)
    return {
      zh: `微信访问不到 ${publicUrl}。请用公网域名部署，并设置 HUB_PUBLIC_URL。`,
      en: `WeChat cannot reach ${publicUrl}. Use a public name and set HUB_PUBLIC_URL.`,
    }
  if (port) return { zh: `微信只访问 80 和 443 端口，现在是 ${port}。`, en: `WeChat calls ports 80 and 443 only; this is ${port}.` }
  return undefined
}

function faultOf(error: unknown): LocalText {
  if (!(error instanceof WechatError)) return { zh: `连不上微信：${(error as Error).message}`, en: `WeChat cannot be reached: ${(error as Error).message}` }
  const { errcode, errmsg, rule } = error
  const remedy = remedies[errcode]
  return {
    zh: `${rule.sentence.zh}${remedy?.zh ?? ''}（${errcode} ${errmsg}）`,
    en: `${rule.sentence.en} ${remedy?.en ?? ''} (${errcode} ${errmsg})`,
  }
}
