/** The visitor's own code against a hub: as whom the words of a browser go out, and what becomes of them while nobody takes them. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { SignJWT } from 'jose'
import { Identity } from '../../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../../core/src/domain/conversation/conversation.entity.ts'
import type { Inbox } from '../../../core/src/domain/inbox/inbox.entity.ts'
import { Message } from '../../../core/src/domain/message/message.entity.ts'
import { Browser, hurry, line, reconnect } from '../../../tests/support/widget-tab.ts'
import { eventually, found, onEveryProfile } from '../../../tests/support/world.ts'
import website from '../plugin.ts'

const key = 'the-shop-signs-with-this-long-key-0123456789'
const jwt = (sub: string) => new SignJWT({ sub }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('5m').sign(new TextEncoder().encode(key))

await onEveryProfile('the widget and its thread', [found(website, join(import.meta.dirname, '..'))], (world) => {
  const browsers: Browser[] = []
  function newBrowser(): Browser {
    line.hub = () => world().url
    line.up = true
    const browser = new Browser()
    browsers.push(browser)
    return browser
  }
  afterEach(() => {
    for (const browser of browsers.splice(0)) browser.close()
  })

  /** What the hub has of a site, by whom. */
  async function storedIn({ id }: Inbox): Promise<string[]> {
    const em = world().hub.em()
    const messages = await em.find(Message, { inboxId: id, direction: 'in' }, { orderBy: { id: 'asc' }, disableIdentityMap: true })
    const conversations = await em.find(Conversation, { inboxId: id }, { disableIdentityMap: true })
    const identities = await em.find(Identity, { inboxId: id }, { disableIdentityMap: true })
    const by = (conversationId: string) => identities.find((one) => one.id === conversations.find((c) => c.id === conversationId)?.identityId)?.externalId ?? ''
    return messages.map(
      ({ parts, conversationId }) => `${by(conversationId).replace(/^v_.*/, 'a stranger')}: ${parts.map((p) => ('text' in p ? p.text : '')).join()}`,
    )
  }
  /** Pauses are cut short now and then; at every look it would be faster than the hub lets anybody be. */
  function hurried<T>(probe: () => T | undefined | false, what: string): Promise<T> {
    let looks = 0
    return eventually(() => {
      if (looks++ % 30 === 0) hurry()
      return probe()
    }, what)
  }
  const strangersIn = ({ id }: Inbox) => world().hub.em().count(Identity, { inboxId: id })

  test('written without a line before there was a token: two tabs send it as one visitor', async () => {
    const inbox = await world().inbox('website')
    const browser = newBrowser()
    line.up = false
    const before = [browser.open(inbox.id), browser.open(inbox.id)]
    before[0]?.say('在吗')
    await eventually(() => before[1]?.shown().includes('在吗'), 'the other tab')
    // Both are loaded anew.
    for (const tab of before) tab.close()
    const [first, second] = [browser.open(inbox.id), browser.open(inbox.id)]
    reconnect()
    await eventually(() => [first, second].every(({ thread }) => thread.messages.length === 1 && thread.waiting.length === 0), 'the thread in both tabs')
    assert.deepEqual([await storedIn(inbox), await strangersIn(inbox)], [['a stranger: 在吗'], 1])
  })

  test('a tab that was somebody already becomes the visitor who speaks first in another', async (t) => {
    const inbox = await world().inbox('website')
    const browser = newBrowser()
    const second = browser.open(inbox.id)
    await eventually(() => second.thread.token, 'a session')
    // Long enough ago to speak at once.
    const { now } = Date
    t.mock.method(Date, 'now', () => now() + 5_000)
    line.up = false
    const first = browser.open(inbox.id)
    first.say('有人吗')
    await eventually(() => second.shown().includes('有人吗'), 'the other tab')
    reconnect()
    await eventually(() => [first, second].every(({ thread }) => thread.messages.length === 1 && thread.waiting.length === 0), 'the thread in both tabs')
    assert.deepEqual([await storedIn(inbox), await strangersIn(inbox)], [['a stranger: 有人吗'], 1])
  })

  test('what one user wrote without a line goes out as no other, and as them when they are back', async () => {
    const inbox = await world().inbox('website', { identitySecret: key })
    const browser = newBrowser()
    line.up = false
    const alice = browser.open(inbox.id, await jwt('alice'))
    alice.say('我是 Alice，卡号 6222')
    alice.close()

    reconnect()
    const bob = browser.open(inbox.id, await jwt('bob'))
    bob.say('我是 Bob')
    await eventually(() => bob.thread.messages.length > 0 && bob.thread.waiting.length === 0, 'his words')
    assert.deepEqual([bob.shown(), await storedIn(inbox)], [['我是 Bob'], ['u_bob: 我是 Bob']])
    // Logs in as somebody else without leaving the page.
    bob.thread.prove(await jwt('carol'))
    bob.say('我是 Carol')
    await eventually(() => bob.shown().length === 1 && bob.thread.messages.length === 1 && bob.thread.waiting.length === 0, 'her words')
    bob.close()

    const back = browser.open(inbox.id, await jwt('alice'))
    await eventually(() => back.thread.messages.length > 0 && back.thread.waiting.length === 0, 'what waited')
    assert.deepEqual((await storedIn(inbox)).sort(), ['u_alice: 我是 Alice，卡号 6222', 'u_bob: 我是 Bob', 'u_carol: 我是 Carol'])
    assert.equal(browser.kept.get('.out'), undefined)
  })

  test('what a stranger wrote beside a user’s tab is theirs, and is kept no longer than it waits', async () => {
    const inbox = await world().inbox('website', { identitySecret: key })
    const browser = newBrowser()
    const user = browser.open(inbox.id, await jwt('erin'))
    await eventually(() => user.thread.token, 'a session')
    const stranger = browser.open(inbox.id)
    stranger.say('没登录时问的')
    await eventually(() => stranger.thread.messages.length === 1 && stranger.thread.waiting.length === 0, 'the words')
    user.say('登录后问的')
    await eventually(() => user.thread.messages.length === 1 && user.thread.waiting.length === 0, 'the user’s words')
    assert.deepEqual([await storedIn(inbox), browser.kept.get('.out')], [['a stranger: 没登录时问的', 'u_erin: 登录后问的'], undefined])
  })

  test('who wrote as a stranger and logs in on the same page says it as the user', async () => {
    const inbox = await world().inbox('website', { identitySecret: key })
    const tab = newBrowser().open(inbox.id)
    line.up = false
    tab.say('我的订单呢')
    tab.thread.prove(await jwt('dora'))
    reconnect()
    await eventually(() => tab.thread.messages.length === 1 && tab.thread.waiting.length === 0, 'the words')
    assert.deepEqual(await storedIn(inbox), ['u_dora: 我的订单呢'])
  })

  test('who has the conversation goes home, and comes back: an open window hears of both with its next look', async () => {
    const admin = await world().person('小邓', 'admin', { presence: 'offline' })
    const department = (await admin.call('POST', '/api/departments', { name: `夜班 ${Date.now()}` })).body
    const inbox = await world().inbox('website', {}, { departmentId: department.id })
    const agent = await world().person('小林', 'agent', { departmentId: department.id })
    const be = (presence: string) => agent.call('PUT', '/api/me/presence', { presence })
    const tab = newBrowser().open(inbox.id)
    tab.say('下午好')
    await eventually(() => tab.thread.conversation?.status === 'open', 'a conversation')
    assert.deepEqual([tab.thread.conversation?.agentPresent, tab.thread.attended], [true, true])
    await be('away')
    let looks = 0
    /** The hub keeps its answer for a second; at every look it would be asked more often than it lets anybody ask. */
    const looked = (probe: () => boolean | undefined) =>
      eventually(() => {
        if (looks++ % 30 === 0) tab.thread.look()
        return probe()
      }, 'another look')
    await looked(() => tab.thread.conversation?.agentPresent === false && !tab.thread.attended)
    await be('busy')
    await looked(() => tab.thread.conversation?.agentPresent)
  })

  test('who is blocked in the middle of a conversation is told so at once', async () => {
    const inbox = await world().inbox('website')
    const owner = await world().person('店主', 'owner')
    const tab = newBrowser().open(inbox.id)
    tab.say('滚')
    await eventually(() => tab.thread.conversation, 'a conversation')
    // What comes by the live line shows that there is one.
    await world().reply(owner, tab.thread.conversation?.id, '请您文明用语')
    await eventually(() => tab.shown().length > 1, 'an answer')
    const { id, contactId } = await world().hub.em().findOneOrFail(Identity, { inboxId: inbox.id })
    assert.equal((await owner.call('POST', `/api/contacts/${contactId}/block`, { identityId: id })).status, 200)
    await eventually(() => tab.refused === 'HUB_IDENTITY_BLOCKED', 'the refusal')
  })

  test('who talks as a stranger and logs in sees the same talk, on the same page and on the next; what was not sent yet goes out as the user', async () => {
    const inbox = await world().inbox('website', { identitySecret: key })
    const browser = newBrowser()
    const tab = browser.open(inbox.id)
    tab.say('有42码吗')
    await eventually(() => tab.thread.messages.length === 1 && tab.thread.waiting.length === 0, 'the words')
    tab.thread.prove(await jwt('erna'))
    // It is never empty meanwhile.
    assert.deepEqual(tab.shown(), ['有42码吗'])
    tab.say('我登录了')
    await eventually(() => tab.thread.messages.length === 2 && tab.thread.waiting.length === 0, 'the talk')
    assert.deepEqual([tab.shown(), await storedIn(inbox), await strangersIn(inbox)], [['有42码吗', '我登录了'], ['u_erna: 有42码吗', 'u_erna: 我登录了'], 1])
    tab.close()

    const other = newBrowser()
    const before = other.open(inbox.id)
    before.say('能便宜点吗')
    await eventually(() => before.thread.messages.length === 1 && before.thread.waiting.length === 0, 'the words')
    line.up = false
    before.say('断网了')
    before.close()
    reconnect()
    const after = other.open(inbox.id, await jwt('frida'))
    await eventually(() => after.thread.messages.length === 2 && after.thread.waiting.length === 0, 'the talk')
    assert.deepEqual([after.shown(), other.kept.get('.out'), await strangersIn(inbox)], [['能便宜点吗', '断网了'], undefined, 2])
    after.close()

    // Signed out, the browser shows nothing of it; what is said then comes along with the next sign-in.
    const out = other.open(inbox.id)
    out.say('退出后问的')
    await hurried(() => out.thread.messages.length === 1 && out.thread.waiting.length === 0, 'the words')
    assert.deepEqual(out.shown(), ['退出后问的'])
    out.close()
    const back = other.open(inbox.id, await jwt('frida'))
    await eventually(() => back.thread.messages.filter(({ from }) => from === 'me').length === 3, 'all of it')
    assert.deepEqual(
      back.shown().filter((text) => text !== ''),
      ['能便宜点吗', '断网了', '退出后问的'],
    )
    assert.ok(back.thread.conversation?.status !== 'closed')
  })

  test('a tab that stayed a stranger while its browser signed in elsewhere is somebody new with its next words, and loses none', async () => {
    const inbox = await world().inbox('website', { identitySecret: key })
    const browser = newBrowser()
    const [left, stays] = [browser.open(inbox.id), browser.open(inbox.id)]
    left.say('一')
    await eventually(() => [left, stays].every(({ thread }) => thread.messages.length === 1 && thread.waiting.length === 0), 'the thread in both tabs')
    left.thread.prove(await jwt('greta'))
    await eventually(() => storedIn(inbox).then(([first]) => first === 'u_greta: 一'), 'the sign-in')
    stays.say('二')
    await hurried(() => stays.thread.messages.some(({ parts }) => parts[0]?.text === '二') && stays.thread.waiting.length === 0, 'the words')
    assert.deepEqual([stays.shown(), await storedIn(inbox)], [['二'], ['u_greta: 一', 'a stranger: 二']])
  })

  test('a site that was closed while the page loaded takes the visitor in once it is open', async () => {
    const inbox = await world().inbox('website')
    const admin = await world().person('小邓', 'admin', { presence: 'offline' })
    const turn = (enabled: boolean) => admin.call('PATCH', `/api/inboxes/${inbox.id}`, { enabled })
    assert.equal((await turn(false)).status, 200)
    const tab = newBrowser().open(inbox.id)
    await eventually(() => tab.refused === 'HUB_CHANNEL_DISABLED', 'the refusal')
    assert.equal((await turn(true)).status, 200)
    await hurried(() => tab.thread.token, 'a session')
    assert.equal(tab.refused, '')
  })

  test('switched off while one writes: nothing fails and nothing overtakes', async () => {
    const inbox = await world().inbox('website')
    const tab = newBrowser().open(inbox.id)
    tab.say('一')
    await eventually(() => tab.thread.messages.length === 1, 'the first word')
    await world().whileOff('website', async () => {
      const asked = line.asked
      tab.say('二')
      await eventually(() => line.asked > asked + 1, 'it is tried')
    })
    tab.say('三')
    await hurried(() => tab.thread.messages.length === 3, 'all words')
    assert.deepEqual(await storedIn(inbox), ['a stranger: 一', 'a stranger: 二', 'a stranger: 三'])

    const admin = await world().person('小邓', 'admin', { presence: 'offline' })
    assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { enabled: false })).status, 200)
    tab.say('四')
    await eventually(() => tab.refused === 'HUB_CHANNEL_DISABLED', 'the refusal')
    assert.equal((await admin.call('PATCH', `/api/inboxes/${inbox.id}`, { enabled: true })).status, 200)
    await hurried(() => tab.thread.messages.length === 4, 'the last word')
    assert.deepEqual([tab.refused, tab.thread.waiting], ['', []])
  })
})
