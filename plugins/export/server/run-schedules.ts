/**
 * Schedules that are due become exports: each time once however many processes look, since who moves the schedule on from
 * that time is one. What was missed is made up by one export, over all of its days. What the owner may is asked anew; when it is too
 * little, it stops.
 */
import { wallClock } from '@huike/core/sdk/local-time.ts'
import type { Ctx } from './context.ts'
import { newId } from './export.entity.ts'
import { mayAgentTakeFiles, mayRead, neededFor, withinFiles } from './needed.ts'
import { latestRun, nextRun, previousSpan, type Rule } from './next-run.ts'
import { notifyAll, notifyOwner } from './notify-owner.ts'
import type { Order } from './order.ts'
import { hurry, placeExport, tellStarted } from './place-export.ts'
import { ExportDestination, ExportRun, ExportSchedule } from './schedule.entity.ts'
import { spanPlace } from './table-order.ts'

const runsKeptMs = 90 * 86_400_000
const quiet = { disableIdentityMap: true }

export async function runSchedules(ctx: Ctx, now = new Date()): Promise<void> {
  const due = await ctx.em().find(ExportSchedule, { nextAt: { $lte: now } }, { orderBy: { nextAt: 'asc' }, limit: 50, ...quiet })
  // One that cannot be run holds up no other; it is due again with the next look.
  for (const row of due) await runOne(ctx, row, now).catch((error) => ctx.log.warn({ err: error, schedule: row.id }, 'a schedule could not be run'))
}

async function runOne(ctx: Ctx, row: ExportSchedule, now: Date): Promise<void> {
  if (!row.nextAt) return
  const rule = JSON.parse(row.rule) as Rule
  const kept = withinFiles(JSON.parse(row.order) as Order, await mayAgentTakeFiles(ctx, row.agentId))
  const fault = await faultOf(ctx, row, kept)
  if (fault) return stop(ctx, row, fault)
  const order = await followed(ctx, row.agentId, kept)
  const dueAt = latestRun(rule, row.nextAt, now)
  const spanned = row.span === 'previous' ? await within(ctx, row.agentId, order, previousSpan(rule, dueAt, row.nextAt)) : order
  const shareWith: string[] = []
  for (const id of JSON.parse(row.shareWith) as string[])
    if ((await Promise.all(neededFor(order).map((permission) => ctx.may(id, permission)))).every(Boolean)) shareWith.push(id)
  if (dueAt > row.nextAt) await tellMissed(ctx, row, rule, dueAt)
  const exportId = newId()
  const won = await ctx.em().transactional(async (tx) => {
    const moved = await tx.nativeUpdate(ExportSchedule, { id: row.id, state: 'active', nextAt: row.nextAt }, { nextAt: nextRun(rule, now) })
    if (moved === 0) return false
    const { agentId, password, destinationId } = row
    await placeExport(ctx, tx, {
      id: exportId,
      agentId,
      order: spanned,
      shareWith,
      password: password || undefined,
      destinationId: destinationId || undefined,
    })
    await tx.insert(ExportRun, { scheduleId: row.id, dueAt, exportId, at: now })
    await tx.nativeDelete(ExportRun, { scheduleId: row.id, dueAt: { $lt: new Date(now.getTime() - runsKeptMs) } })
    return true
  })
  if (!won) return
  await hurry(ctx, exportId)
  await tellStarted(ctx, exportId, spanned, { byAgentId: row.agentId, scheduleId: row.id })
}

/** What is missing for it, as a permission or a code; empty when nothing is. */
async function faultOf(ctx: Ctx, row: ExportSchedule, order: Order): Promise<string> {
  const needed = [...neededFor(order), 'export.schedule', ...(row.destinationId ? ['export.deliver'] : [])]
  for (const permission of needed) if (!(await ctx.may(row.agentId, permission))) return permission
  if (row.destinationId && (await ctx.em().count(ExportDestination, { id: row.destinationId })) === 0) return 'EXPORT_DESTINATION_GONE'
  if (order.viewId && !(await ctx.records.view(row.agentId, order.viewId))) return 'EXPORT_VIEW_GONE'
  if (!(await mayRead(ctx, row.agentId, order))) return 'EXPORT_TABLE_GONE'
  return ''
}

/** By its key once, though several processes say it and one of them goes on. */
async function tellMissed(ctx: Ctx, row: ExportSchedule, { tz }: Rule, dueAt: Date): Promise<void> {
  const dayOf = (at: Date | null | undefined) => (at ? wallClock(at, tz).toISOString().slice(0, 10) : '')
  const [from, to] = [dayOf(row.nextAt), dayOf(dueAt)]
  await notifyOwner(ctx, row.agentId, {
    kind: 'scheduleMissed',
    key: `${row.id}:${dueAt.getTime()}`,
    title: {
      zh: `定时导出「${row.name}」错过了几次，已一并补上`,
      en: `The scheduled export “${row.name}” missed some of its times; one export makes up for them`,
    },
    body:
      row.span === 'previous'
        ? {
            zh: `${from} 至 ${to} 应有的几次合并为一个文件，包含其间各天的内容。`,
            en: `What was due from ${from} to ${to} is one file, with all the days in between.`,
          }
        : { zh: `${from} 至 ${to} 应有的几次合并为一个文件，内容以现在为准。`, en: `What was due from ${from} to ${to} is one file, as things are now.` },
    link: '/workbench/x/export/exports',
  })
}

/** Somebody has left: their schedules would stop at their next time, and they read no notices. */
export async function tellOwnerLeft(ctx: Ctx, agentId: string): Promise<void> {
  const rows = await ctx.em().find(ExportSchedule, { agentId, state: 'active' }, { fields: ['id', 'name'], limit: 50, ...quiet })
  if (rows.length === 0) return
  await ctx.notify({
    to: { permission: 'export.oversee' },
    kind: 'ownerLeft',
    key: agentId,
    level: 'problem',
    title: {
      zh: `停用的账号名下还有 ${rows.length} 个定时导出`,
      en: rows.length === 1 ? 'A switched-off account has a scheduled export' : `A switched-off account has ${rows.length} scheduled exports`,
    },
    body: {
      zh: `${rows.map(({ name }) => `「${name}」`).join('')}将停止。可以在「所有人的」定时导出里接管或删除。`,
      en: `They will stop: ${rows.map(({ name }) => `“${name}”`).join(', ')}. Take them over, or delete them, among everybody’s schedules.`,
    },
    link: '/workbench/x/export/exports',
  })
}

async function stop(ctx: Ctx, row: ExportSchedule, fault: string): Promise<void> {
  const stopped = await ctx.em().nativeUpdate(ExportSchedule, { id: row.id, state: 'active', nextAt: row.nextAt }, { state: 'stopped', nextAt: null, fault })
  if (stopped === 0) return
  await ctx.tell('scheduleStopped', { scheduleId: row.id, byAgentId: row.agentId, fault })
  const gone = fault.startsWith('EXPORT_')
  await notifyAll(ctx, row.agentId, {
    kind: 'scheduleStopped',
    key: row.id,
    level: 'problem',
    title: { zh: `定时导出「${row.name}」已停止`, en: `The scheduled export “${row.name}” has stopped` },
    body: gone
      ? {
          zh: '它的目的地、内容或所跟随的筛选已不存在，请修改后重新启用。',
          en: 'Its destination, its list or the view it follows is gone: change it and start it again.',
        }
      : {
          zh: '它的主人已没有它需要的权限。恢复权限，或由能管理所有人导出的人接管。',
          en: 'Its owner no longer has a permission that it needs. Give it back, or let who oversees exports take it over.',
        },
    link: '/workbench/x/export/exports',
  })
}

/** A schedule that follows a named filter finds what that says now. */
export async function followed(ctx: Ctx, agentId: string, { viewId, ...order }: Order): Promise<Order> {
  const view = viewId && (await ctx.records.view(agentId, viewId))
  if (!view) return order
  return order.table ? { ...order, table: { ...order.table, filter: { records: view.filter } } } : { ...order, filter: view.filter }
}

async function within(ctx: Ctx, agentId: string, order: Order, span: { from: string; to: string }): Promise<Order> {
  const narrowed = (filter: object) => ({ ...filter, period: undefined, ...span })
  if (!order.table) return { ...order, filter: narrowed(order.filter ?? {}) }
  const info = (await ctx.tables.list(agentId)).find(({ name }) => name === order.table?.name)
  const { filter } = order.table
  const place = info && spanPlace(info)
  if (!place) return order
  return {
    ...order,
    table: { ...order.table, filter: place === 'own' ? { ...filter, ...span } : { ...filter, records: narrowed((filter.records as object) ?? {}) } },
  }
}
