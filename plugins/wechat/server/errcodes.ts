/**
 * WeChat's codes and what they mean for us: try again, get a new token, upload again, or tell the agent what is wrong and
 * what helps. Pages: …/doc/service/api/customer/message/api_sendcustommessage.html, …/doc/oplatform/developers/errCode/
 */
import type { InboxHealth, LocalText } from '@huike/core/sdk/channel.ts'

export interface ErrcodeRule {
  /** `retry`: later, by itself. `token`: with a new token. `upload`: with the file uploaded again. `never`: a person must do something. */
  action: 'retry' | 'token' | 'upload' | 'never'
  sentence: LocalText
  /** Of what is tried again: what happened, without what is done about it. */
  fault?: LocalText
  /** So many tries in all. */
  maxTries?: number
  /** Not before so many milliseconds. */
  afterMs?: number
  /** The window is shut whatever we counted. */
  windowShut?: true
  /** The account itself is ill: admins are told. */
  health?: InboxHealth['state']
  /** The account is well, but an admin should know of it. */
  notice?: LocalText
}

const minute = 60_000
const day = 24 * 60 * minute

const badMedia: LocalText = { zh: '微信不接受这个文件的格式或大小，请换一个再发。', en: 'WeChat does not take this file’s type or size: send another one.' }
const badWords: LocalText = { zh: '微信不接受这条消息的内容，请修改后再发。', en: 'WeChat does not take this message as it is: change it and send again.' }
const notFollowing: LocalText = {
  zh: '客户没有关注公众号，发不过去。等客户重新关注并发来消息后再回复。',
  en: 'The customer does not follow the account: wait until they follow it and write again.',
}
const needsAdmin = (zh: string, en: string): LocalText => ({ zh: `${zh}请联系管理员。`, en: `${en} Please tell an admin.` })

const never = (sentence: LocalText, more: Partial<ErrcodeRule> = {}): ErrcodeRule => ({ action: 'never', sentence, ...more })
const badToken: ErrcodeRule = {
  action: 'token',
  sentence: needsAdmin('微信没有认可本系统的凭据。', 'WeChat does not accept our credentials.'),
  fault: { zh: '微信没有认可本系统的凭据', en: 'WeChat does not accept our credentials' },
}
const media = never(badMedia)

/** Every code of which we know what to do. The rest is `never` with {@link unknownSentence}. */
export const errcodes: Readonly<Record<number, ErrcodeRule>> = {
  [-1]: {
    action: 'retry',
    maxTries: 3,
    sentence: { zh: '微信系统繁忙，稍后会自动重试。', en: 'WeChat is busy; this is tried again by itself.' },
    fault: { zh: '微信系统繁忙', en: 'WeChat is busy' },
  },
  40001: badToken,
  40014: badToken,
  42001: badToken,
  40003: never({
    zh: '微信认不出这位客户：可能属于另一个账号，或者已经注销。',
    en: 'WeChat does not know this customer: they belong to another account or are gone.',
  }),
  40004: media,
  40005: media,
  40006: media,
  40007: {
    action: 'upload',
    sentence: {
      zh: '文件在微信那边已失效，重新上传也没有成功。请再发一次。',
      en: 'The file is no longer known to WeChat, and uploading it again failed. Send it once more.',
    },
  },
  40008: media,
  40009: media,
  40010: media,
  40011: media,
  40012: media,
  40033: never(badWords),
  40035: never(badWords),
  44004: never({ zh: '消息是空的，没有发出。', en: 'The message is empty and was not sent.' }),
  45002: never({ zh: '消息太长，微信没有接受。请分成几条再发。', en: 'The message is too long for WeChat: send it in several.' }),
  43004: never(notFollowing, { windowShut: true }),
  50005: never(notFollowing, { windowShut: true }),
  45009: {
    action: 'retry',
    afterMs: day,
    sentence: { zh: '今天给微信的调用次数用完了，明天会自动重试。', en: 'Today’s calls to WeChat are used up; this is tried again tomorrow.' },
    fault: { zh: '给微信的调用次数用完了', en: 'the calls to WeChat were used up' },
    health: 'broken',
  },
  45011: {
    action: 'retry',
    afterMs: minute,
    sentence: { zh: '发得太快，微信要求稍等，会自动重试。', en: 'Too fast for WeChat; this is tried again shortly.' },
    fault: { zh: '发得太快，微信没有接受', en: 'too fast for WeChat' },
  },
  45015: never(
    {
      zh: '客户超过 48 小时没有发来消息，或者已取消关注。等客户再发来消息后才能回复。',
      en: 'The customer has not written for 48 hours, or has unfollowed. They must write again before you can.',
    },
    { windowShut: true },
  ),
  45047: never(
    {
      zh: '这次能回复的条数已经用完。等客户再发来消息后才能继续回复。',
      en: 'All replies granted for their last message are used up. The customer must write again before you can.',
    },
    { windowShut: true },
  ),
  48001: never(needsAdmin('这个账号没有客服消息接口的权限。', 'This account may not use customer-service messages.'), { health: 'unauthorised' }),
  48002: never(
    { zh: '客户在微信里拒收了公众号的消息。', en: 'The customer has turned off this account’s messages in WeChat.' },
    { notice: { zh: '有客户在微信里拒收了消息', en: 'a customer has turned off its messages' } },
  ),
  48004: never(needsAdmin('微信封禁了这个账号的客服消息接口。', 'WeChat has banned this account from customer-service messages.'), { health: 'broken' }),
  48008: never(needsAdmin('这个账号不能发送这种消息。', 'This account may not send this kind of message.'), {
    notice: { zh: '账号没有权限发送这种消息', en: 'the account may not send this kind of message' },
  }),
  50002: never(needsAdmin('微信限制了这个账号的功能。', 'WeChat has restricted this account.'), { health: 'broken' }),
  40164: never(needsAdmin('服务器的出口 IP 不在公众平台的 IP 白名单里。', 'This server’s address is not on the account’s IP allow-list.'), {
    health: 'unauthorised',
  }),
  40013: never(needsAdmin('AppID 不对。', 'The AppID is wrong.'), { health: 'unauthorised' }),
  40125: never(needsAdmin('AppSecret 不对，或者已经重置。', 'The AppSecret is wrong or was reset.'), { health: 'unauthorised' }),
  40243: never(needsAdmin('AppSecret 被冻结了。', 'The AppSecret is frozen.'), { health: 'unauthorised' }),
  41004: never(needsAdmin('还没有填写 AppSecret。', 'The AppSecret is missing.'), { health: 'unauthorised' }),
}

export const unknownSentence = (code: number): LocalText => ({
  zh: `微信拒绝了这条消息（错误码 ${code}）。请稍后再试，不行就联系管理员。`,
  en: `WeChat refused the message (code ${code}). Try later; if it fails again, tell an admin.`,
})

/** What an admin does about it; shown beside the account's state. */
export const remedies: Readonly<Record<number, LocalText>> = {
  40001: { zh: '核对 AppSecret：它可能在公众平台被重置过。', en: 'Check the AppSecret: it may have been reset in the console.' },
  40125: { zh: '核对 AppSecret：它可能在公众平台被重置过。', en: 'Check the AppSecret: it may have been reset in the console.' },
  40243: { zh: '到公众平台「基本配置」解冻 AppSecret。', en: 'Unfreeze the AppSecret in the console, “Basic configuration”.' },
  41004: { zh: '在渠道账号设置里填写 AppSecret。', en: 'Fill in the AppSecret in the inbox’s settings.' },
  40013: { zh: '核对 AppID，以及账号类型。', en: 'Check the AppID and the kind of account.' },
  40164: {
    zh: '到公众平台「基本配置 › IP 白名单」加入本服务器的出口 IP。',
    en: 'Add this server’s outgoing address in the console, “Basic configuration › IP allow-list”.',
  },
  45009: { zh: '等到明天，或在公众平台用「清空接口调用次数」。', en: 'Wait until tomorrow, or reset the call counts in the console.' },
  48001: {
    zh: '在公众平台「接口权限」查看：客服消息要求已认证的账号。',
    en: 'See “Interface permissions” in the console: customer-service messages need a verified account.',
  },
  48002: {
    zh: '客户要在微信里重新打开“接收消息”；很多客户拒收时，请留意发送的内容。',
    en: 'The customer must turn messages on again in WeChat; when many refuse, look at what is sent.',
  },
  48008: { zh: '在公众平台「接口权限」查看账号可以发送的消息类型。', en: 'See “Interface permissions” in the console for what the account may send.' },
  48004: { zh: '到公众平台查看站内通知里的封禁原因。', en: 'See the notice in the console for the reason of the ban.' },
  50002: { zh: '到公众平台查看站内通知里的限制原因。', en: 'See the notice in the console for the reason of the restriction.' },
}
