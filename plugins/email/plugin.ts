/** The e-mail channel: mailboxes read by IMAP, answered by SMTP. Lives by the same contract as every other plugin. */

import { buffer } from 'node:stream/consumers'
import { definePlugin } from '@huike/core/sdk/plugin.ts'
import { appendSent } from './server/append-sent.ts'
import { inboxSettings, mailboxOf } from './server/inbox-settings.ts'
import { emailEntities } from './server/letter.entity.ts'
import { watchMailbox } from './server/mailbox.ts'
import { emailMigrations } from './server/migrations.ts'
import { probeMailbox } from './server/probe.ts'
import { emailRoutes } from './server/routes.ts'
import { sendMail } from './server/send-mail.ts'

export default definePlugin({
  id: 'email',
  version: '0.1.0',
  label: { zh: '邮件', en: 'Email' },
  description: {
    zh: '接入一个或多个邮箱（163、126、QQ、企业邮、Gmail、Microsoft 365 等），收发邮件都在工作台完成。',
    en: 'One or more mailboxes (NetEase, QQ, Exmail, Gmail, Microsoft 365 and others), read and answered in the workbench.',
  },
  requires: { hub: '>=0.1.0' },
  permissions: [{ name: 'mailbox.authorise', label: { zh: '授权邮箱（OAuth）', en: 'Authorise mailboxes (OAuth)' }, grantTo: ['admin'] }],
  entities: emailEntities,
  migrations: emailMigrations,
  channel: (ctx) => ({
    label: { zh: '邮件', en: 'Email' },
    icon: 'mail',
    inboxSettings,
    capabilities: {
      send: ['text', 'html', 'image', 'file', 'audio', 'video', 'link', 'card'],
      delivery: 'push',
      maxTextLength: 20_000,
      maxFileSize: 18 * 1024 * 1024,
      letter: ['subject', 'to', 'cc', 'html'],
    },
    listen(inbox, emit) {
      const watch = watchMailbox(ctx, inbox, emit)
      return () => watch.stop()
    },
    send: (message, inbox) => sendMail(ctx, message, inbox),
    probe: (inbox) => probeMailbox(ctx, inbox),
  }),
  routes: emailRoutes,
  jobs: {
    /** The copy in the Sent folder: the letter is out already, so this may wait and be tried again. */
    'append-sent': {
      attempts: 6,
      async run(data, ctx) {
        const { inboxId, messageId, at, raw } = data as { inboxId: string; messageId: string; at: number; raw: string }
        const inbox = await ctx.inbox(inboxId)
        const file = await ctx.file(raw)
        if (!inbox || !file) return
        await appendSent(ctx, mailboxOf(inbox), messageId, await buffer(await file.open()), new Date(at))
      },
    },
  },
  ui: { admin: 'ui/admin.js' },
})
