/** Brings a finished export to its destination, by one process at a time; a fault is tried again, then told. */

import { nameParts } from '@huike/core/sdk/file-names.ts'
import type { Ctx } from './context.ts'
import { faultOf, outletOf } from './destination.ts'
import { ExportFile, ExportShare, newId } from './export.entity.ts'
import { stillMay, stillSees } from './needed.ts'
import { notifyOwner } from './notify-owner.ts'
import type { Order } from './order.ts'
import { ExportDelivery, ExportDestination } from './schedule.entity.ts'

const leaseMs = 60_000
const mostAttempts = 6
/** 30 s, 2 min, 8 min, half an hour, two hours. */
const backoffMs = (attempts: number) => 30_000 * 4 ** (attempts - 1)
/** It will be no better by itself: a person has to change something. */
const hopeless = new Set(['private', 'nowhere', 'HUB_REQUEST_INVALID', 'HUB_FORBIDDEN', 'HUB_SETTINGS_SEALED', 'EXPORT_DESTINATION_GONE'])
const quiet = { disableIdentityMap: true }

export async function deliver(ctx: Ctx, exportId: string): Promise<void> {
  const em = ctx.em()
  const now = new Date()
  const holder = newId()
  const lease = () => new Date(Date.now() + leaseMs)
  const due = { exportId, state: 'due' as const, dueAt: { $lte: now } }
  if ((await em.nativeUpdate(ExportDelivery, due, { holder, dueAt: lease() })) === 0) return
  const mine = { exportId, holder, state: 'due' as const }
  const end = (more: Partial<ExportDelivery>) => ctx.em().nativeUpdate(ExportDelivery, mine, { holder: null, dueAt: null, ...more })
  const row = await em.findOne(ExportFile, { id: exportId }, quiet)
  // It is looked at again with the next sweep; who finishes it hurries that.
  if (row?.state === 'running') return void (await end({ dueAt: new Date(now.getTime() + 15_000) }))
  if (row?.state !== 'done') return void (await end({ state: 'off' }))
  const delivery = await em.findOneOrFail(ExportDelivery, { exportId }, quiet)
  const beat = setInterval(
    () =>
      void ctx
        .em()
        .nativeUpdate(ExportDelivery, mine, { dueAt: lease() })
        .catch(() => undefined),
    leaseMs / 4,
  )
  const name = nameThere(row.name, row.id)
  const order = JSON.parse(row.order) as Order
  const about = { exportId, byAgentId: row.agentId, records: row.total, rows: row.rows, name: '' }
  try {
    const destination = await em.findOne(ExportDestination, { id: delivery.destinationId }, quiet)
    about.name = destination?.name ?? ''
    const fault = !destination
      ? 'EXPORT_DESTINATION_GONE'
      : (await ctx.may(row.agentId, 'export.deliver')) && (await stillMay(ctx, row.agentId, order)) && (await stillSees(ctx, row.agentId, row, order))
        ? ''
        : 'HUB_FORBIDDEN'
    const stored = fault === '' ? await ctx.blobs.read(row.blob) : undefined
    if (!destination || !stored) return await failed(ctx, row, about, fault || 'HUB_NOT_FOUND', end)
    await outletOf(ctx, destination).put(name, stored)
    // It is there, whatever somebody has decided meanwhile.
    await ctx.tell('delivered', about)
    if ((await end({ state: 'sent', name, fault: '', sentAt: new Date() })) > 0) await ctx.endNotice('undelivered', exportId)
  } catch (error) {
    const fault = faultOf(error)
    const attempts = delivery.attempts + 1
    ctx.log.warn({ err: error, export: exportId, attempts }, 'an export was not taken')
    if (hopeless.has(fault) || attempts >= mostAttempts) await failed(ctx, row, about, fault, end)
    else await end({ attempts, fault, dueAt: new Date(Date.now() + backoffMs(attempts)) })
  } finally {
    clearInterval(beat)
  }
}

async function failed(
  ctx: Ctx,
  row: ExportFile,
  about: { name: string },
  fault: string,
  end: (more: Partial<ExportDelivery>) => Promise<number>,
): Promise<void> {
  if ((await end({ state: 'failed', fault })) === 0) return
  await ctx.tell('undelivered', { ...about, fault })
  const words = faultWords[fault] ?? faultWords.other
  await notifyOwner(ctx, row.agentId, {
    kind: 'undelivered',
    key: row.id,
    level: 'problem',
    title: { zh: `导出没有送达${about.name && `「${about.name}」`}`, en: `An export did not reach ${about.name || 'its destination'}` },
    body: { zh: `${row.name}：${words?.zh}`, en: `${row.name}: ${words?.en}` },
    link: '/workbench/x/export/exports',
  })
}

/** Why, for a notice; the page has the same. */
const faultWords: Record<string, { zh: string; en: string }> = {
  unreachable: { zh: '连接不上目的地。', en: 'the destination does not answer.' },
  busy: { zh: '目的地繁忙。', en: 'the destination is overloaded.' },
  credentials: { zh: '密钥不被接受。', en: 'the keys are not accepted.' },
  forbidden: { zh: '密钥权限不足。', en: 'the keys may not write there.' },
  clock: { zh: '服务器时钟不准。', en: 'the clock of the server is wrong.' },
  bucket: { zh: '存储桶不存在。', en: 'there is no such bucket.' },
  region: { zh: '存储桶在其他地域。', en: 'the bucket is in another region.' },
  full: { zh: '目的地空间已满。', en: 'the destination is full.' },
  disk: { zh: '文件夹不可写入。', en: 'the folder cannot be written to.' },
  private: { zh: '地址指向内网，未被允许。', en: 'the address leads inside the network, which is not allowed.' },
  nowhere: { zh: '服务器没有开放输出目录。', en: 'the server allows no output folder.' },
  HUB_FORBIDDEN: { zh: '你已没有发送它所需的权限。', en: 'you no longer have a permission that sending it needs.' },
  EXPORT_DESTINATION_GONE: { zh: '目的地已被删除。', en: 'the destination was deleted.' },
  HUB_SETTINGS_SEALED: { zh: '目的地的密钥需要重新填写。', en: 'the destination’s secret key must be entered again.' },
  other: { zh: '目的地拒绝了文件。', en: 'the destination refused the file.' },
}

/** The name by its rule, and what makes it the only one: a repeat replaces itself, and nobody else's. */
export function nameThere(name: string, exportId: string): string {
  const [stem, ending] = nameParts(name)
  return `${stem}_${exportId.slice(-6)}${ending}`
}

/** The export is a file now: what waits for that need not wait for the sweep. */
export async function afterDone(ctx: Ctx, row: ExportFile, order: Order): Promise<void> {
  const em = ctx.em()
  const waits = await em.nativeUpdate(ExportDelivery, { exportId: row.id, state: 'due', holder: null, attempts: 0 }, { dueAt: new Date() })
  if (waits > 0) await ctx.enqueue('deliver', { id: row.id }, { key: row.id })
  const shares = await em.find(ExportShare, { exportId: row.id }, { limit: 50, ...quiet })
  const agentIds: string[] = []
  for (const { agentId } of shares) if ((await stillMay(ctx, agentId, order)) && (await stillSees(ctx, agentId, row, order))) agentIds.push(agentId)
  if (agentIds.length === 0) return
  await ctx.notify({
    to: { agentIds },
    kind: 'shared',
    key: row.id,
    title: { zh: '有一个共享给你的导出可以下载', en: 'An export shared with you is ready' },
    body: { zh: row.name, en: row.name },
    link: '/workbench/x/export/exports',
  })
}

export async function sweepDeliveries(ctx: Ctx, now = new Date()): Promise<void> {
  const due = await ctx.em().find(ExportDelivery, { dueAt: { $lte: now } }, { fields: ['exportId'], orderBy: { dueAt: 'asc' }, limit: 100, ...quiet })
  for (const { exportId } of due) await ctx.enqueue('deliver', { id: exportId }, { key: exportId })
}
