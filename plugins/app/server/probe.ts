/** Sends a signed `ping` and says what came back. */
import { type ChannelInbox, type ProbeStep, SendError } from '@huike/core/sdk/channel.ts'
import { deliver } from './deliver.ts'
import { type Ctx, type InboxSettings, secretsOf } from './settings.ts'

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
    await deliver(ctx, inbox, { id: `ping_${Date.now().toString(36)}`, type: 'ping', attempt: 1, data: { inbox: inbox.name } })
    return [...steps, { label, ok: true }]
  } catch (error) {
    const { reason, sentence, message } = error as SendError
    const said = error instanceof SendError ? `${reason}${message === reason ? '' : `: ${message}`}` : String(error)
    return [...steps, { label, ok: false, detail: { zh: `${sentence?.zh ?? ''}（${said}）`, en: `${sentence?.en ?? ''} (${said})` } }]
  }
}
