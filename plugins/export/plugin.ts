/** Takes conversations out of the hub as files: chosen columns, in the background, sealed at rest, seen by whom they are shared with. */
import { definePlugin } from '@huike/core/sdk/plugin.ts'
import { migrations } from './migrations/index.ts'
import { type Ctx, pluginSettings } from './server/context.ts'
import { deliver, sweepDeliveries } from './server/deliver.ts'
import { entities } from './server/export.entity.ts'
import { sweepBlobs } from './server/noted-blobs.ts'
import { routes } from './server/routes.ts'
import { runSchedules, tellOwnerLeft } from './server/run-schedules.ts'
import { sweepExports, writeExport } from './server/write-export.ts'

export default definePlugin({
  id: 'export',
  version: '0.1.0',
  label: { zh: '导出', en: 'Export' },
  description: {
    zh: '把聊天记录导出为 Excel、CSV 或带水印的 PDF：自选字段，后台生成，加密保存，到期删除，谁下载过一目了然。',
    en: 'Conversations as Excel, CSV or PDF with a watermark: columns of choice, written in the background, encrypted, deleted in time, with a list of who downloaded.',
  },
  requires: { hub: '>=0.1.0' },
  settings: pluginSettings,
  permissions: [
    { name: 'record', label: { zh: '导出聊天记录', en: 'Export conversations' }, reach: { admin: 'all', supervisor: 'tree', agent: 'own' } },
    { name: 'personal', label: { zh: '导出客户个人信息', en: 'Export personal data' }, grantTo: ['admin'] },
    // Not "manage": to CASL that word means every action, those above too.
    { name: 'oversee', label: { zh: '查看并停止所有人的导出', en: 'See and stop everybody’s exports' }, grantTo: ['admin'] },
    { name: 'schedule', label: { zh: '设置定时导出', en: 'Schedule exports' }, grantTo: ['admin', 'supervisor', 'agent'] },
    { name: 'deliver', label: { zh: '把导出发送到目的地', en: 'Send exports to destinations' }, grantTo: ['admin'] },
    { name: 'destination', label: { zh: '管理导出目的地', en: 'Manage destinations of exports' }, grantTo: ['admin'] },
  ],
  entities,
  migrations,
  on: {
    'agent.changed': async ({ data }, ctx) => {
      if (data.active === false) await tellOwnerLeft(ctx as unknown as Ctx, data.agentId)
      if (data.active === true) await ctx.endNotice('ownerLeft', data.agentId)
    },
  },
  routes: (app, ctx) => routes(app, ctx as unknown as Ctx),
  ui: { admin: 'ui/dist/workbench.js', workbench: 'ui/dist/workbench.js' },
  jobs: {
    write: { run: (data, ctx) => writeExport(ctx as unknown as Ctx, (data as { id: string }).id) },
    sweep: { every: 15_000, run: (_data, ctx) => sweepExports(ctx as unknown as Ctx) },
    schedules: { every: 15_000, run: (_data, ctx) => runSchedules(ctx as unknown as Ctx) },
    deliver: { run: (data, ctx) => deliver(ctx as unknown as Ctx, (data as { id: string }).id) },
    deliveries: { every: 15_000, run: (_data, ctx) => sweepDeliveries(ctx as unknown as Ctx) },
    orphans: { every: 600_000, run: (_data, ctx) => sweepBlobs(ctx as unknown as Ctx) },
  },
})
