/** What visitors' windows ask for, by HTTP and on their live line, where no browser is needed to see it. */
import assert from 'node:assert/strict'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { io } from 'socket.io-client'
import { newId } from '../../core/src/db/types.ts'
import { Contact, Identity } from '../../core/src/domain/contact/contact.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import website from '../../plugins/website/plugin.ts'
import { call, eventually, found, onEveryProfile } from '../support/world.ts'

await onEveryProfile('website', [found(website, join(resolve(import.meta.dirname, '../..'), 'plugins/website'))], (world) => {
  /** A visitor whose window is open. */
  async function visitor(inbox: Inbox) {
    const headers = { 'user-agent': 'Mozilla/5.0 Chrome/140' }
    const { body } = await call(world().url, 'POST', `/api/x/website/inboxes/${inbox.id}/session`, {}, headers)
    const { token } = body as { token: string }
    const { externalId } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { externalId: string }
    const ask = (method: string, path: string, sent?: unknown) =>
      call(world().url, method, `/api/x/website${path}`, sent, { ...headers, authorization: `Bearer ${token}` })
    return { token, externalId, ask }
  }

  test('a receipt of somebody who never wrote is answered and makes no contact', async () => {
    const inbox = await world().inbox('website')
    const { ask } = await visitor(inbox)
    const em = world().hub.em()
    const before = await em.count(Contact, {})
    assert.equal((await ask('POST', '/receipts', { conversationId: newId(), seq: 1, status: 'read' })).status, 200)
    assert.deepEqual([await em.count(Contact, {}), await em.count(Identity, { inboxId: inbox.id })], [before, 0])
  })

  test('what a visitor writes is shown as fast as the widget tells it, whatever a socket sends; the last word counts', async () => {
    const inbox = await world().inbox('website')
    const { token, externalId } = await visitor(inbox)
    const [said] = await world().say(inbox, externalId, '在吗')
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
})
