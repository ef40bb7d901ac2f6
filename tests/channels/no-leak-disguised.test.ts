/** What customers dress up reaches nobody who may not see it: threads, previews, search and its snippets, marks, CSV. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import exportPlugin from '../../plugins/export/plugin.ts'
import extraction from '../../plugins/extraction/plugin.ts'
import { Mark } from '../../plugins/extraction/server/fact.entity.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

const { manifest: mock } = mockChannel('disguise')
/** What is said, and the part of it that nobody may read. */
const said: readonly [text: string, secret: string][] = [
  ['加薇 lucky-cat99 细聊', 'lucky-cat99'],
  ['liujia0418，我微信，备注牙齿矫正', 'liujia0418'],
  ['V❤：moon_light520', 'moon_light520'],
  ['①⑦⑦⓪①②③④⑤⑥⑦ 这是我号码', '⓪①②③'],
  ['一三六二二〇五九九幺七 晚上打给我', '二二〇五'],
  ['邮箱：zhaomin2020（at）gmail点com', 'zhaomin2020'],
  ['扣扣 ８７６５４３２１', '６５４３２１'],
  ['电话137\n9988\n6655', '9988'],
  ['0013', '0013'],
  ['happy_bear1314', 'happy_bear1314'],
]

await onEveryProfile('disguised', [found(mock), found(extraction), found(exportPlugin)], (world) => {
  test('no way out tells what was dressed up', async () => {
    const em = world().hub.em()
    const owner = await world().person('老板', 'owner')
    const reader = await world().person('小遮', 'admin')
    const { roleId } = await em.findOneOrFail(AgentRole, { agentId: reader.id }, { disableIdentityMap: true })
    const { grants } = await em.findOneOrFail(Role, { id: roleId }, { disableIdentityMap: true })
    // All that an admin may, but to see who somebody is.
    await em.nativeUpdate(Role, { id: roleId }, { grants: grants.filter(({ permission }) => !/^contact\.(?:personal|reveal)$/.test(permission)) })
    world().hub.access.clear()

    const inbox = await world().inbox('disguise')
    const messages: { id: string; conversationId: string }[] = []
    // Each in a conversation of its own: then each is a preview as well.
    for (const [text] of said) {
      const [one] = await world().say(inbox, newId(), text)
      messages.push({ id: one?.messageId as string, conversationId: one?.conversationId as string })
    }
    await em.nativeUpdate(Conversation, { id: { $in: messages.map(({ conversationId }) => conversationId) } }, { assigneeId: reader.id, status: 'open' })
    await eventually(async () => (await em.count(Mark, { messageId: { $in: messages.map(({ id }) => id) } })) >= 8, 'the marks')

    const search = (keyword: string) => `/api/records?filter=${encodeURIComponent(JSON.stringify({ keyword }))}`
    const ask = async (who: typeof reader) => {
      const answers: [string, unknown][] = []
      const get = async (url: string) => answers.push([url, (await who.call('GET', url)).body])
      await get('/api/conversations?group=open')
      await get('/api/records')
      for (const { conversationId } of messages) await get(`/api/conversations/${conversationId}/messages`)
      for (const word of ['微信', '细聊', '号码', '晚上', '邮箱', '扣扣', '电话']) await get(search(word))
      const marks = await who.call('POST', '/api/x/extraction/marks', {
        conversations: messages.map(({ conversationId }) => conversationId),
        messages: messages.map(({ id }) => id),
      })
      answers.push(['marks', marks.body])
      return answers
    }
    const all = await ask(reader)
    for (const [url, body] of all)
      for (const [, secret] of said)
        assert.ok(!JSON.stringify(body).includes(JSON.stringify(secret).slice(1, -1)), `${secret} stands in ${url}: ${JSON.stringify(body).slice(0, 600)}`)
    assert.ok(JSON.stringify(all.find(([url]) => url === search('细聊'))?.[1]).includes('加薇 lu********* 细聊'), 'the snippet is there, starred')
    // The same questions do tell whoever may see it.
    const seen = JSON.stringify(await ask(owner))
    for (const [, secret] of said) assert.ok(seen.includes(secret), `${secret} is told to the owner`)
    // Looking for it finds nothing either: a count would tell it piece by piece.
    for (const [, secret] of said) {
      const items = async (who: typeof reader) => (await who.call('GET', search(secret))).body.items.length
      assert.deepEqual([await items(reader), await items(owner)], [0, 1], secret)
    }

    const order = {
      format: 'csv',
      rows: 'message',
      fields: ['id', 'contact', 'text'],
      attachments: false,
      personal: false,
      nameRule: '{date}',
      tz: 'UTC',
      language: 'zh',
    }
    const placed = (await reader.call('POST', '/api/x/export/exports', order)).body
    await eventually(async () => (await reader.call('GET', `/api/x/export/exports/${placed.id}`)).body.state === 'done', 'the export')
    const csv = await (await fetch(new URL(`/api/x/export/exports/${placed.id}/file`, world().url), { headers: { cookie: reader.cookie } })).text()
    for (const [, secret] of said) assert.ok(!csv.includes(secret), `${secret} stands in the CSV`)
    assert.ok(csv.includes('细聊'))
  })
})
