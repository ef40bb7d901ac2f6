/** Sends a signed `ping` and says what came back. */
import { type ChannelInbox, type ProbeStep, SendError } from '@huike/core/sdk/channel.ts'
import { Endpoint } from './app.entity.ts'
import { ping } from './deliver.ts'
import { type Ctx, type InboxSettings, secretsOf } from './settings.ts'

const stopped: ProbeStep = {
  label: { zh: '推送没有停止', en: 'Messages are sent' },
  ok: false,
  detail: {
    zh: '推送已停止。对方应答正常，请在「接入信息」里点「恢复推送」。',
    en: 'Nothing is sent. The other side answers: press “Switch on again” in this inbox’s settings.',
  },
}

export async function probe(ctx: Ctx, inbox: ChannelInbox): Promise<ProbeStep[]> {
  const secrets = secretsOf(inbox).length > 0
  const { endpointUrl } = inbox.settings as InboxSettings
  const steps: ProbeStep[] = [
    {
      label: { zh: '签名密钥可用', en: 'The signing secret is usable' },
      ok: secrets,
      ...(secrets ? {} : { detail: { zh: '请填写 whsec_ 开头、24–64 字节的密钥。', en: 'Fill in a secret of 24 to 64 bytes that begins with whsec_.' } }),
    },
  ]
  const label = { zh: '对方系统应答签名的测试消息', en: 'The other side answers a signed ping' }
  if (!secrets) return steps
  if (endpointUrl === '')
    return [...steps, { label, ok: false, detail: { zh: '没有接收地址：只收不发。', en: 'No address is set: messages come in, none go out.' } }]
  try {
    await ping(ctx, inbox, true)
    const { goneUrl } = (await ctx.em().findOne(Endpoint, { inboxId: inbox.id }, { fields: ['goneUrl'], disableIdentityMap: true })) ?? {}
    return [...steps, { label, ok: true }, ...(goneUrl === endpointUrl ? [stopped] : [])]
  } catch (error) {
    const { reason, sentence, message } = error as SendError
    const said = error instanceof SendError ? `${reason}${message === reason ? '' : `: ${message}`}` : String(error)
    return [...steps, { label, ok: false, detail: { zh: `${sentence?.zh ?? ''}（${said}）`, en: `${sentence?.en ?? ''} (${said})` } }]
  }
}
