/**
 * Pages ask again and again for what they show. The same deed of the same person, by the same token and from the same
 * place, is told once in five minutes, by each process for itself: twice is a line too many, never is a line too few. One
 * that shows more than what was told of is another.
 */
import { whoDoes } from '../../access/doing.ts'
import { retryOnConflict } from '../../db/retry.ts'
import type { Hub } from '../../hub.ts'
import { tellEvents } from './change.ts'

export interface Deed {
  /** What makes two deeds the same: of which kind, whose, on what. */
  same: readonly string[]
  event: Parameters<typeof tellEvents>[1][number]
}
interface Told {
  at: number
  /** Until then it is not known whether it was told. */
  telling: Promise<void>
  shown: number
}

const sameMs = 5 * 60_000
/** Beyond it the oldest are forgotten. */
const most = 50_000
const tellings = new WeakMap<Hub, Map<string, Told>>()

function toldBy(hub: Hub): Map<string, Told> {
  const told = tellings.get(hub) ?? new Map<string, Told>()
  tellings.set(hub, told)
  const now = Date.now()
  for (const [key, { at }] of told) {
    if (now - at < sameMs && told.size < most) break
    told.delete(key)
  }
  return told
}

const keyOf = (same: readonly string[]): string => [whoDoes()?.tokenId ?? '', whoDoes()?.ip ?? '', ...same].join('/')
const shownBy = ({ data }: Deed['event']): number => ('shown' in data && typeof data.shown === 'number' ? data.shown : 0)

/**
 * Owes the events of what was not told of a moment ago, together. When that fails nothing is noted and the error goes
 * on, to whoever asks for the same meanwhile as well: what is not told of is not shown.
 */
export async function tellOnce(hub: Hub, deeds: readonly Deed[]): Promise<void> {
  const told = toldBy(hub)
  const waits: Promise<void>[] = []
  const news = new Map<string, Deed['event']>()
  for (const { same, event } of deeds) {
    const key = keyOf(same)
    const before = told.get(key)
    if (before && shownBy(event) <= before.shown) waits.push(before.telling)
    else news.set(key, event)
  }
  if (news.size > 0) {
    const telling = retryOnConflict(() => tellEvents(hub, [...news.values()]))
    const at = Date.now()
    for (const [key, event] of news) {
      told.delete(key)
      told.set(key, { at, telling, shown: shownBy(event) })
    }
    telling.catch(() => {
      for (const key of news.keys()) if (told.get(key)?.telling === telling) told.delete(key)
    })
    waits.push(telling)
  }
  await Promise.all(waits)
}

/** It was told of by another name. */
export function noteTold(hub: Hub, same: readonly string[]): void {
  const told = toldBy(hub)
  if (!told.has(keyOf(same))) told.set(keyOf(same), { at: Date.now(), telling: Promise.resolve(), shown: 0 })
}
