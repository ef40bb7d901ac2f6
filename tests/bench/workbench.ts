/**
 * The workbench under weight: one agent with five thousand open conversations, one of them twenty thousand messages
 * long, in a real browser. Frames are what the eye gets: the time from one to the next while something scrolls.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type CDPSession, chromium, type Page } from '@playwright/test'
import { openOrm } from '../../core/src/db/open-orm.ts'
import { newId } from '../../core/src/db/types.ts'
import { Agent } from '../../core/src/domain/agent/agent.entity.ts'
import { Contact, Identity } from '../../core/src/domain/contact/contact.entity.ts'
import { Conversation } from '../../core/src/domain/conversation/conversation.entity.ts'
import { Inbox } from '../../core/src/domain/inbox/inbox.entity.ts'
import { Message } from '../../core/src/domain/message/message.entity.ts'
import { freePort } from '../support/free-port.ts'
import { makePlace, type Place } from '../support/profiles.ts'
import { root } from './from-core.ts'
import { owner, startHub } from './hub.ts'

const conversations = 5_000
const longTalk = 20_000
const sayings = [
  '请问这件还有货吗？',
  '什么时候发货？我下周要出门，想在周五之前收到。',
  '好的，谢谢',
  '可以开发票吗？抬头是杭州山野茶业有限公司，税号我稍后发您。',
  '今年的春茶和去年比怎么样？',
]

export interface Scrolled {
  frames: number
  p95: number
  longest: number
  /** Frames over 50 ms; others on the machine make some. */
  slow: number
  /** The longest stretch of the page's own work, in milliseconds; 0 when none was over 50. */
  task: number
  /** What was passed: rows or messages. */
  passed: number
}
export interface WorkbenchMeasured {
  conversations: number
  messages: number
  firstListMs: number
  list: Scrolled
  listDom: number
  openMs: number
  thread: Scrolled
  threadDom: number
  oldestMs: number
  latestMs: number
  heapMb: number
  idleFrame: Scrolled
}

async function seed(place: Place): Promise<string> {
  const orm = await openOrm(place)
  const em = orm.em.fork()
  const { id: agentId } = await em.findOneOrFail(Agent, { email: owner.email })
  const inbox = await em.findOneOrFail(Inbox, { enabled: true }, { orderBy: { createdAt: 'asc' } })
  const now = Date.now()
  let longId = ''
  for (let i = 0; i < conversations; i += 500) {
    const batch = Array.from({ length: 500 }, (_, k) => {
      const n = i + k
      const [contactId, identityId, id] = [newId(), newId(), newId()]
      const at = new Date(now - n * 60_000)
      const lastSeq = n === 0 ? longTalk : 1
      if (n === 0) longId = id
      return {
        contact: {
          id: contactId,
          number: n + 1,
          nickname: `客户${n + 1}`,
          remark: '',
          name: '',
          phone: '',
          email: '',
          attributes: {},
          createdAt: at,
          updatedAt: at,
        },
        identity: {
          id: identityId,
          inboxId: inbox.id,
          externalId: `bench${n}`,
          contactId,
          verified: false,
          attributes: {},
          blockedAt: null,
          blockedById: null,
          createdAt: at,
        },
        conversation: {
          ...{ id, inboxId: inbox.id, channel: inbox.channel, contactId, identityId, openIdentityId: identityId, status: 'open' as const, assigneeId: agentId },
          ...{
            departmentId: null,
            skillGroupId: null,
            lastSeq,
            messages: lastSeq,
            rev: 1,
            agentReadSeq: 0,
            agentDeliveredSeq: 0,
            customerDeliveredSeq: 0,
            customerReadSeq: 0,
            unread: 1,
          },
          ...{ preview: sayings[n % sayings.length] ?? '', previewDirection: 'in', lastMessageAt: at, lastCustomerAt: at, rating: null, ratingComment: null },
          ...{ closeReason: null, closedById: null, closedAt: null, createdAt: at, changedAt: at },
        },
      }
    })
    await em.insertMany(
      Contact,
      batch.map(({ contact }) => contact),
    )
    await em.insertMany(
      Identity,
      batch.map(({ identity }) => identity),
    )
    await em.insertMany(
      Conversation,
      batch.map(({ conversation }) => conversation),
    )
    await em.insertMany(
      Message,
      batch.filter(({ conversation }) => conversation.lastSeq === 1).map(({ conversation }) => messageOf(conversation.id, inbox.id, 1, agentId, now)),
    )
  }
  for (let seq = 1; seq <= longTalk; seq += 1_000)
    await em.insertMany(
      Message,
      Array.from({ length: 1_000 }, (_, k) => messageOf(longId, inbox.id, seq + k, agentId, now)),
    )
  await em.nativeUpdate(Agent, { id: agentId }, { openCount: conversations })
  await orm.close()
  return longId
}

function messageOf(conversationId: string, inboxId: string, seq: number, agentId: string, now: number): Message {
  const at = new Date(now - (longTalk - seq) * 60_000)
  const text = `${seq}. ${sayings[seq % sayings.length]}`
  const inward = seq % 3 !== 0
  return {
    ...{
      id: newId(),
      conversationId,
      inboxId,
      seq,
      rev: 1,
      direction: inward ? 'in' : 'out',
      authorId: inward ? null : agentId,
      parts: [{ type: 'text', text }],
      text,
    },
    ...{
      status: inward ? 'received' : 'sent',
      dedupeKey: `bench:${conversationId}:${seq}`,
      externalId: null,
      replyToId: null,
      failure: null,
      recalledAt: null,
    },
    ...{ sentAt: at, createdAt: at },
  } as Message
}

/** Scrolls as a hand on a wheel does, a bit at every frame, and keeps the time between frames. Runs in the page, where Node's types do not hold. */
const scroller = `async ({ testId, perFrame, ms, count }) => {
  const box = document.querySelector('[data-testid="' + testId + '"]')
  const times = []
  const seen = new Set()
  let task = 0
  const keep = (entries) => { for (const { duration } of entries) task = Math.max(task, duration) }
  const observer = new PerformanceObserver((list) => keep(list.getEntries()))
  observer.observe({ type: 'longtask' })
  const end = performance.now() + ms
  let last = await new Promise(requestAnimationFrame)
  while (last < end) {
    box.scrollTop += perFrame
    const now = await new Promise(requestAnimationFrame)
    times.push(now - last)
    last = now
    if (times.length % 5 === 0) for (const row of box.querySelectorAll(count)) seen.add(row.getAttribute('data-seq') ?? row.getAttribute('href'))
  }
  keep(observer.takeRecords())
  observer.disconnect()
  const sorted = times.toSorted((a, b) => a - b)
  return { frames: times.length, p95: sorted[Math.floor(sorted.length * 0.95)] ?? 0, longest: sorted.at(-1) ?? 0, slow: sorted.filter((time) => time > 50).length, task, passed: seen.size }
}`
const scroll = (page: Page, testId: string, perFrame: number, ms: number, count: string): Promise<Scrolled> =>
  page.evaluate(`(${scroller})(${JSON.stringify({ testId, perFrame, ms, count })})`)

const domOf = (page: Page): Promise<number> => page.evaluate("document.querySelectorAll('*').length")
async function heapOf(cdp: CDPSession): Promise<number> {
  await cdp.send('HeapProfiler.collectGarbage')
  const { usedSize } = await cdp.send('Runtime.getHeapUsage')
  return usedSize / 2 ** 20
}
/** From a key or a click until it is on the screen. */
async function timed(page: Page, act: () => Promise<void>, selector: string): Promise<number> {
  const began = performance.now()
  await act()
  await page.locator(selector).first().waitFor({ state: 'visible' })
  return performance.now() - began
}

/** Undefined where the apps have not been built or there is no browser. */
export async function measureWorkbench(quick: boolean, say: (line: string) => void): Promise<WorkbenchMeasured | undefined> {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
  if (!existsSync(join(root, 'workbench-ui/dist/index.html')) || !existsSync(executablePath)) return undefined
  const place = await makePlace('embedded')
  const port = await freePort()
  let hub = await startHub(place, port)
  await hub.stop()
  say(`the workbench: ${conversations} conversations, one of ${longTalk} messages`)
  const longId = await seed(place)
  hub = await startHub(place, port)
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-background-networking', '--disable-quic'] })
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, locale: 'zh-CN' })
    await page.request.post(`http://127.0.0.1:${port}/api/login`, { data: owner })
    const cdp = await page.context().newCDPSession(page)
    const row = '[data-testid="conversation-list"] a'
    // The first visit fills the browser's cache; the second is what every morning is like.
    await page.goto(`http://127.0.0.1:${port}/workbench`)
    await page.locator(row).first().waitFor()
    const firstListMs = await timed(page, async () => void (await page.reload({ waitUntil: 'commit' })), row)
    await page.waitForLoadState('networkidle')
    const idleFrame = await scroll(page, 'conversation-list', 0, 1_000, 'a')
    const list = await scroll(page, 'conversation-list', 320, quick ? 3_000 : 20_000, 'a')
    const listDom = await domOf(page)
    await page.evaluate(`document.querySelector('[data-testid="conversation-list"]').scrollTop = 0`)
    const openMs = await timed(page, () => page.locator(`a[href$="/${longId}"]`).click(), `[data-seq="${longTalk}"]`)
    const thread = await scroll(page, 'thread', -160, quick ? 3_000 : 12_000, '[data-seq]')
    const threadDom = await domOf(page)
    const oldestMs = await timed(page, () => page.keyboard.press('Home'), '[data-seq="1"]')
    const latestMs = await timed(page, () => page.keyboard.press('End'), `[data-seq="${longTalk}"]`)
    const heapMb = await heapOf(cdp)
    return { conversations, messages: longTalk, firstListMs, list, listDom, openMs, thread, threadDom, oldestMs, latestMs, heapMb, idleFrame }
  } finally {
    await browser.close()
    await hub.stop()
    await place.remove()
  }
}
