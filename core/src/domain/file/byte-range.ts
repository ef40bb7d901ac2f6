/** Which bytes of a file a player asks for. https://www.rfc-editor.org/rfc/rfc9110#section-14 */
import type { ByteRange } from '../../storage/file-store.ts'

/**
 * The one range that a Range header asks for, in bytes, cut at the file's end; `beyond` when none of it is there;
 * undefined for the whole file: no header, several ranges, or one not understood, all of which a server may ignore.
 */
export function rangeOf(header: string | undefined, size: number): ByteRange | 'beyond' | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header?.trim() ?? '') ?? []
  if (first === undefined || last === undefined || first + last === '') return undefined
  // `-500`: the last 500.
  if (first === '') return size === 0 || Number(last) === 0 ? 'beyond' : { from: Math.max(0, size - Number(last)), to: size - 1 }
  const from = Number(first)
  if (last !== '' && Number(last) < from) return undefined
  return from >= size ? 'beyond' : { from, to: Math.min(last === '' ? size : Number(last), size - 1) }
}
