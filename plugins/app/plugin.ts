/** The signed channel: any app, mini-program, form or telephone system of one's own, by Standard Webhooks in both directions. */
import type { ChannelCapabilities } from '@huike/core/sdk/channel.ts'
import { definePlugin } from '@huike/core/sdk/plugin.ts'
import { migrations } from './migrations/index.ts'
import { entities } from './server/app.entity.ts'
import { checkInbox } from './server/check-inbox.ts'
import { fetchFile } from './server/files.ts'
import { followSettings, tellOfSilence } from './server/offer.ts'
import { letGoOfMessage, tellAllDue, tellDue } from './server/outbox.ts'
import { probe } from './server/probe.ts'
import { receive } from './server/receive.ts'
import { routes } from './server/routes.ts'
import { type Ctx, inboxSettings, isFetched, pluginSettings } from './server/settings.ts'
import { forgetConversation, recallMessage, sendMessage, showTyping, tellNews, tellRead } from './server/tell.ts'
import { tidy } from './server/tidy.ts'
import { endWaiting } from './server/waiting.ts'

const capabilities: ChannelCapabilities = {
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
  // What is owed of the conversation goes before it.
  sendTimeoutMs: 60_000,
}

export default definePlugin({
  id: 'app',
  version: '0.1.0',
  label: { zh: '应用接入', en: 'App' },
  description: {
    zh: '把自己的 App、小程序、表单或电话系统接进来：双向签名的 Webhook，或由对方来取。',
    en: 'Connects an app, a mini-program, a form or a telephone system of your own, by signed webhooks or by fetching.',
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
      capabilities,
      // Nobody is there to be told of it in time.
      capabilitiesOf: (inbox) => (isFetched(inbox) ? { ...capabilities, typing: false } : capabilities),
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
    'conversation.assigned': ({ id, at, data: { conversation, toAgentId, reason } }, ctx) =>
      tellNews(ctx as unknown as Ctx, conversation, { id, at, type: 'conversation.assigned', data: { assigned: toAgentId !== null, reason } }),
    'message.read': ({ id, at, data }, ctx) => tellRead(ctx as unknown as Ctx, id, at, data),
    'conversation.closed': ({ id, at, data: { conversation, reason } }, ctx) =>
      tellNews(ctx as unknown as Ctx, conversation, { id, at, type: 'conversation.closed', data: { reason } }),
    async 'message.failed'({ data: { conversation, message } }, ctx) {
      if (conversation.channel === ctx.id) await letGoOfMessage(ctx as unknown as Ctx, message)
    },
    async 'settings.changed'({ data: { scope, id } }, ctx) {
      if (scope === 'inbox' && id) await followSettings(ctx as unknown as Ctx, id)
    },
    'record.purged': ({ data }, ctx) => forgetConversation(ctx as unknown as Ctx, data.conversationId),
  },
  jobs: {
    tell: { run: (data, ctx) => tellDue(ctx as unknown as Ctx, (data as { conversationId: string }).conversationId) },
    'tell-due': { every: 10_000, run: (_data, ctx) => tellAllDue(ctx as unknown as Ctx) },
    watch: { every: 60_000, run: (_data, ctx) => tellOfSilence(ctx as unknown as Ctx) },
    tidy: { every: 3_600_000, run: (_data, ctx) => tidy(ctx as unknown as Ctx) },
  },
  start: (ctx) => () => endWaiting(ctx),
  ui: { admin: 'ui/dist/admin.js' },
})
