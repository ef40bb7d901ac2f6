/** The signed channel: any app, mini-program, form or telephone system of one's own, by Standard Webhooks in both directions. */
import { definePlugin } from '@huike/core/sdk/plugin.ts'
import { migrations } from './migrations/index.ts'
import { entities } from './server/app.entity.ts'
import { checkInbox } from './server/check-inbox.ts'
import { type News, recallMessage, sendMessage, showTyping, tellNews } from './server/deliver.ts'
import { fetchFile } from './server/files.ts'
import { probe } from './server/probe.ts'
import { receive } from './server/receive.ts'
import { routes } from './server/routes.ts'
import { type Ctx, inboxSettings, pluginSettings } from './server/settings.ts'
import { tidy } from './server/tidy.ts'

export default definePlugin({
  id: 'app',
  version: '0.1.0',
  label: { zh: '应用接入', en: 'App' },
  description: {
    zh: '把自己的 App、小程序、表单或电话系统接进来：双向签名的 Webhook。',
    en: 'Connects an app, a mini-program, a form or a telephone system of your own, by signed webhooks.',
  },
  requires: { hub: '>=0.1.0' },
  settings: pluginSettings,
  entities,
  migrations,
  // Who calls is called by their number.
  personalIds: true,
  channel: (plain) => {
    const ctx = plain as unknown as Ctx
    return {
      label: { zh: '应用', en: 'App' },
      icon: 'plug',
      inboxSettings,
      check: (inbox) => checkInbox(ctx, inbox),
      capabilities: {
        send: ['text', 'image', 'file', 'audio', 'video', 'link', 'card'],
        delivery: 'push',
        maxTextLength: 10_000,
        maxFileSize: 20 * 1024 * 1024,
        typing: true,
        recallMs: 2 * 60_000,
        receipts: ['delivered', 'read'],
        // The client knows a repeat by its webhook-id.
        idempotentSend: true,
        // All ten tries of the schedule in `deliver.ts`, with their jitter.
        retryHours: 84,
      },
      receive: (request, inbox) => receive(ctx, request, inbox),
      send: (message, inbox) => sendMessage(ctx, message, inbox),
      fetchFile: (ref, inbox) => fetchFile(ctx, ref, inbox),
      recall: (message, inbox) => recallMessage(ctx, message, inbox),
      typing: (to, active, inbox) => showTyping(ctx, to, active, inbox),
      probe: (inbox) => probe(ctx, inbox),
    }
  },
  routes: (app, ctx) => routes(app, ctx as unknown as Ctx),
  on: {
    async 'conversation.assigned'({ id, at, data }, ctx) {
      const { conversation, toAgentId, reason } = data
      if (conversation.channel !== ctx.id) return
      const news: News = {
        eventId: id,
        inboxId: conversation.inboxId,
        type: 'conversation.assigned',
        at,
        conversationId: conversation.id,
        data: { assigned: toAgentId !== null, reason },
      }
      await ctx.enqueue('news', news, { key: id })
    },
    async 'message.read'({ id, at, data }, ctx) {
      const { conversation, messageExternalId } = data
      // What is not told by the client's own name says nothing to it.
      if (conversation.channel !== ctx.id || messageExternalId === null) return
      const news: News = {
        eventId: id,
        inboxId: conversation.inboxId,
        type: 'message.read',
        at,
        conversationId: conversation.id,
        data: { externalMessageId: messageExternalId },
      }
      await ctx.enqueue('news', news, { key: id })
    },
    async 'conversation.closed'({ id, at, data }, ctx) {
      const { conversation, reason } = data
      if (conversation.channel !== ctx.id) return
      const news: News = { eventId: id, inboxId: conversation.inboxId, type: 'conversation.closed', at, conversationId: conversation.id, data: { reason } }
      await ctx.enqueue('news', news, { key: id })
    },
  },
  jobs: {
    news: { attempts: 8, run: (data, ctx) => tellNews(ctx as unknown as Ctx, data as News) },
    tidy: { every: 3_600_000, run: (_data, ctx) => tidy(ctx as unknown as Ctx) },
  },
  ui: { admin: 'ui/dist/admin.js' },
})
