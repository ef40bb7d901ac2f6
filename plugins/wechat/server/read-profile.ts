/**
 * A follower's profile, asked for after their first word: the unionid joins the person's identities, the rest tells where
 * they came from. Names and pictures are no longer given. developers.weixin.qq.com/doc/service/api/usermanage/userinfo/
 */
import { createHash } from 'node:crypto'
import type { InboundEvent } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { nameWithin } from '@huike/core/sdk/person-names.ts'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { callApi, WechatError } from './api.ts'
import { follows, sceneFact } from './decode.ts'
import { asWechat } from './inbox-settings.ts'
import { WechatPerson } from './person.entity.ts'
import { withToken } from './token.ts'

/** Long enough to spare the quota, short enough to notice that the account has joined an open platform. */
const againMs = 7 * 24 * 3_600_000
/** So long a process puts no second job for the same person into the queue: a job that failed is made up for after it. */
const knownMs = 3_600_000
const maxKnown = 10_000

export interface ProfileJob {
  inboxId: string
  openid: string
  /** Just now: what was asked before says nothing of them. Who had unfollowed had no profile. */
  followed?: true
}

/**
 * Remembers for an hour who was asked about by this process, so that not every message puts a job in the queue. Whether it
 * is time to ask WeChat again the job itself knows.
 */
export function profileAsker(ctx: Pick<PluginContext, 'enqueue' | 'log'>) {
  const known = new Map<string, number>()
  return (job: ProfileJob): void => {
    const key = `${job.inboxId}:${job.openid}`
    if (!job.followed && (known.get(key) ?? 0) > Date.now()) return
    if (known.size >= maxKnown) known.clear()
    known.set(key, Date.now() + knownMs)
    // Beside the push, never before its answer; if it cannot be written down the next message asks again.
    ctx.enqueue('profile', job, { key: `profile:${key}${job.followed ? ':followed' : ''}` }).catch((error) => {
      known.delete(key)
      ctx.log.warn({ err: error }, 'a profile could not be asked for')
    })
  }
}

const where: Record<string, { zh: string; en: string }> = {
  ADD_SCENE_SEARCH: { zh: '公众号搜索', en: 'search' },
  ADD_SCENE_ACCOUNT_MIGRATION: { zh: '公众号迁移', en: 'account migration' },
  ADD_SCENE_PROFILE_CARD: { zh: '名片分享', en: 'a shared card' },
  ADD_SCENE_QR_CODE: { zh: '扫描二维码', en: 'a QR code' },
  ADD_SCENE_PROFILE_LINK: { zh: '图文页内名称', en: 'the name in an article' },
  ADD_SCENE_PROFILE_ITEM: { zh: '图文页右上角菜单', en: 'the menu of an article' },
  ADD_SCENE_PAID: { zh: '支付后关注', en: 'a payment' },
  ADD_SCENE_WECHAT_ADVERTISEMENT: { zh: '微信广告', en: 'an advertisement' },
  ADD_SCENE_REPRINT: { zh: '他人转载', en: 'a reprint' },
  ADD_SCENE_LIVESTREAM: { zh: '视频号直播', en: 'a livestream' },
  ADD_SCENE_CHANNELS: { zh: '视频号', en: 'Channels' },
  ADD_SCENE_WXA: { zh: '小程序', en: 'a mini-program' },
}

/** The job `profile`. */
export async function readProfile(data: unknown, ctx: PluginContext): Promise<void> {
  const { inboxId, openid, followed } = data as ProfileJob
  const found = await ctx.inbox(inboxId)
  if (!found) return
  const { settings } = asWechat(found)
  if (settings.kind !== 'official') return
  const em = ctx.em()
  const asked = await em.findOne(WechatPerson, { inboxId, openid }, { disableIdentityMap: true })
  if (asked && !followed && Date.now() - asked.askedAt.getTime() < againMs) return

  const profile = await withToken(ctx, settings, (token) =>
    callApi(settings.apiBase, '/cgi-bin/user/info', { query: { access_token: token, openid, lang: 'zh_CN' }, repeatable: true, holds: 'subscribe' }),
  ).catch((error) => {
    if (error instanceof WechatError && hasNone(error)) return undefined
    throw error
  })
  // Who does not follow has no more data than this.
  if (profile?.subscribe === 1)
    await ctx.accept(inboxId, [activityOf(profile, openid, settings.openPlatform)]).catch((error) => {
      if (!(error instanceof HubError) || error.code !== 'HUB_IDENTITY_BLOCKED') throw error
    })
  // Not before: what was not handed over is asked for again. Who is blocked is not.
  await em.upsert(WechatPerson, { inboxId, openid, askedAt: new Date() })
}

/**
 * An account that may not ask (not verified: 48001), a person who is gone: no profile then. What ails the account itself, an
 * address missing on its list or a wrong secret, says nothing of the person: they are asked about again once it is mended.
 */
const hasNone = ({ errcode, rule, ofCredential }: WechatError): boolean =>
  rule.action === 'never' && !ofCredential && (errcode === 48001 || rule.health === undefined)

function activityOf(profile: Record<string, unknown>, openid: string, openPlatform: string): InboundEvent {
  const text = (name: string) => (typeof profile[name] === 'string' ? (profile[name] as string).slice(0, 200) : '')
  const scene = where[text('subscribe_scene')] ?? { zh: '其他', en: 'another way' }
  const facts = {
    remark: text('remark'),
    language: text('language'),
    scene: text('subscribe_scene'),
    qrScene: text('qr_scene_str'),
    followedAt: typeof profile.subscribe_time === 'number' ? new Date(profile.subscribe_time * 1_000).toISOString() : '',
  }
  const unionid = text('unionid')
  return {
    kind: 'activity',
    // The same profile again changes nothing.
    externalId: `p-${createHash('sha256')
      .update(JSON.stringify([openid, unionid, facts]))
      .digest('base64url')}`,
    from: {
      externalId: openid,
      verified: true,
      attributes: facts,
      facts: [
        follows(true),
        { name: 'followedBy', label: { zh: '关注方式', en: 'Followed by way of' }, value: scene },
        ...(facts.qrScene ? [sceneFact(facts.qrScene)] : []),
      ],
      ...(facts.remark ? { name: facts.remark.slice(0, 60) } : {}),
      ...(unionid ? { claims: [{ kind: 'unionid', value: nameWithin(openPlatform, unionid), verified: true }] } : {}),
    },
    name: 'wechat.profile',
    label: { zh: `微信资料：经${scene.zh}关注`, en: `WeChat profile: follows by way of ${scene.en}` },
    params: { ...facts },
  }
}
