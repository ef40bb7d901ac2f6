/**
 * Finds work that is due and does it in this process: what a queue's hint lost, what a crash left, what waits for
 * its time. Hints make things fast; this makes them certain.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { takeLease } from '../db/lease.ts'
import { ContactMove, FormerName, MergeSuggestion } from '../domain/contact/contact.entity.ts'
import { personalChannels } from '../domain/contact/external-id.ts'
import { followKnown } from '../domain/contact/known-as.ts'
import { settlePeople } from '../domain/contact/merge-contacts.ts'
import { routeQueue } from '../domain/conversation/assign-conversation.ts'
import { gatherAstray } from '../domain/conversation/leave-place.ts'
import { returnOrphans, returnUnserved } from '../domain/conversation/return-conversations.ts'
import { Delivery, Job, Outbound, ParkedEvent, RemoteFetch } from '../domain/message/message.entity.ts'
import { runBatch } from '../domain/record/batch.ts'
import { indexMessages } from '../domain/record/find/index-messages.ts'
import { purgeDue } from '../domain/record/purge.ts'
import { RecordBatch } from '../domain/record/record.entity.ts'
import { keepReports } from '../domain/report/keep-reports.ts'
import { RetentionRun } from '../domain/retention/retention.entity.ts'
import { runRetention } from '../domain/retention/run-retention.ts'
import { startDailyRun } from '../domain/retention/start-run.ts'
import type { Hub } from '../hub.ts'
import { deliverConversation } from '../pipeline/deliver.ts'
import { deliverEvents } from '../pipeline/deliver-events.ts'
import { fetchRemote } from '../pipeline/fetch-remote.ts'
import { giveWay } from '../pipeline/give-way.ts'
import { isSealing, sealSome } from '../sealing/seal-rows.ts'
import { KeyedRunner } from './in-process.ts'
import { runJob } from './jobs.ts'
import { Pace } from './pace.ts'
import type { Topic } from './queue.ts'
import { tidy } from './tidy.ts'

const sweepEveryMs = 1_000
/** While much happens, a listener hears of all within this time in one go: to ask for each event by itself costs more than to tell it. */
const gatherMs = 100
/** What happens now and then is told at once. */
const toldAtOnce = 5
const routeEveryMs = 3_000
const unservedEveryMs = 60_000
const astrayEveryMs = 600_000
const purgeEveryMs = 60_000
const tidyEveryMs = 3_600_000
const sealEveryMs = 60_000
const retentionEveryMs = 60_000
const indexEveryMs = 10_000
const reportEveryMs = 10_000
/** A block of the search's index is done well within the lease. */
const indexLeaseMs = 5 * 60_000
const page = 200

export function startWorkers(hub: Hub): { stop(): Promise<void>; sweep(): Promise<void> } {
  let stopped = false
  /** A hub that ends begins nothing of that: it is due at the next start too. */
  const unlessEnding = (run: (key: string) => Promise<void>) => async (key: string) => {
    if (!hub.closing) await run(key)
  }
  const gather = new Pace(gatherMs, toldAtOnce)
  const work: Record<Topic, (key: string) => Promise<void>> = {
    outbound: unlessEnding((conversationId) => deliverConversation(hub, conversationId)),
    delivery: async (listener) => {
      await sleep(gather.turn(listener, performance.now()))
      await deliverEvents(hub, listener)
    },
    inbound: (parkedId) => hub.intake.retry(parkedId),
    job: unlessEnding((jobId) => runJob(hub, jobId)),
    fetch: unlessEnding((messageId) => fetchRemote(hub, messageId)),
    people: unlessEnding(async (id) => {
      await settlePeople(hub, id)
      await followKnown(hub, id)
    }),
    batch: unlessEnding((id) => runBatch(hub, id)),
    retention: unlessEnding((id) => runRetention(hub, id, () => stopped)),
  }
  for (const topic of Object.keys(work) as Topic[]) hub.queue.work(topic, work[topic])
  const runners = Object.fromEntries(Object.entries(work).map(([topic, run]) => [topic, new KeyedRunner(run, hub.log)])) as Record<Topic, KeyedRunner>

  async function sweep(): Promise<void> {
    const em = hub.em()
    const due = { dueAt: { $lte: new Date() } }
    const hearing = hub.kernel
      .all()
      .map(({ manifest }) => manifest.id)
      .filter((id) => hub.kernel.hears(id) !== 'later')
    const options = { limit: page, orderBy: { dueAt: 'asc' as const }, disableIdentityMap: true }
    // One after another, and a customer's message between them.
    const look = async <T>(rows: () => Promise<T[]>): Promise<T[]> => {
      await giveWay(hub)
      return rows()
    }
    const [outbound, deliveries, parked, jobs, fetches, suggestions, moves, known, batches, retention] = [
      await look(() => em.find(Outbound, due, { ...options, fields: ['conversationId'] })),
      // What a listener that is not up is owed waits where it is, and keeps nobody else's from being seen.
      await look(() => em.find(Delivery, { ...due, listener: { $in: hearing } }, { ...options, fields: ['listener'] })),
      await look(() => em.find(ParkedEvent, due, { ...options, fields: ['id'] })),
      // Jobs of plugins that are switched off wait where they are.
      await look(() => em.find(Job, { ...due, plugin: { $in: hub.kernel.running().map(({ manifest }) => manifest.id) } }, { ...options, fields: ['id'] })),
      await look(() => em.find(RemoteFetch, due, { ...options, fields: ['messageId'] })),
      await look(() => em.find(MergeSuggestion, due, { ...options, fields: ['id'] })),
      await look(() => em.find(ContactMove, { recheckAt: due.dueAt }, { limit: page, fields: ['id'], disableIdentityMap: true })),
      await look(() => em.find(FormerName, { recheckAt: due.dueAt }, { limit: page, fields: ['id'], disableIdentityMap: true })),
      await look(() => em.find(RecordBatch, due, { ...options, fields: ['id'] })),
      await look(() => em.find(RetentionRun, due, { ...options, fields: ['id'] })),
    ]
    for (const row of outbound) runners.outbound.run(row.conversationId)
    for (const row of deliveries) runners.delivery.run(row.listener)
    for (const row of parked) runners.inbound.run(row.id)
    for (const row of jobs) runners.job.run(row.id)
    for (const row of fetches) runners.fetch.run(row.messageId)
    for (const row of [...suggestions, ...moves, ...known]) runners.people.run(row.id)
    for (const row of batches) runners.batch.run(row.id)
    for (const row of retention) runners.retention.run(row.id)
  }

  const loop = (everyMs: number, name: string, run: () => Promise<unknown>): Promise<void> => {
    const wake = new Set<() => void>()
    wakers.push(() => {
      for (const go of wake) go()
    })
    return (async () => {
      while (!stopped) {
        await run().catch((error) => hub.log.error({ err: error, loop: name }, 'sweep failed'))
        if (stopped) return
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, everyMs)
          wake.add(() => {
            clearTimeout(timer)
            resolve()
          })
        })
        wake.clear()
      }
    })()
  }
  const wakers: (() => void)[] = []
  const loops = [
    loop(sweepEveryMs, 'due', sweep),
    loop(purgeEveryMs, 'purge', async () => {
      if (await takeLease(hub.em(), 'purge', hub.nodeId, purgeEveryMs * 2)) while (!stopped && (await purgeDue(hub)) > 0);
    }),
    loop(tidyEveryMs, 'tidy', async () => {
      if (await takeLease(hub.em(), 'tidy', hub.nodeId, tidyEveryMs * 2)) await tidy(hub, () => stopped)
    }),
    loop(sealEveryMs, 'seal', async () => {
      const personal = personalChannels(hub.kernel.all().map(({ manifest }) => manifest))
      if ((await isSealing(hub.em(), personal)) && (await takeLease(hub.em(), 'seal', hub.nodeId, sealEveryMs * 5)))
        while (!stopped && !(await sealSome(hub.em(), personal)));
    }),
    loop(retentionEveryMs, 'retention', async () => {
      if (await takeLease(hub.em(), 'retention', hub.nodeId, retentionEveryMs * 2)) await startDailyRun(hub)
    }),
    loop(routeEveryMs, 'route', async () => {
      if (await takeLease(hub.em(), 'route', hub.nodeId, routeEveryMs * 2)) {
        await returnOrphans(hub)
        await routeQueue(hub)
      }
    }),
    loop(unservedEveryMs, 'unserved', async () => {
      if (await takeLease(hub.em(), 'unserved', hub.nodeId, unservedEveryMs * 2)) await returnUnserved(hub, undefined, null)
    }),
    loop(astrayEveryMs, 'astray', async () => {
      if (await takeLease(hub.em(), 'astray', hub.nodeId, astrayEveryMs)) await gatherAstray(hub)
    }),
    loop(indexEveryMs, 'search', async () => {
      if (await takeLease(hub.em(), 'search', hub.nodeId, indexLeaseMs))
        await indexMessages(hub, { until: performance.now() + indexEveryMs, stopped: () => stopped })
    }),
    loop(reportEveryMs, 'report', async () => {
      if (await takeLease(hub.em(), 'report', hub.nodeId, reportEveryMs * 6))
        await keepReports(hub, { until: performance.now() + reportEveryMs, stopped: () => stopped })
    }),
  ]
  return {
    sweep,
    async stop() {
      stopped = true
      for (const wake of wakers) wake()
      await Promise.all(loops)
      await Promise.all(Object.values(runners).map((runner) => runner.finish()))
    },
  }
}
