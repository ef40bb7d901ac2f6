/** The website channel: a widget on any page, its visitors, their conversations. Lives by the same contract as every other plugin. */
import { definePlugin } from '@huike/core/sdk/plugin.ts'
import { inboxSettings, maxFileBytes } from './server/inbox-settings.ts'
import { websiteRoutes } from './server/routes.ts'
import { visitorSockets } from './server/sockets.ts'

export default definePlugin({
  id: 'website',
  version: '0.1.0',
  label: { zh: '网站', en: 'Website' },
  description: {
    zh: '在任意网页上放一个聊天窗口，实时接待访客。',
    en: 'A chat widget for any web page, with live visitors.',
  },
  requires: { hub: '>=0.1.0' },
  channel: (ctx) => ({
    label: { zh: '网站', en: 'Website' },
    icon: 'globe',
    starter: { zh: '我的网站', en: 'My website' },
    install: {
      snippet: '<script async src="{hub}/widget.js" data-inbox="{inbox}"></script>',
      preview: '/api/x/website/frame/{inbox}?preview',
      demo: '/demo?inbox={inbox}',
    },
    inboxSettings,
    capabilities: {
      send: ['text', 'image', 'file', 'audio', 'video', 'link'],
      delivery: 'pull',
      maxTextLength: 10_000,
      maxFileSize: maxFileBytes,
      recallMs: 2 * 60_000,
      receipts: ['delivered', 'read'],
      idempotentSend: true,
    },
    notify: ({ to, conversationId, note }, inbox) => ctx.push(`visitor:${inbox.id}:${to}`, 'note', { conversationId, ...note }),
  }),
  routes: websiteRoutes,
  sockets: visitorSockets,
  assets: [
    { path: '/widget.js', file: 'widget/dist/widget.js', type: 'text/javascript; charset=utf-8', embeddable: true },
    { path: '/widget/line.js', file: 'widget/dist/line.js', type: 'text/javascript; charset=utf-8', maxAgeSeconds: 604_800 },
    { path: '/widget/frame.js', file: 'widget/dist/frame.js', type: 'text/javascript; charset=utf-8', maxAgeSeconds: 604_800 },
    { path: '/widget/frame.css', file: 'widget/dist/frame.css', type: 'text/css; charset=utf-8', maxAgeSeconds: 604_800 },
    { path: '/demo', file: 'demo/index.html', type: 'text/html; charset=utf-8', maxAgeSeconds: 0 },
    { path: '/demo/shop.css', file: 'demo/shop.css', type: 'text/css; charset=utf-8', maxAgeSeconds: 0 },
    { path: '/demo/shop.js', file: 'demo/shop.js', type: 'text/javascript; charset=utf-8', maxAgeSeconds: 0 },
  ],
})
