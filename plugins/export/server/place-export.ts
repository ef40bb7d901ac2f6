/** An order becomes an export that is due, with who may have it and where it goes, in one transaction of the caller's. */
import type { Ctx } from './context.ts'
import { ExportFile, ExportShare, newId } from './export.entity.ts'
import type { Order } from './order.ts'
import { ExportDelivery } from './schedule.entity.ts'

interface Placed {
  id?: string
  agentId: string
  order: Order
  password?: string | undefined
  shareWith?: readonly string[]
  destinationId?: string | undefined
}

export async function placeExport(ctx: Ctx, tx: ReturnType<Ctx['em']>, placed: Placed): Promise<string> {
  const { id = newId(), agentId, order, password, shareWith = [], destinationId } = placed
  const now = new Date()
  await tx.insert(ExportFile, {
    id,
    agentId,
    state: 'running',
    order: JSON.stringify(order),
    password: password ? ctx.seal(password) : '',
    named: JSON.stringify({ channel: [], inbox: [], agent: [], category: [], fields: {} }),
    shows: '',
    leaseUntil: now,
    createdAt: now,
  } as unknown as ExportFile)
  if (shareWith.length > 0)
    await tx.insertMany(
      ExportShare,
      shareWith.map((one) => ({ agentId: one, exportId: id })),
    )
  if (destinationId) await tx.insert(ExportDelivery, { exportId: id, destinationId, state: 'due', dueAt: now } as unknown as ExportDelivery)
  return id
}

/**
 * What everybody hears who listens to this plugin; the log of deeds, too. Before the order of a person is put down: one
 * that cannot be told is refused, not put down and ordered once more.
 */
export async function tellStarted(ctx: Ctx, exportId: string, order: Order, more: Record<string, unknown> = {}): Promise<void> {
  await ctx.tell('started', {
    exportId,
    format: order.format,
    personal: order.personal,
    attachments: order.attachments,
    records: order.ids?.length ?? null,
    // By what it was narrowed, not by which words: those may name somebody.
    conditions: Object.keys(order.filter ?? {}),
    fields: order.table ? order.table.columns.map(({ key }) => key) : order.fields,
    ...(order.table ? { table: order.table.name } : {}),
    ...more,
  })
}

/** It is due already: what cannot be hurried is found by the sweep. */
export const hurry = (ctx: Ctx, id: string): Promise<void> =>
  ctx.enqueue('write', { id }, { key: id }).catch((error) => ctx.log.warn({ err: error, export: id }, 'an export waits for the sweep'))
