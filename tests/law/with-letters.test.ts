/** `meta`, `capabilities.letter`, `html` parts and `conversationId`: letters keep their headers, a machine's letter wakes nobody, a thread takes who was recognised. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChannelAdapter, InboundEvent } from '../../core/sdk/channel.ts'
import type { HubEvents } from '../../core/sdk/events.ts'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { eventually, found, onEveryProfile } from '../support/world.ts'

type Letter = Extract<InboundEvent, { kind: 'message' }>
const { manifest, platform } = mockChannel('post', { send: ['text', 'html'], letter: ['subject', 'to', 'cc', 'html'] })
const channel = manifest.channel as ChannelAdapter
channel.letterhead = (inbox, agentName) => ({
  from: { name: inbox.name, address: 'desk@post.test' },
  own: ['desk@post.test'],
  signature: agentName,
  quotes: true,
})
const { manifest: plain } = mockChannel('plain')
const heard: HubEvents['message.received'][] = []
manifest.on = { 'message.received': async ({ data }) => void heard.push(data) }

await onEveryProfile('letters', [found(manifest), found(plain)], (world) => {
  const write = async (inbox: Inbox, who: string, more: Partial<Letter> = {}) => {
    const [accepted] = await world().hub.intake.accept(inbox.id, [
      { kind: 'message', externalId: newId(), from: { externalId: who }, parts: [{ type: 'text', text: '您好' }], ...more },
    ])
    return accepted as { conversationId: string; messageId: string }
  }
  const row = (id: string) => world().hub.em().findOneOrFail(Conversation, { id }, { disableIdentityMap: true })

  test('headers travel both ways; the composer’s are checked, and a channel without them refuses them', async () => {
    const inbox = await world().inbox('post')
    const agent = await world().person('小安', 'admin')
    const meta = { subject: '询价', from: { name: '李雷', address: 'lilei@example.com' }, to: [{ address: 'sales@example.cn' }], auth: { dmarc: 'pass' } }
    const { conversationId } = await write(inbox, 'lilei@example.com', {
      meta,
      parts: [{ type: 'html', html: '<p>两百套<script>x</script></p>', text: '两百套', quoted: '> 旧话' }],
    })
    const [first] = (await agent.call('GET', `/api/conversations/${conversationId}/messages`)).body.items
    assert.deepEqual(first.meta, meta)
    const letter = { subject: 'Re: 询价', cc: [{ address: 'boss@example.cn' }] }
    const { status, body } = await world().reply(agent, conversationId, '报价见附件', { meta: letter })
    assert.equal(status, 201)
    const sent = await eventually(() => platform.sent.find(({ id }) => id === body.id), 'the send')
    assert.deepEqual([sent.meta, sent.agentName, sent.done], [letter, '小安', 0])
    for (const bad of [{ subject: 'a\r\nBcc: x@y.z' }, { to: [{ address: 'no address' }] }, { cc: [{ address: 'a@b', name: 'x\ny' }] }])
      assert.deepEqual([(await world().reply(agent, conversationId, 'x', { meta: bad })).status], [400], JSON.stringify(bad))
    const other = await world().inbox('plain')
    const [said] = await world().say(other, 'a', '你好')
    assert.deepEqual((await world().reply(agent, said?.conversationId, 'x', { meta: { subject: 'y' } })).body.code, 'HUB_MESSAGE_REFUSED')
  })

  test('a letter goes to fifty people at most, however they are divided; to more nothing is stored, and it is said where', async () => {
    const inbox = await world().inbox('post')
    const agent = await world().person('小容', 'admin')
    const { conversationId } = await write(inbox, 'lilei@example.com')
    const people = (count: number) => Array.from({ length: count }, (_, i) => ({ address: `other${i}@example.cn` }))
    const [to, boss] = [[{ address: 'lilei@example.com' }], { address: 'boss@example.cn' }]
    const stored = async () => (await row(conversationId)).lastSeq
    const before = await stored()
    for (const [meta, path] of [
      [{ to, cc: people(50) }, 'body/meta/cc'],
      [{ cc: people(50) }, 'body/meta/cc'],
      [{ to: people(60) }, 'body/meta/to'],
      [{ to, cc: people(60) }, 'body/meta/cc'],
      [{ to: [...people(49), boss], cc: to }, 'body/meta/cc'],
    ] as const) {
      const { status, body } = await world().reply(agent, conversationId, 'x', { meta })
      const [fault] = body.details?.faults ?? []
      assert.deepEqual([status, body.code, fault?.path, fault?.rule], [400, 'HUB_REQUEST_INVALID', path, 'maxItems'])
    }
    assert.equal(await stored(), before)
    for (const meta of [{ to, cc: people(49) }, { cc: people(49) }, { to, cc: [...people(49), { address: 'LiLei@example.com' }] }])
      assert.equal((await world().reply(agent, conversationId, 'x', { meta })).status, 201)
  })

  test('a machine’s letter is kept without raising or reopening anything', async () => {
    const inbox = await world().inbox('post')
    const agent = await world().person('小白', 'admin')
    const automatic = { meta: { subject: '自动回复', automatic: true } }
    const first = await write(inbox, 'robot', automatic)
    assert.equal((await row(first.conversationId)).status, 'closed')
    const real = await write(inbox, 'robot')
    assert.notEqual(real.conversationId, first.conversationId)
    const before = await row(real.conversationId)
    assert.equal((await write(inbox, 'robot', automatic)).conversationId, real.conversationId)
    const after = await row(real.conversationId)
    assert.deepEqual([after.unread, after.lastCustomerAt], [before.unread, before.lastCustomerAt])
    assert.equal(after.lastSeq, before.lastSeq + 1)
    await agent.call('POST', `/api/conversations/${real.conversationId}/close`)
    assert.equal((await write(inbox, 'robot', automatic)).conversationId, real.conversationId)
    assert.equal((await row(real.conversationId)).status, 'closed')
  })

  test('a recognised thread takes a second person, only while it is open and of the same inbox', async () => {
    const inbox = await world().inbox('post')
    const agent = await world().person('小陈', 'admin')
    const { conversationId } = await write(inbox, 'lilei')
    assert.equal((await write(inbox, 'hanmeimei', { conversationId })).conversationId, conversationId)
    // Their own next word, in no thread, is a conversation of their own.
    assert.notEqual((await write(inbox, 'hanmeimei')).conversationId, conversationId)
    const elsewhere = await world().inbox('post')
    assert.notEqual((await write(elsewhere, 'hanmeimei', { conversationId })).conversationId, conversationId)
    assert.notEqual((await write(inbox, 'jim', { conversationId: newId() })).conversationId, conversationId)
    await agent.call('POST', `/api/conversations/${conversationId}/close`)
    assert.notEqual((await write(inbox, 'kate', { conversationId })).conversationId, conversationId)
  })

  test('who wrote is told: whoever is in copy writes in another’s conversation, and is heard and read as themself', async () => {
    const inbox = await world().inbox('post')
    const { conversationId } = await write(inbox, 'anna')
    await write(inbox, 'bob', { conversationId })
    await write(inbox, 'anna')
    const agent = await world().person('小熊', 'admin')
    await world().reply(agent, conversationId, '收到')
    const [anna, bob] = [(await world().identity(inbox.id, 'anna')).id, (await world().identity(inbox.id, 'bob')).id]
    const told = await eventually(() => {
      const here = heard.filter(({ conversation: { id } }) => id === conversationId)
      return here.length === 3 && here.sort((a, b) => a.message.seq - b.message.seq)
    }, 'three messages')
    assert.deepEqual(
      told.map(({ message, conversation }) => [message.identityId, conversation.identityId]),
      [anna, bob, anna].map((writer) => [writer, anna]),
    )
    const said = await world().hub.kernel.get('post')?.ctx.recent(conversationId, { upToSeq: 50, limit: 50 })
    assert.deepEqual(
      said?.filter(({ direction }) => direction !== 'system').map(({ identityId, contactId }) => [identityId, contactId]),
      [anna, bob, anna, null].map((writer) => [writer, told[0]?.conversation.contactId]),
    )
  })

  test('a raw letter’s file becomes the conversation’s', async () => {
    const inbox = await world().inbox('post')
    const agent = await world().person('小邓', 'admin')
    const raw = await world()
      .hub.kernel.get('post')
      ?.ctx.storeFile(inbox.id, { name: '原信.eml', bytes: Buffer.from('From: a') })
    assert.ok(raw?.type === 'file')
    await write(inbox, 'a', { meta: { rawFileId: raw.fileId } })
    assert.equal((await agent.call('GET', `/api/files/${raw.fileId}`)).status, 200)
    assert.equal((await (await world().person('外人')).call('GET', `/api/files/${raw.fileId}`)).status, 404)
  })

  test('markup that an agent sends is cleaned by the core, whoever the client is; its words are taken from it', async () => {
    const inbox = await world().inbox('post')
    const agent = await world().person('小方', 'admin')
    const { conversationId } = await write(inbox, 'hostile')
    const hostile = [
      '<p onclick="steal()">您好<script>alert(1)</script></p>',
      '<img src=x onerror=alert(1)><iframe src="https://evil.example"></iframe><form action="https://evil.example"><input></form>',
      '<a href="javascript:alert(1)">点我</a><a href="https://shop.example/a?b=1">商品</a>',
      '<style>body{position:fixed}</style><svg onload=alert(1)><math><mi xlink:href="data:x"></mi></math></svg>',
      '<div style="position:fixed;background:url(https://evil.example/x);color:#f00">红</div><base href="https://evil.example/">',
      '<ol><li>一</li><li>二</li></ol><ul><li>三</li></ul><blockquote><p>旧</p></blockquote><img src="https://tracker.example/1.gif">',
    ].join('')
    for (const note of [false, true]) {
      const { status, body } = await agent.call('POST', `/api/conversations/${conversationId}/messages`, {
        clientId: newId(),
        note,
        parts: [{ type: 'html', html: hostile, text: '说的是另一回事', quoted: '假的引文' }],
      })
      assert.equal(status, 201, JSON.stringify(body))
      const [part] = body.parts
      assert.doesNotMatch(part.html, /script|onclick|onerror|onload|iframe|<form|<input|javascript:|<style|<svg|<math|position|url\(|<base/i)
      assert.match(part.html, /<a href="https:\/\/shop\.example\/a\?b=1" target="_blank" rel="noopener noreferrer nofollow">商品<\/a>/)
      assert.match(part.html, /<div style="color:#f00">红<\/div>/)
      assert.deepEqual(
        [part.text, part.quoted, part.remoteImages],
        ['您好\n\n点我商品 (https://shop.example/a?b=1)\n红\n\n1. 一\n2. 二\n\n- 三\n\n> 旧', undefined, true],
      )
      const frame = await agent.call('GET', `/api/messages/${body.id}/letters/0`)
      assert.doesNotMatch(frame.body, /alert|evil/)
    }
    const deep = await agent.call('POST', `/api/conversations/${conversationId}/messages`, {
      clientId: newId(),
      parts: [{ type: 'html', html: '<div>'.repeat(5_000), text: 'x' }],
    })
    assert.deepEqual([deep.status, deep.body.code, deep.body.details?.reason], [422, 'HUB_MESSAGE_REFUSED', 'markup'])
  })

  test('the letterhead is told to who may write, and only where there are letters', async () => {
    const inbox = await world().inbox('post')
    const agent = await world().person('小郭', 'admin')
    const { conversationId } = await write(inbox, 'head')
    assert.deepEqual((await agent.call('GET', `/api/conversations/${conversationId}/letterhead`)).body, {
      from: { name: '测试 post', address: 'desk@post.test' },
      own: ['desk@post.test'],
      signature: '小郭',
      quotes: true,
    })
    const stranger = await world().person('小唐')
    assert.equal((await stranger.call('GET', `/api/conversations/${conversationId}/letterhead`)).status, 404)
    const [said] = await world().say(await world().inbox('plain'), 'a', '你好')
    assert.deepEqual((await agent.call('GET', `/api/conversations/${said?.conversationId}/letterhead`)).body.code, 'HUB_NOT_FOUND')
  })

  test('a draft keeps its form', async () => {
    const inbox = await world().inbox('post')
    const agent = await world().person('小苏', 'admin')
    const { conversationId } = await write(inbox, 'draft')
    const draft = { text: '写到一半', html: '<p>写到<strong>一半</strong></p>' }
    assert.equal((await agent.call('PUT', `/api/conversations/${conversationId}/draft`, draft)).status, 200)
    assert.deepEqual((await agent.call('GET', `/api/conversations/${conversationId}/draft`)).body, draft)
  })
})
