/** Sends a signed `ping` and says what came back; where nobody is called, who has come. */
import { type ChannelInbox, type ProbeStep, SendError } from '@huike/core/sdk/channel.ts'
import { Endpoint } from './app.entity.ts'
import { ping } from './deliver.ts'
import { listKeys } from './keys.ts'
import { fetchState, oldestOffer, silentAfterMs } from './offer.ts'
import { type Ctx, type InboxSettings, isFetched, secretsOf } from './settings.ts'

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
  if (isFetched(inbox)) return [...steps, ...(await probeFetch(ctx, inbox.id))]
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

/** Nobody can be called: what is known is who has come, and when. */
async function probeFetch(ctx: Ctx, inboxId: string): Promise<ProbeStep[]> {
  const [keys, { fetchedAt, silent, last, waiting }, oldest] = [await listKeys(ctx, inboxId), await fetchState(ctx, inboxId), await oldestOffer(ctx, inboxId)]
  const label = { zh: '已有取件密钥', en: 'There is a fetch key' }
  const lies = { zh: `待取 ${waiting} 条`, en: `${waiting} not fetched yet` }
  if (keys.length === 0)
    return [
      {
        label,
        ok: false,
        ...(silent ? {} : { waits: true }),
        detail: { zh: `请在「接入信息」里生成并交给对方（${lies.zh}）。`, en: `Make one in this inbox’s settings and give it to the other side (${lies.en}).` },
      },
    ]
  if (!fetchedAt)
    return [
      { label, ok: true },
      {
        label: { zh: '对方来取消息', en: 'The other side fetches' },
        ok: false,
        ...(silent ? {} : { waits: true }),
        detail: { zh: `对方还没有来取过（${lies.zh}）。`, en: `Nobody has fetched yet (${lies.en}).` },
      },
    ]
  const minutes = Math.max(0, Math.round((Date.now() - fetchedAt.getTime()) / 60_000))
  const told = {
    zh: `${minutes} 分钟前来过${last ? `，最后取走 ${last}` : ''}，${lies.zh}`,
    en: `last asked ${minutes} min ago${last ? `, last fetched ${last}` : ''}, ${lies.en}`,
  }
  const late = silent || (oldest !== undefined && Date.now() - Math.max(fetchedAt.getTime(), oldest.getTime()) > silentAfterMs)
  return [
    { label, ok: true },
    {
      label: { zh: `对方来取消息（${told.zh}）`, en: `The other side fetches (${told.en})` },
      ok: !late,
      ...(late ? { detail: { zh: '有消息待取，对方超过 15 分钟没有来。', en: 'Something lies there, and nobody has asked for more than 15 minutes.' } } : {}),
    },
  ]
}
