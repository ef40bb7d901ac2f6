/** Jobs of plugins: rows that are due. A periodic one is a row that becomes due again. */
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import { newId } from '../db/types.ts'
import { Job } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { shortly } from '../log.ts'

const backoffMs = (attempt: number) => Math.min(1_000 * 3 ** attempt, 3_600_000)
/** A job whose lease nobody prolongs is taken over: its process is gone. */
const leaseMs = 10 * 60_000

export async function enqueueJob(hub: Hub, plugin: string, name: string, data: unknown, options: { key?: string; delayMs?: number } = {}): Promise<void> {
  const id = newId()
  const now = new Date()
  try {
    await hub.em().insert(Job, {
      id,
      plugin,
      name,
      dedupeKey: options.key ? `${name}:${options.key}` : id,
      data: data ?? null,
      attempts: 0,
      error: '',
      dueAt: new Date(now.getTime() + (options.delayMs ?? 0)),
      createdAt: now,
    })
  } catch (error) {
    if (error instanceof UniqueConstraintViolationException) return
    throw error
  }
  if (!options.delayMs) hub.queue.hurry('job', id)
}

/** Makes sure the periodic jobs of a plugin have their rows. */
export async function schedulePeriodic(hub: Hub, plugin: string): Promise<void> {
  const jobs = hub.kernel.all().find(({ manifest }) => manifest.id === plugin)?.manifest.jobs ?? {}
  for (const [name, job] of Object.entries(jobs)) if (job.every) await enqueueJob(hub, plugin, name, null, { key: 'every', delayMs: job.every })
}

export async function runJob(hub: Hub, id: string): Promise<void> {
  const em = hub.em()
  const now = new Date()
  const row = await em.findOne(Job, { id }, { disableIdentityMap: true })
  if (!row?.dueAt || row.dueAt > now) return
  const plugin = hub.kernel.get(row.plugin)
  const job = plugin?.manifest.jobs?.[row.name]
  // Switched off: it pauses, and the sweep finds it when the plugin is back.
  if (!plugin) return
  if (!job) {
    // The plugin has no such job any more. Looked at again in a minute: another process may run a newer version.
    await em.nativeUpdate(Job, { id, dueAt: row.dueAt }, { dueAt: new Date(now.getTime() + 60_000) })
    return
  }
  const attempts = row.attempts + 1
  let lease = new Date(now.getTime() + leaseMs)
  const claimed = await em.nativeUpdate(
    Job,
    { id, dueAt: row.dueAt, attempts: row.attempts },
    {
      dueAt: lease,
      attempts,
      // From here on it no longer waits: the same key asked for meanwhile is work of its own, done after.
      ...(job.every ? {} : { dedupeKey: id }),
    },
  )
  if (claimed === 0) return
  /** The row while this turn has it: one that lost its lease changes nothing of whoever took over. */
  const held = () => ({ id, attempts, dueAt: lease })
  const again = (ms: number, attempts: number, error = '') => em.nativeUpdate(Job, held(), { dueAt: new Date(Date.now() + ms), attempts, error })
  const prolong = async () => {
    const next = new Date(Date.now() + leaseMs)
    if ((await em.nativeUpdate(Job, held(), { dueAt: next })) > 0) lease = next
  }
  let prolonged = Promise.resolve()
  const timer = setInterval(() => {
    prolonged = prolonged.then(prolong).catch((error) => hub.log.warn({ err: error, plugin: row.plugin, job: row.name }, 'a job’s lease was not prolonged'))
  }, leaseMs / 4)
  timer.unref()
  try {
    try {
      await job.run(row.data, plugin.ctx)
    } finally {
      clearInterval(timer)
      await prolonged
    }
    if (job.every) await again(job.every, 0)
    else await em.nativeDelete(Job, held())
  } catch (error) {
    hub.log.warn({ err: error, plugin: row.plugin, job: row.name }, 'a job failed')
    const message = shortly(error)
    if (attempts < (job.attempts ?? 5)) await again(backoffMs(attempts), attempts, message)
    else if (job.every) await again(job.every, 0, message)
    else await em.nativeUpdate(Job, held(), { dueAt: null, error: message })
  }
}
