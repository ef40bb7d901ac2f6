/** Who did what, when, from where: every deed in one chain that nobody can change unseen. */
import { definePlugin } from '@huike/core/sdk/plugin.ts'
import { migrations } from './migrations/index.ts'
import { entities } from './server/audit.entity.ts'
import { listen } from './server/listen.ts'
import { routes } from './server/routes.ts'
import { type Ctx, settings } from './server/settings.ts'
import { markAlive, tellSilence } from './server/silence.ts'
import { entriesTable } from './server/table.ts'
import { tidy } from './server/tidy.ts'
import { verifyCommand } from './server/verify-command.ts'

export default definePlugin({
  id: 'audit',
  version: '0.1.0',
  label: { zh: '审计日志', en: 'Audit log' },
  description: {
    zh: '记下每次登录、查看、搜索、导出、删除和设置改动；条目环环相扣，改动或缺失都能查出来。',
    en: 'Writes down every sign-in, view, search, export, deletion and change of settings, in a chain that shows what was changed or removed.',
  },
  requires: { hub: '>=0.1.0' },
  settings,
  permissions: [{ name: 'read', label: { zh: '查看审计日志', en: 'Read the audit log' }, grantTo: ['admin'] }],
  entities,
  migrations,
  routes: (app, ctx) => routes(app, ctx as unknown as Ctx),
  on: {
    '*': (event, ctx) => listen(ctx as unknown as Ctx, event),
    // The work of answering stands in the conversations themselves.
    'message.received': false,
    'message.sent': false,
    'message.read': false,
    'message.failed': false,
    'conversation.opened': false,
    'conversation.assigned': false,
    'conversation.closed': false,
    'agent.presenceChanged': false,
    'inbox.healthChanged': false,
  },
  jobs: {
    alive: { every: 60_000, attempts: 1, run: (_data, ctx) => markAlive(ctx as unknown as Ctx, new Date()) },
    tidy: { every: 3_600_000, attempts: 1, run: (_data, ctx) => tidy(ctx as unknown as Ctx, new Date()) },
  },
  tables: { entries: entriesTable as never },
  commands: { verify: verifyCommand },
  ui: { admin: 'ui/dist/admin.js', workbench: 'ui/dist/workbench.js' },
  start: (ctx) => tellSilence(ctx as unknown as Ctx, new Date()),
})
