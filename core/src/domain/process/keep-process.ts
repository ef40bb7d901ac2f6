/** Signs of life of the hub's processes: each writes its own row, and whoever is well forgets those that have long been silent. */
import { hostname } from 'node:os'
import { hubVersion } from '../../config/version.ts'
import type { Hub } from '../../hub.ts'
import { HubProcess } from './process.entity.ts'

const aliveEveryMs = 10_000
/** Three signs that did not come: it has ended without a word, or cannot reach the database. */
const silentAfterMs = 35_000
/** Most that are looked at. */
const most = 100
/** So long an admin can see that there was one. */
const forgetAfterMs = 15 * 60_000

/** Until the returned function is called, which takes the row away: this process ends as it should. */
export async function keepProcess(hub: Hub): Promise<() => Promise<void>> {
  const { web, worker } = hub.env.roles
  const own = { id: hub.nodeId, role: web && worker ? 'all' : web ? 'web' : 'worker', host: hostname().slice(0, 100), pid: process.pid } as const
  const now = async () => ({
    memoryMb: Math.round(process.memoryUsage().rss / 1_048_576),
    ...(await openSockets(hub)),
    seenAt: new Date(),
  })
  const sign = async () => {
    const em = hub.em()
    const fields = await now()
    // Gone when the database was restored from a copy, or somebody thought us dead.
    if ((await em.nativeUpdate(HubProcess, { id: own.id }, fields)) === 0) await em.insert(HubProcess, { ...own, ...fields, version: hubVersion, startedAt })
    await em.nativeDelete(HubProcess, { seenAt: { $lt: new Date(Date.now() - forgetAfterMs) } })
  }
  const startedAt = new Date(Date.now() - Math.round(process.uptime() * 1_000))
  await forgetDead(hub, own.host)
  await sign()
  const timer = setInterval(() => void sign().catch((error) => hub.log.warn({ err: error }, 'a sign of life was not written')), aliveEveryMs)
  return async () => {
    clearInterval(timer)
    await hub
      .em()
      .nativeDelete(HubProcess, { id: own.id })
      .catch(() => undefined)
  }
}

/** Who ended on this machine without a word, as a killed process does, need not be missed by anybody. */
async function forgetDead(hub: Hub, host: string): Promise<void> {
  const em = hub.em()
  const rows = await em.find(HubProcess, { host }, { fields: ['id', 'pid'], limit: most, disableIdentityMap: true })
  const dead = rows.filter(({ pid }) => !isAlive(pid)).map(({ id }) => id)
  if (dead.length > 0) await em.nativeDelete(HubProcess, { id: { $in: dead } })
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
}

/** Of this process, as the metrics count them: the agents' own namespace, and those of the plugins' visitors. */
async function openSockets(hub: Hub): Promise<{ agents: number; visitors: number }> {
  const { values } = await hub.metrics.sockets.get()
  const sum = (agents: boolean) => values.filter(({ labels }) => (labels.namespace === 'agent') === agents).reduce((all, { value }) => all + value, 0)
  return { agents: sum(true), visitors: sum(false) }
}

export interface ProcessState {
  id: string
  role: HubProcess['role']
  host: string
  pid: number
  version: string
  memoryMb: number
  agents: number
  visitors: number
  startedAt: Date
  seenAt: Date
  /** It has not been heard of for a while. */
  silent: boolean
}

/** Webs before workers, then by age. The one that answers is as it is now. */
export async function listProcesses(hub: Hub): Promise<ProcessState[]> {
  const rows = await hub.em().find(HubProcess, {}, { orderBy: { role: 'asc', startedAt: 'asc' }, limit: most, disableIdentityMap: true })
  const sockets = await openSockets(hub)
  const now = Date.now()
  return rows.map((row) => {
    const own = row.id === hub.nodeId
    return {
      ...row,
      ...(own ? { ...sockets, memoryMb: Math.round(process.memoryUsage().rss / 1_048_576), seenAt: new Date(now) } : {}),
      silent: !own && now - row.seenAt.getTime() > silentAfterMs,
    }
  })
}
