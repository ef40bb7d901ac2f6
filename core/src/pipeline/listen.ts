/**
 * Long-lived intakes (a mailbox, a socket): each inbox is listened to by one process, which holds its lease. Switched
 * off, configured anew, or taken over by another process, the intake is stopped by its own undo.
 */
import type { Accepted, InboundEvent } from '../../sdk/channel.ts'
import { HubError } from '../../sdk/errors.ts'
import { dropLease, takeLease } from '../db/lease.ts'
import { adapterOf, unlock } from '../domain/inbox/channels.ts'
import { Inbox } from '../domain/inbox/inbox.entity.ts'
import type { Hub } from '../hub.ts'
import { isSettled } from './intake.ts'

const lookEveryMs = 2_000
const leaseMs = 15_000
const backoffMs = (failures: number) => Math.min(1_000 * 2 ** failures, 60_000)

interface Intake {
  /** What it was started with: other settings are another intake. */
  version: string
  undo: Promise<(() => void | Promise<void>) | undefined>
}

export function startListening(hub: Hub): { stop(): Promise<void>; look(): Promise<void> } {
  const intakes = new Map<string, Intake>()
  const failed = new Map<string, { count: number; until: number }>()
  let stopped = false
  let turn: Promise<void> = Promise.resolve()
  const leaseOf = (inboxId: string) => `listen:${inboxId}`

  async function end(inboxId: string): Promise<void> {
    const intake = intakes.get(inboxId)
    intakes.delete(inboxId)
    try {
      await (await intake?.undo)?.()
    } catch (error) {
      hub.log.warn({ err: error, inbox: inboxId }, 'an intake did not stop as it should')
    }
  }

  async function look(): Promise<void> {
    const channels = hub.kernel
      .running()
      .map(({ manifest }) => manifest.id)
      .filter((id) => adapterOf(hub, id)?.listen)
    const em = hub.em()
    const rows =
      stopped || channels.length === 0 ? [] : await em.find(Inbox, { channel: { $in: channels }, enabled: true }, { limit: 1_000, disableIdentityMap: true })
    const wanted = new Map(rows.map((row) => [row.id, row]))
    for (const id of [...intakes.keys()])
      if (!wanted.has(id)) {
        await end(id)
        await dropLease(em, leaseOf(id), hub.nodeId)
      }
    for (const row of rows) {
      const held = await takeLease(em, leaseOf(row.id), hub.nodeId, leaseMs)
      const version = JSON.stringify([row.settings, row.name])
      if (!held || (intakes.has(row.id) && intakes.get(row.id)?.version !== version)) await end(row.id)
      if (held && !intakes.has(row.id) && (failed.get(row.id)?.until ?? 0) < Date.now()) begin(row, version)
    }
  }

  function begin(row: Inbox, version: string): void {
    const adapter = adapterOf(hub, row.channel)
    const emit = async (events: InboundEvent[]): Promise<Accepted[]> => {
      // What an intake that lost its lease still hands over is refused: the other process has it.
      if (intakes.get(row.id)?.version !== version) throw new HubError('HUB_CONFLICT', 'This intake has ended')
      return acceptAll(hub, row.id, events)
    }
    const undo = (async () => {
      try {
        const stop = await adapter?.listen?.(unlock(hub, row).forAdapter, emit)
        failed.delete(row.id)
        return stop
      } catch (error) {
        const count = (failed.get(row.id)?.count ?? 0) + 1
        failed.set(row.id, { count, until: Date.now() + backoffMs(count) })
        hub.log.warn({ err: error, inbox: row.id, count }, 'an intake could not be started')
        intakes.delete(row.id)
        return undefined
      }
    })()
    intakes.set(row.id, { version, undo })
  }

  const inTurn = (work: () => Promise<void>): Promise<void> => {
    turn = turn.then(work).catch((error) => hub.log.error({ err: error }, 'intakes could not be looked after'))
    return turn
  }
  const timer = setInterval(() => void inTurn(look), lookEveryMs)
  const undo = [hub.bus.subscribe('inbox.changed', () => void inTurn(look)), hub.kernel.onSwitched(() => void inTurn(look))]
  void inTurn(look)
  return {
    look: () => inTurn(look),
    async stop() {
      stopped = true
      clearInterval(timer)
      for (const take of undo) take()
      await inTurn(look)
    },
  }
}

/** Events of a platform, whose own part is done: what a block or a hook refuses is refused quietly, the others go on. `by`: it waits for the answer. */
export async function acceptAll(hub: Hub, inboxId: string, events: InboundEvent[], by?: number): Promise<Accepted[]> {
  const results: Accepted[] = []
  for (const event of events)
    try {
      results.push(...(await hub.intake.accept(inboxId, [event], by)))
    } catch (error) {
      if (!isSettled(error)) throw error
      results.push({ externalId: event.externalId, duplicate: false, refused: true })
    }
  return results
}
