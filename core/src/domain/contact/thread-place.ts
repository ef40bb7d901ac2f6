/** Where a page of a contact's thread ended, as its cursor. Whatever it says is looked at again with the reader's rights. */
import { HubError } from '../../../sdk/errors.ts'

export interface Place {
  /** From the oldest on; the other way round a cursor means nothing. */
  rising: boolean
  /** When the reading began: what is spoken in later has moved. */
  begun: number
  /** The time of the last message; null before the first. */
  at: number | null
  /** The last conversation that the walk met, by its time and id. */
  after: [at: number, id: string] | null
  /** Conversations that the page stopped within, each with the last number read. */
  open: [id: string, seq: number][]
}

/** A cursor is as long as conversations overlap at one moment: one for each address a person writes from. */
export const longestCursor = 8_000

export const encodePlace = ({ rising, begun, at, after, open }: Place): string =>
  Buffer.from(JSON.stringify([rising, begun, at, after, open])).toString('base64url')

/** Throws HUB_REQUEST_INVALID. */
export function decodePlace(cursor: string, rising: boolean): Place {
  try {
    const [way, begun, at, after, open] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[]
    if (way === rising && isTime(begun) && (at === null || isTime(at)) && (after === null || isPair(after, isTime, isId)) && isOpen(open))
      return { rising, begun, at, after, open }
  } catch {}
  throw new HubError('HUB_REQUEST_INVALID', 'The cursor is not valid')
}

const isTime = (value: unknown): value is number => typeof value === 'number' && Math.abs(value) <= 8.64e15
const isId = (value: unknown): value is string => typeof value === 'string' && value.length <= 26
const isNumber = (value: unknown): value is number => Number.isSafeInteger(value)
const isPair = <A, B>(value: unknown, first: (one: unknown) => one is A, second: (one: unknown) => one is B): value is [A, B] =>
  Array.isArray(value) && value.length === 2 && first(value[0]) && second(value[1])
const isOpen = (value: unknown): value is [string, number][] => Array.isArray(value) && value.every((one) => isPair(one, isId, isNumber))
