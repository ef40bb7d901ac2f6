/** Of a form, what was changed: the rest was only shown, others may have changed it meanwhile, and to send it would take that back. */
import { ApiError } from './api.ts'

const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)

/** The fields that no longer hold what was loaded. */
export function changesOf<V extends object>(loaded: V, written: V): Partial<V> {
  const names = (Object.keys(written) as (keyof V)[]).filter((name) => !same(loaded[name], written[name]))
  return Object.fromEntries(names.map((name) => [name, written[name]])) as Partial<V>
}

/** What the fields of a change held when they were loaded: `was` of a PATCH, which the hub refuses when they hold something else by now. */
export const wasOf = <V extends object>(loaded: V, changes: Partial<V>): Partial<V> =>
  Object.fromEntries(Object.keys(changes).map((name) => [name, loaded[name as keyof V]])) as Partial<V>

/**
 * For what is sent as a whole: what there is `now`, with what was changed laid upon it. Throws HUB_CONFLICT where somebody else has
 * changed the same meanwhile.
 */
export function layOn<V extends object>(now: V, loaded: V, written: V): V {
  const changes = changesOf(loaded, written)
  for (const name of Object.keys(changes) as (keyof V & string)[])
    if (!same(now[name], loaded[name]) && !same(now[name], written[name]))
      throw new ApiError(409, { code: 'HUB_CONFLICT', message: `Somebody else has changed ${name} meanwhile` })
  return { ...now, ...changes }
}
