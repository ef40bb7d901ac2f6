/** Which rules are on, and the admin's own: read from the table, kept for a moment. */
import { HubError } from '@huike/core/sdk/errors.ts'
import { type OwnRule, shapes } from './extract/own-rules.ts'
import { builtinRules, type Kind, kinds } from './extract/tables.ts'
import { RuleRow } from './fact.entity.ts'
import type { Ctx } from './settings.ts'

export interface RuleSet {
  off: ReadonlySet<string>
  own: readonly OwnRule[]
}

const keptMs = 3_000
/** So many of one's own. */
const mostOwn = 100
const kept = new WeakMap<object, { at: number; set: RuleSet }>()

export async function ruleSet(ctx: Ctx): Promise<RuleSet> {
  const known = kept.get(ctx)
  if (known && Date.now() - known.at < keptMs) return known.set
  const rows = await allRows(ctx)
  const own = rows.filter((row) => row.own && row.enabled).map((row) => JSON.parse(row.definition) as OwnRule)
  const set = { off: new Set(rows.filter((row) => !row.own && !row.enabled).map(({ id }) => id)), own }
  kept.set(ctx, { at: Date.now(), set })
  return set
}

const allRows = (ctx: Ctx): Promise<RuleRow[]> =>
  ctx.em().find(RuleRow, {}, { orderBy: { createdAt: 'asc', id: 'asc' }, limit: mostOwn + builtinRules.length, disableIdentityMap: true })

export async function listRules(ctx: Ctx) {
  const rows = new Map((await allRows(ctx)).map((row) => [row.id, row]))
  return {
    builtin: builtinRules.map((rule) => ({ ...rule, label: { ...rule.label }, enabled: rows.get(rule.id)?.enabled ?? true })),
    own: [...rows.values()].filter(({ own }) => own).map((row) => ({ ...(JSON.parse(row.definition) as OwnRule), enabled: row.enabled })),
  }
}

type Change = 'rule-on' | 'rule-off' | 'rule-added' | 'rule-deleted'
/** Who opens the finder's eyes or shuts them decides what of customers is written down. */
const tellChange = (ctx: Ctx, ruleId: string, name: string | { zh: string; en: string }, change: Change): Promise<void> =>
  ctx.tell('ruleChanged', { ruleId, name, change })
const nameOf = ({ words }: Pick<OwnRule, 'words'>): string => [...words.join('、')].slice(0, 60).join('')

/** Throws HUB_NOT_FOUND. */
export async function switchRule(ctx: Ctx, id: string, enabled: boolean): Promise<void> {
  const em = ctx.em()
  const builtin = builtinRules.find((rule) => rule.id === id)
  const row = await em.findOne(RuleRow, { id }, { disableIdentityMap: true })
  if (builtin) await em.upsert(RuleRow, { id, enabled, own: false, kind: '', definition: '', createdAt: new Date() })
  else if (!row) throw new HubError('HUB_NOT_FOUND', 'There is no such rule')
  else await em.nativeUpdate(RuleRow, { id }, { enabled })
  kept.delete(ctx)
  if ((row?.enabled ?? true) === enabled) return
  const name = builtin ? { ...builtin.label } : nameOf(JSON.parse(row?.definition ?? '') as OwnRule)
  await tellChange(ctx, id, name, enabled ? 'rule-on' : 'rule-off')
}

/** Throws HUB_CONFLICT when there are too many. */
export async function addRule(ctx: Ctx, id: string, input: Omit<OwnRule, 'id'>): Promise<OwnRule> {
  const em = ctx.em()
  if ((await em.count(RuleRow, { own: true })) >= mostOwn)
    throw new HubError('HUB_CONFLICT', `There are ${mostOwn} rules already`, {
      text: { zh: `自己的规则已满 ${mostOwn} 条，请先删除不用的。`, en: `There are ${mostOwn} rules of your own already. Delete one first.` },
    })
  const clean = (words: readonly string[]) => [...new Set(words.map((word) => word.trim()).filter(Boolean))]
  const rule: OwnRule = { ...input, id, words: clean(input.words), not: clean(input.not), max: Math.max(input.min, input.max) }
  if (rule.words.length === 0 || !(kinds as readonly Kind[]).includes(rule.kind) || !shapes.includes(rule.shape))
    throw new HubError('HUB_REQUEST_INVALID', 'A rule needs a word', { faults: [{ path: 'body/words', rule: 'required', message: 'a word is needed' }] })
  await em.insert(RuleRow, { id, enabled: true, own: true, kind: rule.kind, definition: JSON.stringify(rule), createdAt: new Date() })
  kept.delete(ctx)
  await tellChange(ctx, id, nameOf(rule), 'rule-added')
  return rule
}

/** Throws HUB_NOT_FOUND; built-in rules can only be switched off. */
export async function dropRule(ctx: Ctx, id: string): Promise<void> {
  const em = ctx.em()
  const row = await em.findOne(RuleRow, { id, own: true }, { disableIdentityMap: true })
  if (!row || (await em.nativeDelete(RuleRow, { id, own: true })) === 0) throw new HubError('HUB_NOT_FOUND', 'There is no such rule')
  kept.delete(ctx)
  await tellChange(ctx, id, nameOf(JSON.parse(row.definition) as OwnRule), 'rule-deleted')
}
