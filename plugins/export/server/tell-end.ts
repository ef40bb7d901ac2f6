/**
 * What is said once an export has ended. Until it is said the row has a lease, as while it is written: whoever dies in
 * between leaves what the sweep finds. Notices have keys, so twice is once; the entry in the log comes last.
 */
import type { Ctx } from './context.ts'
import { afterDone } from './deliver.ts'
import { ExportFile, ExportPart } from './export.entity.ts'
import { notifyOwner } from './notify-owner.ts'
import type { Order } from './order.ts'

const quiet = { disableIdentityMap: true }
/** Tries before what is owed is let go: the list says how it ended, too. */
const mostAttempts = 5

/** @param holder who has the lease of what has ended and owes a word; nothing is owed by anybody else */
export async function tellEnd(ctx: Ctx, id: string, holder: string): Promise<void> {
  const em = ctx.em()
  const mine = { id, holder, state: { $in: ['done' as const, 'failed' as const] } }
  const row = await em.findOne(ExportFile, mine, quiet)
  if (!row) return
  try {
    await dropParts(ctx, row.id, row.idsBlob)
    await (row.state === 'done' ? tellDone(ctx, row) : tellFailed(ctx, row))
    await em.nativeUpdate(ExportFile, mine, { holder: null, leaseUntil: null })
  } catch (error) {
    const attempts = row.attempts + 1
    ctx.log.warn({ err: error, export: id, attempts }, 'that an export has ended could not be told')
    const leaseUntil = attempts < mostAttempts ? new Date(Date.now() + 1_000 * 2 ** attempts) : null
    await em.nativeUpdate(ExportFile, mine, { holder: null, attempts, leaseUntil })
  }
}

async function tellDone(ctx: Ctx, row: ExportFile): Promise<void> {
  const order = JSON.parse(row.order) as Order
  await ctx.notify({
    to: { agentIds: [row.agentId] },
    kind: 'ready',
    key: row.id,
    title: { zh: '导出已完成，可以下载', en: 'An export is ready to download' },
    body: { zh: row.name, en: row.name },
    link: '/workbench/x/export/exports',
  })
  await afterDone(ctx, row, order)
  // Rows of a PDF are pages.
  const count = Math.max(row.total, row.rows)
  await ctx.tell('ready', {
    exportId: row.id,
    byAgentId: row.agentId,
    records: row.total,
    rows: row.rows,
    count,
    left: count,
    format: order.format,
    personal: order.personal,
    ...(order.table ? { table: order.table.name } : {}),
  })
}

async function tellFailed(ctx: Ctx, row: ExportFile): Promise<void> {
  await notifyOwner(ctx, row.agentId, {
    kind: 'failed',
    key: row.id,
    level: 'problem',
    title: { zh: '导出没有完成', en: 'An export did not finish' },
    link: '/workbench/x/export/exports',
  })
  await ctx.tell('failed', { exportId: row.id, byAgentId: row.agentId, fault: row.fault })
}

export async function dropParts(ctx: Ctx, exportId: string, idsBlob: string): Promise<void> {
  const em = ctx.em()
  for (const part of await em.find(ExportPart, { exportId }, quiet)) await ctx.blobs.remove(part.blob)
  await em.nativeDelete(ExportPart, { exportId })
  if (idsBlob) await ctx.blobs.remove(idsBlob)
}
