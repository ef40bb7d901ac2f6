/** Finds out who a customer is from what they write: telephone, WeChat, QQ, e-mail, age and gender, whatever they are dressed up as. */
import { definePlugin } from '@huike/core/sdk/plugin.ts'
import { migrations } from './migrations/index.ts'
import { entities, Fact } from './server/fact.entity.ts'
import { forgetConversation } from './server/forget-conversation.ts'
import { keyFacts } from './server/key-facts.ts'
import { readMessage } from './server/read-message.ts'
import { routes } from './server/routes.ts'
import { type Ctx, pluginSettings } from './server/settings.ts'

export default definePlugin({
  id: 'extraction',
  version: '0.1.0',
  label: { zh: '信息识别', en: 'Contact finder' },
  description: {
    zh: '从客户的聊天里找出手机、座机、微信、QQ、邮箱、年龄和性别，填进客户资料，打上标签，标出原话。',
    en: 'Finds telephone, WeChat, QQ, e-mail, age and gender in what customers write, fills them in, tags, and marks the words.',
  },
  requires: { hub: '>=0.1.0' },
  settings: pluginSettings,
  permissions: [{ name: 'rule.manage', label: { zh: '管理信息识别规则', en: 'Manage the rules of the contact finder' }, grantTo: ['admin'] }],
  contactFields: [
    { name: 'age', label: { zh: '年龄', en: 'Age' } },
    { name: 'gender', label: { zh: '性别', en: 'Gender' } },
  ],
  entities,
  migrations,
  routes: (app, ctx) => routes(app, ctx as unknown as Ctx),
  on: {
    'message.received': (event, ctx) => readMessage(ctx as unknown as Ctx, event),
    // What was found of an identity goes where the identity goes.
    'contact.merged': async ({ data }, ctx) => void (await ctx.em().nativeUpdate(Fact, { identityId: { $in: data.identityIds } }, { contactId: data.intoId })),
    'contact.split': async ({ data }, ctx) => void (await ctx.em().nativeUpdate(Fact, { identityId: { $in: data.identityIds } }, { contactId: data.intoId })),
    'record.purged': ({ data }, ctx) => forgetConversation(ctx as unknown as Ctx, data.conversationId),
  },
  jobs: {
    'key-facts': {
      every: 3_600_000,
      run: async (_data, ctx) => {
        while ((await keyFacts(ctx as unknown as Ctx)) > 0);
      },
    },
  },
  ui: { admin: 'ui/dist/admin.js', workbench: 'ui/dist/workbench.js' },
})
