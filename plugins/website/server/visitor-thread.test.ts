/** A visitor's own thread: who they become by what they send, what they rate, what they can reach. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { io } from 'socket.io-client'
import { newId } from '../../../core/src/db/types.ts'
import { Contact, Identity } from '../../../core/src/domain/contact/contact.entity.ts'
import { closeConversation } from '../../../core/src/domain/conversation/close-conversation.ts'
import { Conversation } from '../../../core/src/domain/conversation/conversation.entity.ts'
import { StoredFile } from '../../../core/src/domain/file/file.entity.ts'
import type { Inbox } from '../../../core/src/domain/inbox/inbox.entity.ts'
import { Message } from '../../../core/src/domain/message/message.entity.ts'
import { call, eventually, found, onEveryProfile } from '../../../tests/support/world.ts'
import website from '../plugin.ts'

const api = '/api/x/website'

await onEveryProfile('visitors and their thread', [found(website, join(import.meta.dirname, '..'))], (world) => {
  const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    call(world().url, method, `${api}${path}`, body, { 'user-agent': 'Mozilla/5.0 Chrome/140', ...headers })
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const enter = async ({ id }: Inbox): Promise<string> => (await ask('POST', `/inboxes/${id}/session`, {})).body.token
  const nameOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).externalId

  test('a receipt of somebody who never wrote is answered and makes no contact', async () => {
    const inbox = await world().inbox('website')
    const token = await enter(inbox)
    const em = world().hub.em()
    const before = await em.count(Contact, {})
    assert.equal((await ask('POST', '/receipts', { conversationId: newId(), seq: 1, status: 'read' }, bearer(token))).status, 200)
    assert.deepEqual([await em.count(Contact, {}), await em.count(Identity, { inboxId: inbox.id })], [before, 0])
  })

  test('what a visitor writes is shown as fast as the widget tells it, whatever a socket sends; the last word counts', async () => {
    const inbox = await world().inbox('website')
    const token = await enter(inbox)
    const [said] = await world().say(inbox, nameOf(token), '在吗')
    const shown: string[] = []
    const stop = world().hub.bus.subscribe('ephemeral', (data) => {
      const { conversationId, text } = data as { conversationId: string; text?: string }
      if (conversationId === said?.conversationId) shown.push(text ?? '')
    })
    const socket = io(`${world().url}/x/website`, { path: '/socket', transports: ['websocket'], forceNew: true, reconnection: false, auth: { token } })
    try {
      await new Promise((resolve, reject) => socket.once('connect', () => resolve(undefined)).once('connect_error', reject))
      const began = performance.now()
      for (let i = 1; i <= 200; i++) socket.emit('typing', { text: `第 ${i} 字` })
      await eventually(() => shown.includes('第 200 字'), 'the last word')
      assert.equal(shown.at(-1), '第 200 字')
      const most = 2 + (performance.now() - began) / 400
      assert.ok(shown.length <= most, `${shown.length} of 200 were told`)
    } finally {
      socket.disconnect()
      stop()
    }
  })

  test('all that a visitor ever said is scrolled back to, however many conversations it was', async () => {
    const inbox = await world().inbox('website')
    const token = await enter(inbox)
    const said: string[] = []
    let first = ''
    for (let i = 1; i <= 55; i++) {
      said.push(`第 ${i} 次`)
      const [accepted] = await world().say(inbox, nameOf(token), `第 ${i} 次`)
      first ||= accepted?.conversationId ?? ''
      if (i < 55) await closeConversation(world().hub, accepted?.conversationId ?? '', 'agent', null)
    }
    // The oldest one changes last: its words stay where they were said.
    assert.equal((await ask('POST', '/rating', { conversationId: first, rating: 1 }, bearer(token))).status, 200)
    const back: string[] = []
    let before = ''
    for (;;) {
      const { body } = await ask('GET', `/thread${before}`, undefined, bearer(token))
      const mine = body.messages.flatMap(({ from, parts }: { from: string; parts: { text: string }[] }) => (from === 'me' ? [parts[0]?.text] : []))
      back.unshift(...mine)
      if (!body.more) break
      before = `?before=${body.messages[0].id}`
    }
    assert.deepEqual(back, said)
  })

  test('a file that an agent sent is opened by the message that carries it; a note’s and a recalled one’s is not', async () => {
    const inbox = await world().inbox('website')
    const token = await enter(inbox)
    const [said] = await world().say(inbox, nameOf(token), '发一下说明书')
    const agent = await world().person('小蒋', 'admin')
    const em = world().hub.em()
    const upload = async (words: string) => {
      const form = new FormData()
      form.append('file', new Blob([words]), 'a.txt')
      const sent = await fetch(`${world().url}/api/files`, { method: 'POST', headers: { cookie: agent.cookie }, body: form })
      return (await sent.json()) as { fileId: string }
    }
    const post = (part: object, note: boolean) =>
      agent.call('POST', `/api/conversations/${said?.conversationId}/messages`, { clientId: newId(), parts: [part], note })
    const opened = async ({ fileId }: { fileId: string }) => (await fetch(`${world().url}${api}/files/${fileId}?token=${token}`)).status
    const carrier = async ({ fileId }: { fileId: string }) => (await em.findOneOrFail(StoredFile, { id: fileId }, { disableIdentityMap: true })).messageId
    const [shown, kept] = [await upload('说明书'), await upload('成本价')]
    const first = await post(shown, false)
    assert.deepEqual([first.status, await carrier(shown), await opened(shown)], [201, first.body.id, 200])
    assert.equal((await post(kept, true)).status, 201)
    assert.deepEqual([await carrier(kept), await opened(kept)], [null, 404])
    assert.equal((await post(shown, true)).status, 201)
    assert.equal(await carrier(shown), first.body.id, 'a note takes nothing over')
    // Sent a second time, and that one taken back: the first still shows it.
    const second = await post(shown, false)
    assert.equal(await carrier(shown), second.body.id)
    await em.nativeUpdate(Message, { id: second.body.id }, { recalledAt: new Date() })
    assert.equal(await opened(shown), 200)
    await em.nativeUpdate(Message, { id: first.body.id }, { recalledAt: new Date() })
    assert.equal(await opened(shown), 404)
    // From before it was noted down.
    await em.nativeUpdate(Message, { id: first.body.id }, { recalledAt: null })
    await em.nativeUpdate(StoredFile, { id: shown.fileId }, { messageId: null })
    assert.equal(await opened(shown), 200)
    // However much was said since.
    const like = await em.findOneOrFail(Message, { id: first.body.id }, { disableIdentityMap: true })
    const later = Array.from({ length: 450 }, (_, n) => {
      const id = newId()
      return { ...like, id, seq: like.seq + 100 + n, dedupeKey: `out:${id}`, externalId: null, parts: [] } as Message
    })
    await em.insertMany(Message, later)
    assert.equal(await opened(shown), 200)
  })

  test('what has ended is rated, by who was in it; the same rating again, also at once, is one line; another counts', async () => {
    const inbox = await world().inbox('website')
    const [token, other] = [await enter(inbox), await enter(inbox)]
    const [said] = await world().say(inbox, nameOf(token), '谢谢')
    await world().say(inbox, nameOf(other), '我是别人')
    const conversationId = said?.conversationId ?? ''
    const rate = (as: string, rating: number, comment = '') => ask('POST', '/rating', { conversationId, rating, comment }, bearer(as))
    const open = await rate(token, 1)
    assert.deepEqual([open.status, open.body.code], [409, 'HUB_CONFLICT'])
    await closeConversation(world().hub, conversationId, 'agent', null)
    assert.equal((await rate(other, 3)).status, 404)
    assert.equal((await rate(token, 4)).status, 400)
    const em = world().hub.em()
    const lines = async () =>
      (await em.find(Message, { conversationId, direction: 'system' }, { orderBy: { seq: 'asc' }, disableIdentityMap: true })).flatMap(({ parts: [part] }) =>
        part?.type === 'event' && part.name === 'conversation.rated' ? [part.params?.rating] : [],
      )
    const equal = await Promise.all([rate(token, 1, '很快'), rate(token, 1, '很快'), rate(token, 1, '很快')])
    assert.deepEqual([equal.map(({ status }) => status), await lines()], [[200, 200, 200], [1]])
    assert.equal((await rate(token, 2)).status, 200)
    const { rating, ratingComment } = await em.findOneOrFail(Conversation, { id: conversationId }, { disableIdentityMap: true })
    assert.deepEqual([rating, ratingComment, await lines()], [2, '', [1, 2]])
  })
})
