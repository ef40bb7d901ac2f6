/** One person on the shop's sites, in its mini-program and in its app: the names each of them signs join them by one rule, and no further. */
import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { newId } from '../../core/src/db/types.ts'
import { MergeSuggestion } from '../../core/src/domain/contact/contact.entity.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { HubClient } from '../../plugins/app/example/client.ts'
import app from '../../plugins/app/plugin.ts'
import website from '../../plugins/website/plugin.ts'
import wechat from '../../plugins/wechat/plugin.ts'
import { signatureOf } from '../../plugins/wechat/server/signature.ts'
import { call, eventually, found, onEveryProfile } from '../support/world.ts'

interface Offer {
  contact: { id: string }
  evidence: { kind: string; verified: boolean }[]
  contradictions: { zh: string; en: string }[]
}

const folder = (id: string) => join(resolve(import.meta.dirname, '../..'), 'plugins', id)
const siteKey = 'a-secret-between-the-shop-and-the-hub'
const miniKey = 'a-secret-of-the-mini-program'
const appKey = `whsec_${randomBytes(32).toString('base64')}`
/** As the site's server would sign it. */
function signed(claims: object): string {
  const body = [{ alg: 'HS256' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${body}.${createHmac('sha256', siteKey).update(body).digest('base64url')}`
}

await onEveryProfile(
  'one person on several channels',
  [found(website, folder('website')), found(wechat, folder('wechat')), found(app, folder('app'))],
  (world) => {
    const site = (settings: object = {}) => world().inbox('website', { identitySecret: siteKey, ...settings })
    const mini = (settings: object = {}) => world().inbox('wechat', { kind: 'mini', mode: 'plain', token: 'tok', sessionSecret: miniKey, ...settings })
    const ownApp = (settings: object = {}) => world().inbox('app', { secret: appKey, ...settings })

    const contactOf = async (inbox: Inbox, externalId: string) => (await world().identity(inbox.id, externalId)).contactId

    async function onSite(inbox: Inbox, sub: string): Promise<string> {
      const headers = { 'user-agent': 'Mozilla/5.0 Chrome/140' }
      const { body: session } = await call(world().url, 'POST', `/api/x/website/inboxes/${inbox.id}/session`, { identity: signed({ sub }) }, headers)
      const words = { clientId: newId(), parts: [{ type: 'text', text: '我的订单呢' }] }
      assert.equal((await call(world().url, 'POST', '/api/x/website/messages', words, { ...headers, authorization: `Bearer ${session.token}` })).status, 201)
      return contactOf(inbox, `u_${sub}`)
    }
    async function inMini(inbox: Inbox, openid: string, who: { userId?: string; unionid?: string }, key = miniKey): Promise<string> {
      const sign = createHmac('sha256', key)
        .update([openid, who.unionid ?? '', who.userId ?? ''].join('\n'))
        .digest('hex')
      const [timestamp, nonce] = ['1780000000', newId()]
      const push = {
        ToUserName: 'gh_shop',
        FromUserName: openid,
        CreateTime: Math.floor(Date.now() / 1_000),
        MsgType: 'event',
        Event: 'user_enter_tempsession',
        SessionFrom: JSON.stringify({ ...who, sign }),
      }
      const query = new URLSearchParams({ timestamp, nonce, signature: signatureOf('tok', timestamp, nonce) })
      assert.equal((await call(world().url, 'POST', `/api/channels/wechat/${inbox.id}?${query}`, push)).status, 200)
      return contactOf(inbox, openid)
    }
    interface AppUser {
      userId?: string
      unionId?: string
      phone?: string
      email?: string
      name?: string
      verified?: boolean
    }
    async function inApp(inbox: Inbox, externalId: string, who: AppUser): Promise<string> {
      const sender = { externalId, verified: true, ...who }
      const data = { externalMessageId: newId(), sender, content: [{ type: 'text', text: '到哪了' }] }
      await new HubClient(`${world().url}/api/channels/app/${inbox.id}`, appKey).tell('message.created', data)
      return contactOf(inbox, externalId)
    }
    const updated = (inbox: Inbox, externalId: string, who: AppUser) =>
      new HubClient(`${world().url}/api/channels/app/${inbox.id}`, appKey).tell('contact.updated', { sender: { externalId, verified: true, ...who } })
    /** What is due has been done, and nothing is. */
    async function settled(): Promise<void> {
      await eventually(async () => {
        await world().running.sweep()
        return (
          (await world()
            .hub.em()
            .count(MergeSuggestion, { dueAt: { $ne: null }, state: 'open' })) === 0
        )
      }, 'what is due')
    }
    /** Whom an agent is asked about, by what and against what. */
    async function offered(contactId: string) {
      const agent = await world().person('小安', 'admin')
      const { items } = (await agent.call('GET', `/api/contacts/${contactId}/suggestions`)).body
      return (items as Offer[]).map(({ contact, evidence, contradictions }) => ({
        id: contact.id,
        kinds: evidence.map(({ kind, verified }) => `${kind}${verified ? ' verified' : ''}`),
        contradictions,
      }))
    }
    const otherUser = {
      zh: '两人在同一个用户体系里的用户 ID 不同，而一个人在那里只有一个',
      en: 'Their user IDs in the same user base differ, and one person has exactly one there',
    }
    const otherUnion = {
      zh: '两人在同一个微信开放平台主体「总店」里的 UnionID 不同，而一个人在那里只有一个',
      en: 'Their UnionIDs in the same WeChat open platform “总店” differ, and one person has exactly one there',
    }
    const digits = () => newId().replace(/\D/g, '').padEnd(8, '7').slice(-8)

    test('the user id that two sites, the mini-program and the app sign is one person', async () => {
      const sub = newId()
      const one = await onSite(await site(), sub)
      assert.equal(await onSite(await site(), sub), one)
      assert.equal(await inMini(await mini(), 'o-mini', { userId: sub }), one)
      assert.equal(await inApp(await ownApp(), 'app-1', { userId: sub }), one)
      assert.notEqual(await onSite(await site(), newId()), one)
    })

    test('another user base has another 10086, and so has whoever cannot sign', async () => {
      const sub = newId()
      const one = await onSite(await site(), sub)
      const other = await onSite(await site({ userSubject: '二店' }), sub)
      assert.notEqual(other, one)
      assert.equal(await inMini(await mini({ userSubject: ' 二店 ' }), 'o-second', { userId: sub }), other)
      assert.equal(await inApp(await ownApp({ userSubject: '二店' }), 'app-2', { userId: sub }), other)
      assert.notEqual(await inMini(await mini(), 'o-forged', { userId: sub }, 'a-key-of-somebody-else'), one)
      const told = await inApp(await ownApp(), 'app-3', { userId: sub, verified: false })
      assert.notEqual(told, one)
      const agent = await world().person('小安', 'admin')
      const offered = (await agent.call('GET', `/api/contacts/${one}/suggestions`)).body.items
      // Who has only entered has said nothing: there is no conversation to see them by.
      assert.deepEqual(
        offered.map(({ contact }: { contact: { id: string } }) => contact.id),
        [told],
      )
    })

    test('a unionid is one person in WeChat and in the app, within its open platform', async () => {
      const unionid = `oU${newId()}`
      const one = await inMini(await mini(), 'o-union', { unionid })
      assert.equal(await inApp(await ownApp(), 'app-4', { unionId: unionid }), one)
      const branch = await inMini(await mini({ openPlatform: '分店' }), 'o-branch', { unionid })
      assert.notEqual(branch, one)
      assert.equal(await inApp(await ownApp({ openPlatform: '分店' }), 'app-5', { unionId: unionid }), branch)
    })

    test('two who were two before their name was known become one by themselves', async () => {
      const sub = newId()
      const one = await onSite(await site(), sub)
      const inbox = await mini()
      const two = await inMini(inbox, 'o-late', {})
      assert.notEqual(two, one)
      await inMini(inbox, 'o-late', { userId: sub })
      await eventually(async () => {
        await world().running.sweep()
        return (await contactOf(inbox, 'o-late')) === one
      }, 'the merge')
    })

    test('one phone that signs in as two users of the shop leaves them two: an agent is asked, and reads what speaks against it', async () => {
      const [a, b] = [newId(), newId()]
      const shop = await site()
      const [one, two] = [await onSite(shop, a), await onSite(shop, b)]
      const inbox = await mini()
      assert.equal(await inMini(inbox, 'o-family', { userId: a }), one)
      await inMini(inbox, 'o-family', { userId: b })
      await settled()
      assert.deepEqual([await contactOf(shop, `u_${a}`), await contactOf(shop, `u_${b}`), await contactOf(inbox, 'o-family')], [one, two, one])
      const asked = { kinds: ['userId verified'], contradictions: [otherUser] }
      assert.deepEqual(await offered(one), [{ id: two, ...asked }])
      assert.deepEqual(await offered(two), [{ id: one, ...asked }])
      // Each of them is known by their own name elsewhere.
      assert.deepEqual([await inApp(await ownApp(), 'app-a', { userId: a }), await inApp(await ownApp(), 'app-b', { userId: b })], [one, two])
    })

    test('who is met on the site only after they signed in on somebody’s phone is somebody else, and offered', async () => {
      const [a, b] = [newId(), newId()]
      const shop = await site()
      const one = await onSite(shop, a)
      const inbox = await mini()
      await inMini(inbox, 'o-counter', { userId: a })
      await inMini(inbox, 'o-counter', { userId: b })
      const two = await onSite(shop, b)
      await settled()
      assert.notEqual(two, one)
      assert.equal(await contactOf(inbox, 'o-counter'), one)
      assert.deepEqual(await offered(one), [{ id: two, kinds: ['userId verified'], contradictions: [otherUser] }])
      assert.equal(await inApp(await ownApp(), 'app-c', { userId: b }), two)
    })

    test('two unionids of one open platform are two people; of two platforms they may be one', async () => {
      const [first, second, elsewhere] = [`oU${newId()}`, `oU${newId()}`, `oU${newId()}`]
      const main = { openPlatform: '总店' }
      const one = await inApp(await ownApp(main), 'app-6', { unionId: first })
      const two = await inApp(await ownApp(main), 'app-7', { unionId: second })
      const tablets = await ownApp(main)
      assert.equal(await inApp(tablets, 'tablet', { unionId: first }), one)
      assert.equal(await inApp(tablets, 'tablet', { unionId: second }), one)
      await settled()
      assert.equal(await inApp(await ownApp(main), 'app-8', { unionId: second }), two)
      assert.deepEqual(await offered(two), [{ id: one, kinds: ['unionid verified'], contradictions: [otherUnion] }])
      const sub = newId()
      const branch = await ownApp({ openPlatform: '分店' })
      assert.equal(
        await inApp(branch, 'app-9', { unionId: elsewhere, userId: sub }),
        await inApp(await ownApp(main), 'app-10', { unionId: `oU${newId()}`, userId: sub }),
      )
    })

    test('a number that somebody gave up and another one verifies brings nobody their contact; their own second channel still does', async () => {
      const inbox = await ownApp()
      const [given, kept] = [`138${digits()}`, `139${digits()}`]
      const wang = await inApp(inbox, 'wang', { phone: given, name: '王' })
      await updated(inbox, 'wang', { phone: kept, name: '王' })
      const li = await inApp(inbox, 'li', { phone: given, name: '李' })
      await settled()
      assert.notEqual(li, wang)
      const agent = await world().person('小白', 'admin')
      const seen = async (id: string) => (({ name, phone }) => ({ name, phone }))((await agent.call('GET', `/api/contacts/${id}`)).body)
      assert.deepEqual(
        [await seen(wang), await seen(li)],
        [
          { name: '王', phone: kept },
          { name: '李', phone: given },
        ],
      )
      assert.deepEqual([await inApp(await ownApp(), 'wang-2', { phone: kept }), await inApp(await ownApp(), 'li-2', { phone: given })], [wang, li])
    })
  },
)
