import type { Platform } from '@mikro-orm/core'

/** Values stand in the statements that SQLite is given, and a statement ends for it at a NUL: text that has one is written by its bytes. */
export function writeNul(platform: Platform): void {
  const write = platform.escape.bind(platform)
  platform.escape = (value: unknown) =>
    typeof value === 'string' && value.includes('\0') ? `cast(x'${Buffer.from(value).toString('hex')}' as text)` : write(value)
}
