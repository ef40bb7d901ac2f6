/**
 * Reading that deserves a look: many records or profiles in a short time, files of many records, many people's hidden details, long lists,
 * any of it outside working hours, a large export. One notice
 * and one entry for each burst; a burst ends when the same agent has paused for as long as the rule looks back.
 */
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import { Burst, Entry } from './audit.entity.ts'
import { append, type Deed, nobody } from './chain.ts'
import { agentNames } from './names.ts'
import type { Ctx, Settings } from './settings.ts'

type Rule = 'reads' | 'profiles' | 'files' | 'reveals' | 'lists' | 'hours' | 'export'
interface Reading {
  /** Of many of them. */
  rule: Rule
  most: 'readRecords' | 'revealedContacts'
  /** So many records or customers, however often each: a zip tells of one record after the other, and of a long one more than once. */
  distinct?: boolean
}
/** What counts as reading, each by itself. */
const reads = new Map<string, Reading>([
  ['record.viewed', { rule: 'reads', most: 'readRecords' }],
  ['contact.viewed', { rule: 'profiles', most: 'readRecords' }],
  ['file.downloaded', { rule: 'files', most: 'readRecords', distinct: true }],
  ['contact.revealed', { rule: 'reveals', most: 'revealedContacts', distinct: true }],
])
/** What shows many at once. */
const lists = ['record.searched', 'conversation.listed', 'visitor.listed', 'contact.searched']
/** So many pages are looked back at: with one row on each that is beyond any bound that makes sense. */
const mostPages = 2_000
const outsideMs = 60 * 60_000

/** Looks at a deed that has just been written down; its own time is the clock. */
export async function watch(ctx: Ctx, deed: Deed): Promise<void> {
  const { agentId, at } = deed
  if (!agentId) return
  const { listedRecords, readMinutes, exportRows, outsideHours, timeZone } = ctx.settings
  const reading = reads.get(deed.event)
  const ms = readMinutes * 60_000
  if (listedRecords > 0 && lists.includes(deed.event)) {
    const listed = await countListed(ctx, agentId, new Date(at.getTime() - ms), at)
    if (listed >= listedRecords) await raise(ctx, 'lists', deed, ms, { count: listed, minutes: readMinutes })
  }
  if (reading) {
    const most = ctx.settings[reading.most]
    if (most > 0) {
      const seen = await countRead(ctx, deed, agentId, new Date(at.getTime() - ms), reading.distinct ? most : undefined)
      if (seen >= most) await raise(ctx, reading.rule, deed, ms, { count: seen, minutes: readMinutes })
    }
    if (outsideHours && isOutside(ctx.settings, at)) await raise(ctx, 'hours', deed, outsideMs, { time: timeIn(timeZone, at) })
  }
  // Of whichever plugin: what says how many rows left the hub by it.
  const { left } = deed.details
  if (exportRows > 0 && typeof left === 'number' && left > exportRows) await raise(ctx, 'export', deed, 60_000, { count: left })
}

/** How often somebody has done what they did now; with a bound, to how many, of which no more are looked for. */
async function countRead(ctx: Ctx, { event, at }: Deed, agentId: string, after: Date, distinct?: number): Promise<number> {
  const em = ctx.em()
  if (distinct === undefined) return em.count(Entry, { agentId, event, at: { $gt: after, $lte: at } })
  const platform = em.getDriver().getPlatform()
  const statement = 'select distinct subject_id from audit_entry where agent_id = ? and event = ? and at > ? and at <= ? limit ?'
  const values = [agentId, event, platform.processDateProperty(after), platform.processDateProperty(at), distinct]
  return ((await em.getConnection().execute(statement, values)) as unknown[]).length
}

/** How many rows lists have shown. The beginning of the same list, seen again and again, is counted once, at its longest. */
async function countListed(ctx: Ctx, agentId: string, after: Date, until: Date): Promise<number> {
  const pages = await ctx
    .em()
    .find(
      Entry,
      { agentId, event: { $in: lists }, at: { $gt: after, $lte: until } },
      { fields: ['event', 'details'], orderBy: { at: 'desc' }, limit: mostPages, disableIdentityMap: true },
    )
  let listed = 0
  const beginnings = new Map<string, number>()
  for (const { event, details } of pages) {
    const { shown, further, ...which } = JSON.parse(details) as { shown?: unknown; further?: unknown }
    if (typeof shown !== 'number') continue
    const key = `${event} ${JSON.stringify(which)}`
    if (further) listed += shown
    else beginnings.set(key, Math.max(shown, beginnings.get(key) ?? 0))
  }
  return beginnings.values().reduce((sum, shown) => sum + shown, listed)
}

/** Wall-clock time, `HH:MM`. An unknown zone is UTC. */
export function timeIn(timeZone: string, at: Date): string {
  const options = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
  try {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone }).format(at)
  } catch {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' }).format(at)
  }
}

/** Hours may run over midnight. */
export function isOutside({ hoursFrom, hoursTo, timeZone }: Settings, at: Date): boolean {
  const time = timeIn(timeZone, at)
  return hoursFrom <= hoursTo ? time < hoursFrom || time >= hoursTo : time < hoursFrom && time >= hoursTo
}

async function raise(ctx: Ctx, rule: Rule, deed: Deed, pauseMs: number, facts: Record<string, string | number>): Promise<void> {
  const agentId = deed.agentId as string
  if (!(await begins(ctx, rule, agentId, deed.at, pauseMs))) return
  const [name = agentId] = (await agentNames(ctx.em(), [agentId])).values()
  await append(ctx, {
    ...nobody,
    eventId: `unusual:${rule}:${deed.eventId}`,
    event: 'audit.unusual',
    at: deed.at,
    agentId,
    ip: deed.ip,
    count: typeof facts.count === 'number' ? facts.count : null,
    details: { rule, ...facts },
  })
  await ctx.notify({
    to: { permission: `${ctx.id}.read` },
    kind: 'unusual',
    level: 'problem',
    ...wordsOf(rule, name, facts),
    link: `/admin/x/${ctx.id}/log?agentId=${agentId}`,
  })
}

/** Is this the first of a burst? Only one of two processes that ask at once is told yes. */
async function begins(ctx: Ctx, rule: Rule, agentId: string, at: Date, pauseMs: number): Promise<boolean> {
  const em = ctx.em()
  const key = { rule, agentId }
  const known = await em.findOne(Burst, key, { disableIdentityMap: true })
  if (!known)
    return em.insert(Burst, { ...key, lastAt: at }).then(
      () => true,
      (error) => {
        if (error instanceof UniqueConstraintViolationException) return false
        throw error
      },
    )
  const over = at.getTime() - known.lastAt.getTime() > pauseMs
  const moved = at > known.lastAt ? await em.nativeUpdate(Burst, { ...key, lastAt: known.lastAt }, { lastAt: at }) : 0
  return over && moved > 0
}

function wordsOf(rule: Rule, name: string, facts: Record<string, string | number>) {
  switch (rule) {
    case 'reads':
      return {
        title: {
          zh: `${name} 在 ${facts.minutes} 分钟内查看了 ${facts.count} 条记录`,
          en: `${name} viewed ${facts.count} records within ${facts.minutes} minutes`,
        },
        body: { zh: '请在审计日志里核对是否为正常工作。', en: 'Look in the audit log whether this is ordinary work.' },
      }
    case 'profiles':
      return {
        title: {
          zh: `${name} 在 ${facts.minutes} 分钟内查看了 ${facts.count} 份客户资料`,
          en: `${name} opened ${facts.count} customer profiles within ${facts.minutes} minutes`,
        },
        body: { zh: '请在审计日志里核对是否为正常工作。', en: 'Look in the audit log whether this is ordinary work.' },
      }
    case 'files':
      return {
        title: {
          zh: `${name} 在 ${facts.minutes} 分钟内打开或下载了 ${facts.count} 条记录的文件`,
          en: `${name} opened or took the files of ${facts.count} records within ${facts.minutes} minutes`,
        },
        body: { zh: '请在审计日志里核对是否为正常工作。', en: 'Look in the audit log whether this is ordinary work.' },
      }
    case 'reveals':
      return {
        title: {
          zh: `${name} 在 ${facts.minutes} 分钟内查看了 ${facts.count} 位客户的隐藏信息`,
          en: `${name} revealed hidden details of ${facts.count} customers within ${facts.minutes} minutes`,
        },
        body: { zh: '请在审计日志里核对每次填写的理由。', en: 'Look in the audit log for the reasons that were given.' },
      }
    case 'lists':
      return {
        title: {
          zh: `${name} 在 ${facts.minutes} 分钟内从列表里看了 ${facts.count} 条记录`,
          en: `${name} was shown ${facts.count} records in lists within ${facts.minutes} minutes`,
        },
        body: { zh: '请在审计日志里核对是否为正常工作。', en: 'Look in the audit log whether this is ordinary work.' },
      }
    case 'hours':
      return {
        title: { zh: `${name} 在工作时间以外（${facts.time}）查看或取走了记录`, en: `${name} viewed or took records outside working hours (${facts.time})` },
        body: { zh: '请在审计日志里核对是否为正常工作。', en: 'Look in the audit log whether this is ordinary work.' },
      }
    case 'export':
      return {
        title: { zh: `${name} 一次导出了 ${facts.count} 行`, en: `${name} exported ${facts.count} rows at once` },
        body: { zh: '请在审计日志里核对导出的内容和去向。', en: 'Look in the audit log what was exported and where it went.' },
      }
  }
}
