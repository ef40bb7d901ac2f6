/** Packages that are the core's own, loaded from where the core finds them. */
import { createRequire } from 'node:module'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../..')
const require = createRequire(join(root, 'core/package.json'))

export const fromCore = (name: string): unknown => require(name)

export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): { run(...values: unknown[]): unknown; get(...values: unknown[]): unknown }
  close(): void
}
