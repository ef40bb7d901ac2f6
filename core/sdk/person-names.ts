/**
 * Names of a person that reach beyond one inbox (`ChannelSender.claims`), by one rule for all channels: whoever issues them
 * says within which subject they are one person's. The same name of the same subject is the same person on every channel;
 * "10086" of two subjects is two people.
 */
import { Type } from 'typebox'

/** Where nobody names a subject, all inboxes of the hub share this one: a company with one user base and one open platform. */
export const commonSubject = 'default'

/** The value of a `unionid` or `userId` claim. */
export const nameWithin = (subject: string, name: string): string => `${subject.trim() || commonSubject}:${name}`

/** What such a value counts within; '' where its channel names none. A subject with a colon in it is known by what stands before. */
export const subjectOf = (value: string): string => (value.includes(':') ? value.slice(0, value.indexOf(':')) : '')

/** Settings of an inbox whose platform names people so: the same field, with the same words, on every channel. */
export const subjectFields = {
  userSubject: Type.String({
    title: '用户体系|User base',
    description:
      '同一用户体系的网站、小程序和 App 填同一个名称（或都留空），同一个用户 ID 就是同一个人，会自动合并。用户体系互不相干的，填不同的名称。|Sites, mini-programs and apps with the same users get the same name, or none: one user id in them is one person, joined by itself. Those whose users have nothing to do with each other get different names.',
    maxLength: 30,
    default: '',
  }),
  openPlatform: Type.String({
    title: '微信开放平台主体|Open-platform subject',
    description:
      '绑定到同一个微信开放平台的公众号、小程序和 App 填同一个名称（或都留空），unionid 相同的人会自动合并。|Accounts and apps bound to the same WeChat open platform get the same name, or none: people with one unionid are joined by themselves.',
    maxLength: 60,
    default: '',
  }),
}
