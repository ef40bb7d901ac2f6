/** The e-mail channel: mailboxes read by IMAP, answered by SMTP. Lives by the same contract as every other plugin. */

import { buffer } from 'node:stream/consumers'
import { definePlugin } from '@huike/core/sdk/plugin.ts'
import { checkInbox } from './server/check-inbox.ts'
import { credentialsOf } from './server/credentials.ts'
import { forgetConversation } from './server/forget-conversation.ts'
import { inboxSettings, mailboxOf, signatureOf } from './server/inbox-settings.ts'
import { emailEntities } from './server/letter.entity.ts'
import { emailMigrations } from './server/migrations.ts'
import { emailRoutes } from './server/routes.ts'

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
  personalIds: true,
  channel: (ctx) => ({
    label: { zh: '邮件', en: 'Email' },
    icon: 'mail',
    inboxSettings,
    capabilities: {
      send: ['text', 'html', 'image', 'file', 'audio', 'video', 'link', 'card'],
      delivery: 'push',
      maxTextLength: 20_000,
      maxFileSize: 18 * 1024 * 1024,
      retryHours: 24,
      // Twenty megabytes by a slow line, in the writing of mail, and the server’s look at them (`patience`).
      sendTimeoutMs: 300_000,
      letter: ['subject', 'to', 'cc', 'html'],
    },
    // What speaks IMAP and SMTP and reads letters is large: it is loaded with the first mailbox.
    async listen(inbox, emit) {
      const { watchMailbox } = await import('./server/mailbox.ts')
      const watch = watchMailbox(ctx, inbox, emit)
      return () => watch.stop()
    },
    send: async (message, inbox) => (await import('./server/send-mail.ts')).sendMail(ctx, message, inbox),
    letterhead(inbox, agentName) {
      const mailbox = mailboxOf(inbox)
      const signature = signatureOf(mailbox, agentName)
      return {
        from: { name: mailbox.settings.displayName || mailbox.name, address: mailbox.address },
        own: [...mailbox.own],
        ...(signature ? { signature } : {}),
        quotes: mailbox.settings.quotePrevious,
      }
    },
    check: (inbox, enabled) => checkInbox(ctx, inbox, enabled),
    credentials: (inboxes) => credentialsOf(ctx, inboxes),
    probe: async (inbox) => (await import('./server/probe.ts')).probeMailbox(ctx, inbox),
  }),
  routes: emailRoutes,
  on: { 'record.purged': ({ data }, ctx) => forgetConversation(ctx, data.conversationId) },
  jobs: {
    /** The copy in the Sent folder: the letter is out already, so this may wait and be tried again. */
    'append-sent': {
      attempts: 6,
      async run(data, ctx) {
        const { inboxId, messageId, at, raw } = data as { inboxId: string; messageId: string; at: number; raw: string }
        const inbox = await ctx.inbox(inboxId)
        const file = await ctx.file(raw)
        if (!inbox || !file) return
        const [{ appendSent }, { noteRelayId }] = await Promise.all([import('./server/append-sent.ts'), import('./server/thread.ts')])
        const there = await appendSent(ctx, mailboxOf(inbox), messageId, await buffer(await file.open()), new Date(at))
        await noteRelayId(ctx.em(), inboxId, messageId, there)
      },
    },
  },
  ui: { admin: 'ui/admin.js' },
})
