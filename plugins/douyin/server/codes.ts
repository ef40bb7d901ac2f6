/**
 * What Douyin's error codes mean for a message: data, so that they can be corrected. Codes and actions are from the
 * official SDK, the official forum (28003070) and integrators' reports; none of the numbers is promised by the platform.
 */
import type { LocalText } from '@huike/core/sdk/channel.ts'

export interface CodeMeaning {
  /** What to do: send again by itself, get a new token, tell the agent, or tell the admin as well. */
  action: 'backoff' | 'tomorrow' | 'refresh' | 'tell-agent' | 'tell-admin'
  /** The reply window is shut, whatever was counted here. */
  windowShut?: true
  sentence: LocalText
  /** Of what is sent again: what happened, without what is done about it. */
  fault?: LocalText
  /** What the admin can do about it. */
  remedy?: LocalText
}

export const authorisationExpired: LocalText = {
  zh: '抖音授权已失效，消息没有发出。请管理员重新授权后再发。',
  en: 'The Douyin authorisation is no longer valid. Ask an admin to authorise again, then resend.',
}
const windowOver: CodeMeaning = {
  action: 'tell-agent',
  windowShut: true,
  sentence: { zh: '已超过抖音的回复时限，要等客户再发消息才能回复。', en: 'Douyin’s time for a reply is over. You can answer when the customer writes again.' },
}

const busy: CodeMeaning = {
  action: 'backoff',
  sentence: { zh: '抖音系统繁忙，稍后自动重发。', en: 'Douyin is busy. It will be sent again shortly.' },
  fault: { zh: '抖音系统繁忙', en: 'Douyin is busy' },
}

export const codes: Readonly<Record<number, CodeMeaning>> = {
  2190001: {
    action: 'tomorrow',
    sentence: { zh: '今天的发送额度已用完，明天会自动重发。', en: 'Today’s quota is used up. It will be sent again tomorrow.' },
    fault: { zh: '抖音的发送额度用完了', en: 'Douyin’s quota was used up' },
  },
  2190002: { action: 'refresh', sentence: authorisationExpired },
  2190008: { action: 'refresh', sentence: authorisationExpired },
  10008: { action: 'refresh', sentence: authorisationExpired },
  2190015: {
    action: 'tell-admin',
    sentence: {
      zh: '授权与抖音账号对不上，消息没有发出。请管理员检查授权。',
      en: 'The authorisation belongs to another Douyin account. Ask an admin to check it.',
    },
    remedy: { zh: '在此渠道账号里用正确的抖音账号重新授权。', en: 'Authorise this inbox again with the right Douyin account.' },
  },
  28001038: {
    action: 'tell-agent',
    sentence: { zh: '抖音认为内容不合规，请修改后再发。', en: 'Douyin refused the content. Change it and send again.' },
  },
  28003018: {
    action: 'backoff',
    sentence: { zh: '发送太频繁，稍后自动重发。', en: 'Sent too often. It will be sent again shortly.' },
    fault: { zh: '发送太频繁，抖音没有接受', en: 'sent too often for Douyin' },
  },
  28003070: {
    action: 'tell-agent',
    windowShut: true,
    sentence: {
      zh: '本轮回复条数已用完，要等客户再发消息才能回复。',
      en: 'All replies to the customer’s last message are used. You can answer when they write again.',
    },
  },
  28003080: windowOver,
  28003081: windowOver,
  28003082: {
    action: 'tell-agent',
    windowShut: true,
    sentence: {
      zh: '抖音找不到要回复的那条客户消息，请等客户再发一条。',
      en: 'Douyin cannot find the customer’s message to answer. Wait for the customer’s next one.',
    },
  },
  28003095: {
    action: 'tell-admin',
    sentence: {
      zh: '该账号在抖音后台开启了自动回复策略，接口发送被禁止。请管理员关闭。',
      en: 'Automatic replies are on in Douyin’s own workbench, so nothing can be sent from here. Ask an admin to turn them off.',
    },
    remedy: { zh: '到抖音企业号后台关闭私信自动回复策略，再重发。', en: 'Turn off the automatic replies in Douyin’s workbench, then resend.' },
  },
  28029004: {
    action: 'tell-admin',
    sentence: { zh: '该抖音账号被平台禁止发私信。', en: 'Douyin has banned this account from sending messages.' },
    remedy: { zh: '在抖音 App 查看处罚通知并申诉。', en: 'See the notice in the Douyin app and appeal there.' },
  },
  28003101: {
    action: 'tell-agent',
    sentence: { zh: '对方账号被平台封禁，无法收到消息。', en: 'Douyin has banned the customer’s account: it cannot get messages.' },
  },
  // From general knowledge of the platform, not confirmed by a source we could read: "the system is busy".
  10001: busy,
  2100004: busy,
}

/** Codes of the token endpoints: the authorisation is over, only the operator can renew it. */
export const authorisationOver: ReadonlySet<number> = new Set([10004, 10010, 10020, 2190002, 2190008, 10008])
export const refreshTokenOver = 10010
/** `renew_refresh_token` has been used five times. */
export const renewalsUsedUp = 10020

/** The platform's day. */
const beijing = 8 * 3_600_000
/** Until the quota is new: a little after midnight in Beijing, not everybody at once. */
export function untilTomorrow(now = Date.now(), jitter = Math.random()): number {
  const day = 86_400_000
  const local = (now + beijing) % day
  return day - local + 60_000 + Math.floor(jitter * 600_000)
}
