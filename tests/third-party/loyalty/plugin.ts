/** A third party's plugin, as somebody outside would write it: points for every conversation, shown to agents, listed for admins. */

import { definePlugin } from '@huike/core/sdk/plugin.ts'
import { defineEntity, p } from '@mikro-orm/core'

const Points = defineEntity({
  name: 'LoyaltyPoints',
  tableName: 'loyalty_points',
  properties: { contactId: p.string().length(26).primary(), points: p.integer() },
})

export default definePlugin({
  id: 'loyalty',
  version: '1.2.0',
  label: { zh: '会员积分', en: 'Loyalty points' },
  description: { zh: '客户每发一条消息得一分。', en: 'A point for every message.' },
  requires: { hub: '>=0.1.0' },
  permissions: [{ name: 'points.read', label: { zh: '查看会员积分', en: 'See points' }, grantTo: ['admin', 'supervisor', 'agent'] }],
  entities: [Points],
  migrations: [
    {
      name: '0001-points',
      mysql: [
        'create table `loyalty_points` (`contact_id` varchar(26) not null, `points` int not null, primary key (`contact_id`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
      ],
      sqlite: ['create table `loyalty_points` (`contact_id` text not null primary key, `points` integer not null)'],
    },
  ],
  routes(app, ctx) {
    app.get('/points/:contactId', { config: { access: { permission: 'loyalty.points.read' } } }, async (request) => {
      const { contactId } = request.params as { contactId: string }
      return { points: (await ctx.em().findOne(Points, { contactId }))?.points ?? 0 }
    })
    app.get('/top', { config: { access: { permission: 'loyalty.points.read' } } }, async () => ({
      items: await ctx.em().find(Points, { points: { $gt: 0 } }, { orderBy: { points: 'desc' }, limit: 20 }),
    }))
  },
  on: {
    async 'message.received'({ data }, ctx) {
      const em = ctx.em()
      const { contactId } = data.message
      const row = await em.findOne(Points, { contactId })
      await em.upsert(Points, { contactId, points: (row?.points ?? 0) + 1 })
    },
  },
  jobs: { tidy: { every: 3_600_000, run: async (_data, ctx) => void (await ctx.em().nativeDelete(Points, { points: { $lte: 0 } })) } },
  ui: { workbench: 'ui/workbench.js', admin: 'ui/admin.js' },
})
