/**
 * How long entries are kept. Whoever is audited may be who sets it: never shorter than half a year, and what is shortened
 * holds only after who may read the log has had time to object. The `keep` mark is signed: without it everything is kept.
 */
import { append, findMark, isSigned, nobody, setMark } from './chain.ts'
import type { Ctx } from './settings.ts'

const day = 86_400_000
const fewestDays = 180
const waitDays = 14
/** 0, in the setting and in the mark. */
const forEver = 0
const length = (days: number): number => (days === forEver ? Number.POSITIVE_INFINITY : days)

/** The days that are in force now, 0 for ever. Looks at the setting: what is longer holds at once. */
export async function keptDays(ctx: Ctx, now: Date): Promise<number> {
  const wanted = ctx.settings.keepDays === forEver ? forEver : Math.max(ctx.settings.keepDays, fewestDays)
  const em = ctx.em()
  const found = await findMark(em, 'keep')
  const mark = found && isSigned(ctx, found) ? found : null
  const inForce = mark?.seq ?? forEver
  if (length(wanted) >= length(inForce)) {
    if (mark?.hash !== '' || wanted !== inForce) await setMark(ctx, em, 'keep', wanted, '', now)
    return wanted
  }
  const [asked, since = ''] = mark?.hash.split('@') ?? []
  if (asked === String(wanted)) {
    if (now.getTime() - Number(since) < waitDays * day) return inForce
    await setMark(ctx, em, 'keep', wanted, '', now)
    return wanted
  }
  await announce(ctx, inForce, wanted, now)
  await setMark(ctx, em, 'keep', inForce, `${wanted}@${now.getTime()}`, now)
  return inForce
}

async function announce(ctx: Ctx, before: number, days: number, now: Date): Promise<void> {
  const from = new Date(now.getTime() + waitDays * day)
  const on = from.toISOString().slice(0, 10)
  await append(ctx, {
    ...nobody,
    eventId: `keep:${before}:${days}:${on}`,
    event: 'audit.keepShortened',
    at: now,
    details: { before, days, from: from.toISOString() },
  })
  await ctx.notify({
    to: { permission: `${ctx.id}.read` },
    kind: 'keepShortened',
    key: `${days}:${on}`,
    level: 'problem',
    title: { zh: `审计日志将只保留 ${days} 天`, en: `The audit log will be kept for ${days} days only` },
    body: {
      zh: `从 ${on} 起删除更早的条目。不是有意的改动，请在那之前改回设置。`,
      en: `Older entries go from ${on} on. If nobody means it, change the setting back before.`,
    },
    link: `/admin/x/${ctx.id}/log?event=settings`,
  })
}
