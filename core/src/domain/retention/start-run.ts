/** Begins runs: when somebody asks, and by itself once a day at the hour that was chosen. */
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import { encodeTime } from 'ulid'
import { HubError } from '../../../sdk/errors.ts'
import type { RetentionHour } from '../../../sdk/wire/retention.ts'
import { whoDoes } from '../../access/doing.ts'
import type { Em } from '../../db/orm.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { commitWithEvents } from '../conversation/change.ts'
import { Setting } from '../setting/setting.entity.ts'
import { type KeptRule, RetentionRun } from './retention.entity.ts'
import { keptRule, readRules } from './rules.ts'

const settingKey = 'retention.hour'
const hourMs = 3_600_000
const trialsKeptMs = 7 * 24 * hourMs

export async function readHour(em: Em): Promise<RetentionHour> {
  const row = await em.findOne(Setting, { key: settingKey }, { disableIdentityMap: true })
  return (row?.value as RetentionHour | undefined) ?? { hour: 3, tz: 'UTC' }
}
export const writeHour = (em: Em, value: RetentionHour): Promise<unknown> => em.upsert(Setting, { key: settingKey, value, updatedAt: new Date() })

/** The first full hour after `after` that is the chosen one there. Where a clock change leaves the hour out, the day is left out. */
export function nextAt({ hour, tz }: RetentionHour, after: Date): Date {
  const clock = new Intl.DateTimeFormat('en-GB', { timeZone: tz, hour: 'numeric', hourCycle: 'h23' })
  // Some zones lie half or a quarter of an hour beside the others: looked at by the quarter.
  const quarter = hourMs / 4
  for (let at = (Math.floor(after.getTime() / quarter) + 1) * quarter; ; at += quarter)
    if (Number(clock.format(at)) === hour && Number(clock.format(at - quarter)) !== hour) return new Date(at)
}

/** When it begins by itself; null when no rule is on. What a machine that was off has missed is done when it is on again. */
export async function nextRunAt(em: Em): Promise<Date | null> {
  const on = (await readRules(em)).flatMap(({ onAt }) => (onAt ? [onAt] : []))
  if (on.length === 0) return null
  const [last] = await em.find(RetentionRun, { kind: 'clean' }, { orderBy: { id: 'desc' }, limit: 1, fields: ['startedAt'], disableIdentityMap: true })
  // A rule that was switched on today has until the hour comes.
  const since = Math.max(last?.startedAt.getTime() ?? 0, Math.min(...on.map((at) => at.getTime())))
  return nextAt(await readHour(em), new Date(since))
}

export async function startDailyRun(hub: Hub): Promise<void> {
  const em = hub.em()
  const at = await nextRunAt(em)
  if (!at || at > new Date()) return
  await startRun(hub, { kind: 'clean', rules: (await readRules(em)).filter(({ onAt }) => onAt) }).catch((error) => {
    if (!(error instanceof HubError && error.code === 'HUB_CONFLICT')) throw error
  })
}

/** Throws HUB_CONFLICT (`running`) when one of the kind is running. */
export async function startRun(
  hub: Hub,
  {
    kind,
    rules,
    ruleId = null,
    startedById = null,
  }: { kind: RetentionRun['kind']; rules: readonly KeptRule[]; ruleId?: string | null; startedById?: string | null },
): Promise<RetentionRun> {
  const now = new Date()
  const em = hub.em()
  const row = {
    id: newId(),
    kind,
    ruleId,
    state: 'running',
    openKind: kind === 'trial' ? `trial:${ruleId ?? ''}` : kind,
    rules: rules.map(keptRule),
    tallies: [],
    sample: [],
    looked: 0,
    startedById,
    doneBy: whoDoes(),
    startedAt: now,
    attempts: 0,
    error: '',
    dueAt: now,
  } as unknown as RetentionRun
  await em.nativeDelete(RetentionRun, { kind: 'trial', id: { $lt: encodeTime(now.getTime() - trialsKeptMs).toLowerCase() } })
  try {
    await commitWithEvents(hub, async (tx) => {
      await tx.insert(RetentionRun, row)
      return kind === 'clean' ? [{ name: 'retention.started', data: { runId: row.id } }] : []
    })
  } catch (error) {
    if (error instanceof UniqueConstraintViolationException) throw new HubError('HUB_CONFLICT', 'One is running already', { reason: 'retention-running' })
    throw error
  }
  hub.queue.hurry('retention', row.id)
  return row
}
