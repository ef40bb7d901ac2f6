/** Tries what can be tried without a customer: the app's key and secret, the authorisation, the address. */
import type { ChannelInbox, LocalText, ProbeStep } from '@huike/core/sdk/channel.ts'
import { callDouyin, DouyinError } from './api.ts'
import type { Ctx } from './context.ts'
import type { InboxSettings } from './inbox-settings.ts'
import { provenAt } from './prove.ts'
import { accountOf, checkApp, credentialOf, forgetFault, isOfApp } from './tokens.ts'

export async function probe(ctx: Ctx, inbox: ChannelInbox): Promise<ProbeStep[]> {
  const { clientKey, clientSecret } = inbox.settings as InboxSettings
  const steps: ProbeStep[] = []
  const step = async (label: LocalText, detail: (error: unknown) => LocalText, work: () => Promise<boolean>, more: { waits?: true } = {}): Promise<boolean> => {
    let fault: unknown
    const ok = await work().catch((error: unknown) => {
      fault = error
      return false
    })
    steps.push({ label, ok, ...(ok ? {} : { ...more, detail: detail(fault) }) })
    return ok
  }
  const filled = await step(
    { zh: '应用信息已填写', en: 'The app is filled in' },
    () => ({ zh: '请填写 Client Key 和 Client Secret，并保存。', en: 'Fill in the client key and the client secret, then save.' }),
    async () => clientKey !== '' && clientSecret !== '',
  )
  const app =
    filled &&
    (await step(
      { zh: '抖音接受应用密钥', en: 'Douyin accepts the app’s secret' },
      (error) => said(error, { zh: '请核对 Client Key 和 Client Secret。', en: 'Check the client key and the client secret.' }),
      () => checkApp(ctx, inbox),
    ))
  if (app)
    await step(
      { zh: '抖音账号已授权', en: 'The Douyin account is authorised' },
      (error) => said(error, { zh: '请点「授权」并用抖音 App 扫码确认。', en: 'Choose “Authorise” and confirm with the Douyin app.' }),
      async () => {
        const account = await accountOf(ctx, inbox.id)
        if (!account || account.revokedAt || !isOfApp(account, inbox)) return false
        const { token } = await credentialOf(ctx, inbox)
        await callDouyin(ctx.settings.apiUrl, {
          path: '/oauth/userinfo/',
          headers: { access_token: token },
          form: { open_id: account.openId, access_token: token },
        })
        return true
      },
    )
  await step(
    { zh: '已收到过带签名的推送', en: 'A signed push has arrived' },
    () => ({ zh: '请把推送地址填到抖音开放平台并订阅私信事件。', en: 'Enter the webhook address at the open platform and subscribe to the message events.' }),
    async () => (await provenAt(ctx, inbox)) !== undefined,
    { waits: true },
  )
  // What differs in a form that is not saved has no part in what a message was refused for: the account and its app are the saved ones.
  if (steps.every(({ ok, waits }) => ok || waits)) await forgetFault(ctx, inbox.id)
  return steps
}

/** What Douyin said, and what to do. */
function said(error: unknown, remedy: LocalText): LocalText {
  if (error instanceof DouyinError)
    return { zh: `抖音返回错误 ${error.code}（${error.message}）。${remedy.zh}`, en: `Douyin answered ${error.code} (${error.message}). ${remedy.en}` }
  if (error instanceof Error && error.name === 'NoAnswer')
    return { zh: `连不上抖音开放平台：${error.message}`, en: `The open platform cannot be reached: ${error.message}` }
  return remedy
}
