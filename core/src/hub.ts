/** What every part of the server holds: one object, made once in `app.ts`, passed as an argument. */
import type { Logger } from '../sdk/plugin.ts'
import type { AccessCache } from './access/access-cache.ts'
import type { Env } from './config/env.ts'
import type { Dialect, Em, Orm } from './db/orm.ts'
import type { Metrics } from './http/metrics.ts'
import type { Kernel } from './kernel/kernel.ts'
import type { Vault } from './kernel/settings.ts'
import type { Intake } from './pipeline/intake.ts'
import type { Queue } from './queue/queue.ts'
import type { Bus } from './realtime/bus.ts'
import type { Delivered } from './realtime/delivered.ts'
import type { SealedStore } from './storage/sealed-store.ts'

export interface Hub {
  env: Env
  log: Logger
  secret: string
  vault: Vault
  orm: Orm
  dialect: Dialect
  bus: Bus
  queue: Queue
  kernel: Kernel
  access: AccessCache
  intake: Intake
  delivered: Delivered
  files: SealedStore
  metrics: Metrics
  /** It is about to end: answers are still given, and each says that its connection is the last; work that is due at the next start too is not begun. */
  closing: boolean
  /** This process, for leases. */
  nodeId: string
  /** A fresh unit of work. */
  em(): Em
  /** Where customers reach the hub; known once it listens. */
  publicUrl(): string
}
