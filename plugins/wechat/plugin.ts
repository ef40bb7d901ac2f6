/** The WeChat channel: customer-service messages of official accounts and mini-programs, any number of them side by side. */
import type { ChannelAdapter, ChannelCapabilities } from '@huike/core/sdk/channel.ts'
import { definePlugin, type PluginContext } from '@huike/core/sdk/plugin.ts'
import type { EntitySchema } from '@mikro-orm/core'
import { migrations } from './migrations/index.ts'
import { callApi } from './server/api.ts'
import { cardForm } from './server/card-form.ts'
import { followedName } from './server/decode.ts'
import { countDrafts, maxTextBytes } from './server/encode.ts'
import { asWechat, inboxSettings } from './server/inbox-settings.ts'
import { fetchMedia, limits } from './server/media.ts'
import { WechatPersonSchema } from './server/person.entity.ts'
import { probeAccount } from './server/probe.ts'
import { pushProver } from './server/prove-push.ts'
import { profileAsker, readProfile } from './server/read-profile.ts'
import { receivePush } from './server/receive.ts'
import { sendMessage } from './server/send.ts'
import { WechatTokenSchema } from './server/token.entity.ts'
import { tokensOf, withToken } from './server/token.ts'
import { WechatWebhookSchema } from './server/webhook.entity.ts'

/** Two bubbles in WeChat's green: drawn here, not WeChat's mark. */
const icon = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="#07c160"><path d="M9.5 3C5 3 2 5.7 2 9.2c0 2 1.1 3.7 2.8 4.9L4 16.6l2.9-1.5c.8.2 1.7.4 2.6.4-.1-.5-.2-.9-.2-1.4 0-3.3 3-5.8 6.9-5.8h.3C16 5.2 13.2 3 9.5 3Z"/><path d="M22 14.2c0-2.9-2.6-5-5.9-5s-6 2.1-6 5 2.7 5 6 5c.7 0 1.4-.1 2-.3l2.3 1.3-.6-2.1C21.2 17.2 22 15.8 22 14.2Z"/></svg>',
)}`

const capabilities: ChannelCapabilities = {
  send: ['text', 'image', 'audio', 'video', 'link', 'card'],
  delivery: 'push',
  // A video: 20 s for the file, 20 for its still, 8 for the message, and a token before each.
  sendTimeoutMs: 90_000,
  // Longer than a message of WeChat's it is split, and every piece counts as a reply: up to four, where no sign may be cut.
  maxTextLength: 2_000,
  pieceBytes: maxTextBytes,
  maxFileSize: 10 * 1024 * 1024,
  files: {
    image: { types: limits.image.types, maxSize: limits.image.bytes, ...(limits.image.sureBytes ? { sureSize: limits.image.sureBytes } : {}) },
    audio: { types: limits.voice.types, maxSize: limits.voice.bytes },
    video: { types: limits.video.types, maxSize: limits.video.bytes },
  },
  replyWindow: true,
  typing: true,
  // WeChat gives no id of what it took and recognises no repeat: a send of unknown fate is a person's to decide.
  idempotentSend: false,
}

function adapter(ctx: PluginContext): ChannelAdapter {
  const askProfile = profileAsker(ctx)
  const prove = pushProver(ctx)
  return {
    label: { zh: '微信', en: 'WeChat' },
    icon,
    inboxSettings,
    capabilities,
    capabilitiesOf(inbox) {
      const { settings } = asWechat(inbox)
      // Mini-programs carry neither voice nor video.
      const { send } = settings.kind === 'mini' ? { send: ['text', 'image', 'link', 'card'] as const } : capabilities
      return { ...capabilities, send, cards: [cardForm(settings)] }
    },
    receive(request, inbox) {
      const account = asWechat(inbox)
      const result = receivePush(request, account)
      if (request.method !== 'GET') prove(account)
      if (account.settings.kind === 'official' && account.settings.appSecret)
        for (const event of result.events)
          askProfile({
            inboxId: inbox.id,
            openid: event.from.externalId,
            ...(event.kind === 'activity' && event.name === followedName ? { followed: true } : {}),
          })
      return result
    },
    pieces: countDrafts,
    send: (message, inbox) => sendMessage(ctx, message, asWechat(inbox)),
    fetchFile: (ref, inbox) => fetchMedia(ctx, ref, asWechat(inbox)),
    async typing(to, active, inbox) {
      const { settings } = asWechat(inbox)
      await withToken(ctx, settings, (token) =>
        callApi(settings.apiBase, settings.typingPath, {
          query: { access_token: token },
          body: { touser: to, command: active ? 'Typing' : 'CancelTyping' },
          repeatable: true,
          holds: 'errcode',
        }),
      )
    },
    probe: (inbox) => probeAccount(ctx, asWechat(inbox)),
    async credentials(inboxes) {
      const ends = await tokensOf(ctx, inboxes.map(asWechat))
      return new Map([...ends].map(([id, validUntil]) => [id, { kind: 'token', validUntil }]))
    },
  }
}

export default definePlugin({
  id: 'wechat',
  version: '0.1.0',
  label: { zh: '微信', en: 'WeChat' },
  description: {
    zh: '公众号和小程序的客服消息：收发文字、图片、语音、视频、链接和小程序卡片。',
    en: 'Customer-service messages of official accounts and mini-programs: text, pictures, voice, video, links and mini-program cards.',
  },
  requires: { hub: '>=0.1.0' },
  entities: [WechatTokenSchema, WechatPersonSchema, WechatWebhookSchema] as unknown as EntitySchema[],
  migrations,
  channel: adapter,
  jobs: { profile: { run: readProfile, attempts: 4 } },
  ui: { admin: 'ui/admin.js' },
})
