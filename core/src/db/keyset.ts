/** Keyset paging: a cursor is the last row's sort values, so a deep page costs what the first one does. */
import { HubError } from '../../sdk/errors.ts'

export const encodeCursor = (values: readonly (string | number)[]): string => Buffer.from(JSON.stringify(values)).toString('base64url')

/** What stands in a cursor: `time` is in milliseconds since 1970, `number` any other whole number, `word` an id or a name. */
interface Kinds {
  time: number
  number: number
  word: string
}
const fits: { [K in keyof Kinds]: (value: unknown) => boolean } = {
  // What a date can be made of.
  time: (value) => typeof value === 'number' && Math.abs(value) <= 8.64e15,
  number: (value) => Number.isSafeInteger(value),
  word: (value) => typeof value === 'string' && !value.includes('\0'),
}

/** Throws HUB_REQUEST_INVALID for what is not made of these. */
export function decodeCursor<const K extends readonly (keyof Kinds)[]>(cursor: string, ...kinds: K): { -readonly [I in keyof K]: Kinds[K[I]] } {
  try {
    const values = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown
    if (Array.isArray(values) && values.length === kinds.length && kinds.every((kind, i) => fits[kind](values[i])))
      return values as { -readonly [I in keyof K]: Kinds[K[I]] }
  } catch {}
  throw new HubError('HUB_REQUEST_INVALID', 'The cursor is not valid')
}

/** Rows after a time and an id, newest first. */
export function beforeRow(field: string, cursor: string | undefined): Record<string, unknown> {
  if (!cursor) return {}
  const [at, id] = decodeCursor(cursor, 'time', 'word')
  const time = new Date(at)
  return { $or: [{ [field]: { $lt: time } }, { [field]: time, id: { $lt: id } }] }
}
