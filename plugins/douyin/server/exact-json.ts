/**
 * JSON whose whole numbers survive: advertising ids go beyond 2^53, where `JSON.parse` changes them silently. Such a
 * number becomes a string of its digits.
 */

type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown

const keepDigits: Reviver = (_key, value, { source }) =>
  typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && /^-?\d+$/.test(source) ? source : value

/** Throws SyntaxError. */
export const parseExactly = (text: string): unknown => JSON.parse(text, keepDigits as Parameters<typeof JSON.parse>[1])

/** The value of the first member called `name`, as it was written; undefined when it is none or no plain value. */
export function sourceOf(text: string, name: string): string | undefined {
  let found: string | undefined
  const find: Reviver = (key, value, { source }) => {
    if (key === name) found ??= source
    return value
  }
  JSON.parse(text, find as Parameters<typeof JSON.parse>[1])
  return found
}
