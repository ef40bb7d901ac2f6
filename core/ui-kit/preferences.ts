/** What a person has arranged for themselves, kept on the hub: the same on every computer and in both apps. */
import { api, get } from './api.ts'

const pathOf = (name: string): string => `/preferences/${name}`
const newest = new Map<string, object>()
const sending = new Map<string, Promise<unknown>>()

/** `null` when nothing has been kept. Throws ApiError. */
export const keptPreference = async <T>(name: string): Promise<T | null> => (await get<{ value: T | null }>(pathOf(name))).value

/** One after the other: two changes in a row cannot overtake each other, and one that has been superseded is not sent. Throws ApiError. */
export function keepPreference(name: string, value: object): Promise<unknown> {
  newest.set(name, value)
  const before = (sending.get(name) ?? Promise.resolve()).catch(() => undefined)
  // Also when one leaves in the same moment.
  const turn = before.then(() => newest.get(name) === value && api('PUT', pathOf(name), { value }, { keepalive: true }))
  sending.set(name, turn)
  return turn
}
