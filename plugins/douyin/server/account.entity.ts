/** What the plugin keeps for itself: the operator's authorisation, the app's own token, and what to answer each customer with. */
import { defineEntity, p } from '@mikro-orm/core'

const inboxId = () => p.string().length(26).primary()

const AccountSchema = defineEntity({
  name: 'DouyinAccount',
  tableName: 'douyin_account',
  properties: {
    inboxId: inboxId(),
    clientKey: p.string().length(64),
    /** The operator's open_id: per app. */
    openId: p.string().length(190),
    nickname: p.string().length(120).default(''),
    scope: p.string().length(500).default(''),
    /** Sealed. */
    accessToken: p.text(),
    accessUntil: p.datetime(3),
    /** Sealed. */
    refreshToken: p.text(),
    refreshUntil: p.datetime(3),
    /** `renew_refresh_token` may be called five times, then the operator authorises again. */
    renewals: p.integer().default(0),
    /** Since when it takes a new authorisation. */
    revokedAt: p.datetime(3).nullable(),
    /** The last trouble that an admin must mend, by the platform's code; 0 = none. */
    fault: p.integer().default(0),
    authorisedAt: p.datetime(3),
  },
  uniques: [{ properties: ['clientKey', 'openId'], name: 'douyin_account_open_id' }],
})
export class Account extends AccountSchema.class {}
AccountSchema.setClass(Account)

/** The app's client_token: fetching a new one soon ends the old one, so all processes share it. */
const AppTokenSchema = defineEntity({
  name: 'DouyinAppToken',
  tableName: 'douyin_app_token',
  properties: { clientKey: p.string().length(64).primary(), token: p.text(), until: p.datetime(3) },
})
export class AppToken extends AppTokenSchema.class {}
AppTokenSchema.setClass(AppToken)

/** The address has been proven by a signed push: from then on nothing unsigned is answered. `proof` names the settings that were proven; empty, it is not known. */
const WebhookSchema = defineEntity({
  name: 'DouyinWebhook',
  tableName: 'douyin_webhook',
  properties: { inboxId: inboxId(), provenAt: p.datetime(3), proof: p.string().length(43).default('') },
})
export class Webhook extends WebhookSchema.class {}
WebhookSchema.setClass(Webhook)

/** What the operator did about the authorisation in Douyin itself, as its pushes told: for the admin's page. */
const AuthorisationNewsSchema = defineEntity({
  name: 'DouyinAuthorisationNews',
  tableName: 'douyin_authorisation_news',
  properties: {
    inboxId: inboxId(),
    /** The push's own: a repeat is no news. */
    pushId: p.string().length(130).primary(),
    change: p.string().length(20).$type<'given' | 'taken' | 'contract' | 'contract-ended'>(),
    at: p.datetime(3),
  },
  indexes: [{ properties: ['inboxId', 'at'], name: 'douyin_authorisation_news_at' }],
})
export class AuthorisationNews extends AuthorisationNewsSchema.class {}
AuthorisationNewsSchema.setClass(AuthorisationNews)

/** A customer, with the platform's ids that an answer must name. */
const PeerSchema = defineEntity({
  name: 'DouyinPeer',
  tableName: 'douyin_peer',
  properties: {
    inboxId: inboxId(),
    openId: p.string().length(190).primary(),
    conversationShortId: p.text(),
    /** The customer's newest message. */
    replyMessageId: p.text(),
    replyAt: p.datetime(3),
    /** The newest opening of the chat, and how many messages it has been used for. */
    enterMessageId: p.text(),
    enterAt: p.datetime(3),
    enterUsed: p.integer().default(0),
  },
})
export class Peer extends PeerSchema.class {}
PeerSchema.setClass(Peer)

export const entities = [AccountSchema, AppTokenSchema, WebhookSchema, AuthorisationNewsSchema, PeerSchema]
