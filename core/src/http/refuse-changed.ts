/** What two people change at once: the second is told, and takes nothing back. */
import { isDeepStrictEqual } from 'node:util'
import { HubError } from '../../sdk/errors.ts'

/** Ids that are linked have no order. */
const inOrder = (value: unknown) => (Array.isArray(value) && value.every((one) => typeof one === 'string') ? value.toSorted() : value)

/** `was`: what the fields held when whoever changes them read them. Within the transaction that writes, on rows that are locked. Throws HUB_CONFLICT. */
export function refuseChanged<T extends object>(was: Partial<T> | undefined, now: T): void {
  for (const name of Object.keys(was ?? {}) as (keyof T & string)[])
    if (!isDeepStrictEqual(inOrder(was?.[name]), inOrder(now[name])))
      throw new HubError('HUB_CONFLICT', 'Somebody else has changed it meanwhile', { path: `/${name}` })
}
