/** The four lists of visitors: who is on a page, who talks, who has talked today, who left without a word. */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { mockChannel } from '../../core/sdk/testing.ts'
import { newId } from '../../core/src/db/types.ts'
import { AgentRole } from '../../core/src/domain/agent/agent.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { createDesk } from '../../core/src/domain/customer/desk.ts'
import type { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Role } from '../../core/src/domain/role/role.entity.ts'
import { Visit } from '../../core/src/domain/visit/visit.entity.ts'
import { silentVisitMs, tidy } from '../../core/src/queue/tidy.ts'
import { call, found, onEveryProfile, type Person, type World } from '../support/world.ts'

const minute = 60_000
const lists = ['online', 'talking', 'talked', 'left'] as const

/** A browser on a site, at a time of ours. */
class Browser {
  readonly visitId = newId()
  readonly who: string
  readonly #world: World
  readonly #inbox: Inbox
  constructor(world: World, inbox: Inbox, who: string = newId()) {
    this.#world = world
    this.#inbox = inbox
    this.who = who
  }
  beat(externalId?: string) {
    const page = { url: 'https://shop.cn/tea', title: '茶叶', referrer: '', ip: '203.0.113.9', userAgent: 'Mozilla/5.0' }
    return createDesk(this.#world.hub).beat(this.#inbox.id, { visitId: this.visitId, ...(externalId ? { externalId } : {}), ...page })
  }
  /** Returns the conversation it went into. */
  async say(text: string): Promise<string> {
    const [accepted] = await this.#world.say(this.#inbox, this.who, text)
    await createDesk(this.#world.hub).spoke({ inboxId: this.#inbox.id, externalId: this.who }, this.visitId)
    return accepted?.conversationId ?? ''
  }
}

/** In which lists a visit stands. */
async function standsIn(person: Person, { visitId }: Browser, tz = 'Asia/Shanghai'): Promise<string[]> {
  const found: string[] = []
  for (const list of lists) {
    const { status, body } = await person.call('GET', `/api/visitors?list=${list}&tz=${encodeURIComponent(tz)}`)
    assert.equal(status, 200)
    if (body.items.some(({ id }: { id: string }) => id === visitId)) found.push(list)
  }
  return found
}

await onEveryProfile('visitors', [found(mockChannel().manifest)], (world) => {
  /** Time stands still but for `wait`. Half past ten in the evening of Shanghai. */
  async function onClock(work: (wait: (ms: number) => void) => Promise<void>): Promise<void> {
    mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-11-28T14:30:00Z') })
    try {
      await work((ms) => mock.timers.setTime(Date.now() + ms))
    } finally {
      mock.timers.reset()
    }
  }

  test('from the page into the conversation, out of it, and away', async () => {
    await onClock(async (wait) => {
      const [owner, inbox] = [await world().person('店主', 'owner'), await world().inbox('mock')]
      const visitor = new Browser(world(), inbox)
      await visitor.beat()
      assert.deepEqual(await standsIn(owner, visitor), ['online'])
      const conversationId = await visitor.say('四个列表')
      assert.deepEqual(await standsIn(owner, visitor), ['talking'])
      wait(5 * minute)
      assert.deepEqual(await standsIn(owner, visitor), ['talking'], 'the page is gone, the conversation goes on')
      await visitor.beat(visitor.who)
      assert.equal((await owner.call('POST', `/api/conversations/${conversationId}/close`)).status, 200)
      assert.deepEqual(await standsIn(owner, visitor), ['talked'], 'it is over, and the page still open')
      wait(5 * minute)
      assert.deepEqual(await standsIn(owner, visitor), ['talked'])
      await visitor.say('还有一个问题')
      assert.deepEqual(await standsIn(owner, visitor), ['talking'])
    })
  })

  test('who says nothing is online, then has left', async () => {
    await onClock(async (wait) => {
      const [owner, inbox] = [await world().person('店主', 'owner'), await world().inbox('mock')]
      const visitor = new Browser(world(), inbox)
      await visitor.beat()
      wait(80_000)
      assert.deepEqual(await standsIn(owner, visitor), ['online'])
      wait(20_000)
      assert.deepEqual(await standsIn(owner, visitor), ['left'])
    })
  })

  test('today is the reader’s, not the server’s', async () => {
    await onClock(async (wait) => {
      const [owner, inbox] = [await world().person('店主', 'owner'), await world().inbox('mock')]
      const [talked, left] = [new Browser(world(), inbox), new Browser(world(), inbox)]
      for (const visitor of [talked, left]) await visitor.beat()
      await owner.call('POST', `/api/conversations/${await talked.say('晚上好')}/close`)
      wait(10 * minute)
      assert.deepEqual([await standsIn(owner, talked), await standsIn(owner, left)], [['talked'], ['left']])
      // Midnight in Shanghai, four in the afternoon in London.
      wait(85 * minute)
      assert.deepEqual([await standsIn(owner, talked), await standsIn(owner, left)], [[], []])
      assert.deepEqual([await standsIn(owner, talked, 'Europe/London'), await standsIn(owner, left, 'Europe/London')], [['talked'], ['left']])
      // Back on the page that has been open since yesterday: somebody to be greeted.
      await talked.beat(talked.who)
      assert.deepEqual(await standsIn(owner, talked), ['online'])
      assert.equal((await owner.call('GET', '/api/visitors?list=left&tz=Nowhere/City')).body.code, 'HUB_REQUEST_INVALID')
    })
  })

  test('who talks and opens another page is one person in conversation', async () => {
    await onClock(async (wait) => {
      const [owner, inbox] = [await world().person('店主', 'owner'), await world().inbox('mock')]
      const first = new Browser(world(), inbox)
      await first.beat()
      await first.say('我看看别的')
      wait(minute)
      const second = new Browser(world(), inbox, first.who)
      await second.beat(first.who)
      assert.deepEqual([await standsIn(owner, first), await standsIn(owner, second)], [[], ['talking']])
      wait(5 * minute)
      assert.deepEqual([await standsIn(owner, first), await standsIn(owner, second)], [[], ['talking']])
    })
  })

  test('each list is paged, last seen first, and is for who may see visitors', async () => {
    await onClock(async (wait) => {
      const [owner, inbox] = [await world().person('店主', 'owner'), await world().inbox('mock')]
      const visitors: Browser[] = []
      for (let i = 0; i < 5; i++) {
        wait(1_000)
        const visitor = new Browser(world(), inbox)
        visitors.unshift(visitor)
        await visitor.beat()
        await visitor.say('排队')
      }
      const seen: string[] = []
      let cursor: string | null = null
      do {
        const { body } = await owner.call('GET', `/api/visitors?list=talking&limit=2${cursor ? `&cursor=${cursor}` : ''}`)
        seen.push(...body.items.map(({ id }: { id: string }) => id))
        cursor = body.cursor
      } while (cursor && seen.length < 50)
      const own = new Set(visitors.map(({ visitId }) => visitId))
      assert.deepEqual(
        seen.filter((id) => own.has(id)),
        visitors.map(({ visitId }) => visitId),
      )
      assert.equal((await call(world().url, 'GET', '/api/visitors?list=talking')).status, 401)
    })
  })

  test('a visit of who never became a contact goes ninety days after the last sign of it; one of a contact stays', async () => {
    const inbox = await world().inbox('mock')
    const [silent, late, spoken] = [new Browser(world(), inbox), new Browser(world(), inbox), new Browser(world(), inbox)]
    for (const browser of [silent, late, spoken]) await browser.beat()
    await spoken.say('你好')
    const em = world().hub.em()
    const old = { startedAt: new Date(Date.now() - silentVisitMs - 2 * minute) }
    const many = Array.from({ length: 1_001 }, () => newId())
    const row = await em.findOneOrFail(Visit, { id: silent.visitId }, { disableIdentityMap: true })
    await em.insertMany(
      Visit,
      many.map((id) => ({ ...row, id })),
    )
    const ids = [silent, late, spoken].map(({ visitId }) => visitId)
    await em.nativeUpdate(Visit, { id: { $in: [...ids, ...many] } }, { ...old, seenAt: new Date(Date.now() - silentVisitMs - minute) })
    await em.nativeUpdate(Visit, { id: late.visitId }, { seenAt: new Date(Date.now() - silentVisitMs + minute) })
    await tidy(world().hub)
    const left = await em.find(Visit, { inboxId: inbox.id }, { fields: ['id'], disableIdentityMap: true })
    assert.deepEqual(left.map(({ id }) => id).toSorted(), [late.visitId, spoken.visitId].toSorted())
  })

  test('whose right ends at a business line sees the visitors of its inboxes, in every list', async () => {
    await onClock(async (wait) => {
      const agent = await world().person('小范', 'agent')
      const [mine, other] = [await world().inbox('mock'), await world().inbox('mock')]
      const em = world().hub.em()
      const line = { id: newId(), builtin: null, name: newId(), createdAt: new Date(), grants: [{ permission: 'visitor.read', inboxIds: [mine.id] }] }
      await em.insert(Role, line)
      await em.nativeUpdate(AgentRole, { agentId: agent.id }, { roleId: line.id })
      world().hub.access.clear()
      const all = [mine, other].flatMap((inbox) => [new Browser(world(), inbox), new Browser(world(), inbox)])
      for (const [i, visitor] of all.entries()) {
        await visitor.beat()
        if (i % 2) await visitor.say('你好')
      }
      assert.deepEqual(await Promise.all(all.map((visitor) => standsIn(agent, visitor))), [['online'], ['talking'], [], []])
      wait(5 * minute)
      assert.deepEqual(await Promise.all(all.map((visitor) => standsIn(agent, visitor))), [['left'], ['talking'], [], []])
    })
  })
  test('who may see no conversation of theirs sees somebody unknown', async () => {
    await onClock(async () => {
      const [owner, agent] = [await world().person('店主', 'owner', { presence: 'away' }), await world().person('小范', 'agent', { presence: 'away' })]
      const inbox = await world().inbox('mock')
      const [mine, other] = [new Browser(world(), inbox), new Browser(world(), inbox)]
      for (const visitor of [mine, other]) await visitor.beat()
      const [ours, theirs] = [await mine.say('我的'), await other.say('别人的')]
      for (const [id, { id: assigneeId }] of [
        [ours, agent],
        [theirs, owner],
      ] as const)
        await world().hub.em().nativeUpdate(Conversation, { id }, { assigneeId, status: 'open' })
      const contactOf = async (id: string) => (await owner.call('GET', `/api/conversations/${id}`)).body.contact as { id: string; title: string }
      const seenBy = async (person: Person, list: string, { visitId }: Browser) => {
        const { body } = await person.call('GET', `/api/visitors?list=${list}`)
        const row = body.items.find(({ id }: { id: string }) => id === visitId)
        return row && { contactId: row.contactId, known: row.identityId !== null, title: row.title, url: row.pages[0].url, ip: row.ip }
      }
      const page = { url: 'https://shop.cn/tea', ip: '203.0.113.9' }
      const [us, them] = [await contactOf(ours), await contactOf(theirs)]
      const unknown = { contactId: null, known: false, title: '', ...page }
      assert.deepEqual(await seenBy(agent, 'talking', mine), { contactId: us.id, known: true, title: us.title, ...page })
      assert.deepEqual(await seenBy(agent, 'talking', other), unknown)
      assert.deepEqual(await seenBy(owner, 'talking', other), { contactId: them.id, known: true, title: them.title, ...page })
      await owner.call('POST', `/api/conversations/${theirs}/close`)
      assert.deepEqual(await seenBy(agent, 'talked', other), unknown)
      await world().grant(agent, [{ permission: 'visitor.read' }])
      assert.deepEqual(await seenBy(agent, 'talking', mine), unknown)
    })
  })

  test('where they came from and what they opened names nobody to who may not see it, encoded or not', async () => {
    const [owner, agent, inbox] = [await world().person('店主', 'owner'), await world().person('小孔'), await world().inbox('mock')]
    await world().grant(agent, [{ permission: 'visitor.read' }])
    const [mail, tel] = ['zhang.wei88%40qq.com', '138%200013%208000']
    const page = {
      url: `https://shop.cn/order?email=${mail}&tel=${tel}`,
      title: '订单',
      referrer: `https://crm.cn/u?mail=${mail}`,
      ip: '203.0.113.9',
      userAgent: '',
    }
    const visitId = newId()
    await createDesk(world().hub).beat(inbox.id, { visitId, ...page })
    const seenBy = async (person: Person) => {
      const { body } = await person.call('GET', '/api/visitors?list=online')
      const { referrer, pages } = body.items.find(({ id }: { id: string }) => id === visitId)
      return { referrer, url: pages[0].url }
    }
    assert.deepEqual(await seenBy(owner), { referrer: page.referrer, url: page.url })
    const seen = JSON.stringify(await seenBy(agent))
    for (const secret of [mail, tel]) assert.ok(!seen.includes(secret), seen)
  })
})
