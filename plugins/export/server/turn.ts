/** One turn of writing an export: what each form of it is written from. */
import type { RecordReader } from '@huike/core/sdk/records.ts'
import type { Ctx } from './context.ts'
import type { ExportFile } from './export.entity.ts'
import type { Order } from './order.ts'

export interface Turn {
  ctx: Ctx
  row: ExportFile
  order: Order
  reader: RecordReader
  /** Throws when this turn is over. */
  check(): void
}
