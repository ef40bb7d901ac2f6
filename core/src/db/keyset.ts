/** Keyset paging: a cursor is the last row's sort values, so a deep page costs what the first one does. */
import { HubError } from '../../sdk/errors.ts'

export const encodeCursor = (values: readonly (string | number)[]): string => Buffer.from(JSON.stringify(values)).toString('base64url')

/** Throws HUB_REQUEST_INVALID. */
export function decodeCursor(cursor: string, length: number): (string | number)[] {
  try {
    const values = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown
    if (Array.isArray(values) && values.length === length && values.every((v) => typeof v === 'string' || isTime(v))) return values
  } catch {}
  throw new HubError('HUB_REQUEST_INVALID', 'The cursor is not valid')
}

/** What a date can be made of. */
const isTime = (value: unknown): value is number => typeof value === 'number' && Math.abs(value) <= 8.64e15

/** Rows after a time and an id, newest first. */
export function beforeRow(field: string, cursor: string | undefined): Record<string, unknown> {
  if (!cursor) return {}
  const [at, id] = decodeCursor(cursor, 2)
  const time = new Date(at as number)
  return { $or: [{ [field]: { $lt: time } }, { [field]: time, id: { $lt: id } }] }
}
