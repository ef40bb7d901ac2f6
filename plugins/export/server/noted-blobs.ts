/** Bytes that are written down before they are there: what a crash between the two leaves is found and removed. */
import { randomBytes } from 'node:crypto'
import type { Ctx } from './context.ts'
import { ExportFile, ExportPart } from './export.entity.ts'
import { ExportBlob } from './schedule.entity.ts'

/** After so long nobody who wrote it will still speak of it. */
const orphanMs = 3_600_000
const quiet = { disableIdentityMap: true }

/** As `ctx.blobs.put`, for an export and the turn that writes it. Once a row speaks of the blob, {@link forgetNote} is due. */
export async function putNoted(ctx: Ctx, exportId: string, holder: string, chunks: AsyncIterable<Uint8Array>): Promise<{ name: string; size: number }> {
  const name = randomBytes(16).toString('hex')
  await ctx.em().insert(ExportBlob, { name, exportId, holder, createdAt: new Date() })
  return ctx.blobs.put(chunks, name)
}

export async function forgetNote(em: ReturnType<Ctx['em']>, name: string): Promise<void> {
  await em.nativeDelete(ExportBlob, { name })
}

/** It was written for nothing: its turn is over. */
export async function dropNoted(ctx: Ctx, name: string): Promise<void> {
  await ctx.blobs.remove(name)
  await forgetNote(ctx.em(), name)
}

/** Removes what no export speaks of. */
export async function sweepBlobs(ctx: Ctx, now = new Date()): Promise<void> {
  const em = ctx.em()
  const notes = await em.find(ExportBlob, { createdAt: { $lte: new Date(now.getTime() - orphanMs) } }, { orderBy: { createdAt: 'asc' }, limit: 200, ...quiet })
  const ids = [...new Set(notes.map(({ exportId }) => exportId))]
  const files = new Map((await em.find(ExportFile, { id: { $in: ids } }, quiet)).map((row) => [row.id, row]))
  const parts = new Set((await em.find(ExportPart, { exportId: { $in: ids } }, quiet)).map(({ blob }) => blob))
  for (const { name, exportId, holder } of notes) {
    const file = files.get(exportId)
    const writing = file?.state === 'running' && file.holder === holder && file.leaseUntil && file.leaseUntil > now
    if (writing) continue
    if (file?.blob !== name && file?.idsBlob !== name && !parts.has(name)) await ctx.blobs.remove(name)
    await forgetNote(em, name)
  }
}
