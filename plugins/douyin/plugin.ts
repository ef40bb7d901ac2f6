/** The Douyin channel: direct messages of an enterprise account by open.douyin.com. */
import { definePlugin } from '@huike/core/sdk/plugin.ts'
import { migrations } from './migrations/index.ts'
import { entities } from './server/account.entity.ts'
import type { Ctx } from './server/context.ts'
import { countSteps, maxImageBytes, maxText } from './server/encode.ts'
import { inboxSettings, pluginSettings } from './server/inbox-settings.ts'
import { fetchMedia } from './server/media.ts'
import { probe } from './server/probe.ts'
import { recallMessage } from './server/recall.ts'
import { receive } from './server/receive.ts'
import { routes } from './server/routes.ts'
import { sendMessage } from './server/send.ts'
import { bringStray } from './server/strays.ts'
import { followApp, followSwitch, keepTokensAlive } from './server/tokens.ts'

/** A note of music in the grey of the kit's line icons. */
const icon = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#6b7280" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"><path d="M14 4v11.500a4 4 0 1 1-4-4M14 4c.5 3 2.500 5 5.500 5.200"/></svg>')}`

export default definePlugin({
  id: 'douyin',
  version: '0.1.0',
  label: { zh: '抖音', en: 'Douyin' },
  description: {
    zh: '在工作台收发抖音企业号私信。正式使用须先获得抖音开放平台的私信权限。',
    en: 'Direct messages of a Douyin enterprise account. Live use needs the platform’s approval.',
  },
  requires: { hub: '>=0.1.0' },
  settings: pluginSettings,
  entities,
  migrations,
  channel: (plain) => {
    const ctx = plain as unknown as Ctx
    return {
      label: { zh: '抖音私信', en: 'Douyin' },
      icon,
      inboxSettings,
      capabilities: {
        send: ['text', 'image', 'card'],
        delivery: 'push',
        // A picture: token, upload and message of 10 s each, and each of them once more with a fresh token.
        sendTimeoutMs: 60_000,
        maxTextLength: maxText,
        maxFileSize: maxImageBytes,
        replyWindow: true,
        // Not told by the platform; what its own app allows.
        recallMs: 2 * 60_000,
      },
      sharedAddress: true,
      receive: (request, inbox) => receive(ctx, request, inbox),
      pieces: countSteps,
      send: (message, inbox) => sendMessage(ctx, message, inbox),
      fetchFile: (ref, inbox) => fetchMedia(ctx, ref, inbox),
      recall: (message, inbox) => recallMessage(ctx, message, inbox),
      probe: (inbox) => probe(ctx, inbox),
    }
  },
  routes: (app, ctx) => routes(app, ctx as unknown as Ctx),
  on: {
    async 'settings.changed'({ data: { scope, id, fields } }, ctx) {
      if (scope !== 'inbox' || !id) return
      if (fields?.includes('enabled')) await followSwitch(ctx as unknown as Ctx, id)
      else if (fields?.includes('settings.clientKey')) await followApp(ctx as unknown as Ctx, id)
    },
  },
  jobs: {
    refresh: { every: 10 * 60_000, run: (_data, ctx) => keepTokensAlive(ctx as unknown as Ctx) },
    stray: { run: (data, ctx) => bringStray(data, ctx as unknown as Ctx) },
  },
  ui: { admin: 'ui/dist/admin.js' },
})
