/** How rules and runs are put into words. */
import { useI18n } from 'vue-i18n'
import type { RetentionRuleInput, RetentionRun, RetentionTally } from '../../../../core/sdk/wire/retention.ts'
import { useNames } from '../../../../core/ui-kit/records/names.store.ts'
import { dateLanguage } from '../../../../core/ui-kit/times.ts'

/** Days that are offered by name. */
export const presets = [30, 90, 183, 365, 730, 1095, 1825] as const
const years: Record<number, number> = { 365: 1, 730: 2, 1095: 3, 1825: 5 }

export type Sum = Omit<RetentionTally, 'ruleId'>
export function sumOf(tallies: readonly RetentionTally[]): Sum {
  const sum: Sum = { conversations: 0, messages: 0, stripped: 0, files: 0, bytes: 0 }
  for (const tally of tallies) for (const key of Object.keys(sum) as (keyof Sum)[]) sum[key] += tally[key]
  return sum
}

export function useRetentionWords() {
  const { t, locale } = useI18n()
  const names = useNames()
  const number = (n: number): string => n.toLocaleString(dateLanguage(locale.value))

  const daysText = (days: number): string =>
    years[days]
      ? t('retention.year', { n: years[days], days }, years[days])
      : days === 183
        ? t('retention.month6')
        : t('retention.days', { n: number(days) }, days)
  const keepText = ({ days }: RetentionRuleInput): string => (days === null ? t('retention.ever') : daysText(days))
  const filesText = ({ fileDays }: RetentionRuleInput): string => (fileDays === null ? t('retention.withWords') : daysText(fileDays))

  /** What a rule is for, a condition each; none: everything. */
  function targets({ inboxId, departmentId, categoryId }: RetentionRuleInput): { kind: 'inbox' | 'department' | 'category'; name: string }[] {
    const lost = (kind: string) => t('retention.lost', { what: t(`retention.${kind}`) })
    return [
      ...(categoryId ? [{ kind: 'category' as const, name: names.categoryPath(categoryId) || lost('category') }] : []),
      ...(departmentId ? [{ kind: 'department' as const, name: names.departmentOf.get(departmentId)?.name ?? lost('department') }] : []),
      ...(inboxId ? [{ kind: 'inbox' as const, name: names.inboxOf.get(inboxId)?.name ?? lost('inbox') }] : []),
    ]
  }
  const targetText = (rule: RetentionRuleInput): string =>
    targets(rule)
      .map(({ name }) => name)
      .join(' · ') || t('retention.everything')

  function bytesText(bytes: number): string {
    const units = ['B', 'KB', 'MB', 'GB', 'TB']
    let [value, unit] = [bytes, 0]
    for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
    return `${value.toLocaleString(dateLanguage(locale.value), { maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0 })} ${units[unit]}`
  }
  function tookText({ startedAt, endedAt }: RetentionRun): string {
    if (!endedAt) return '—'
    const seconds = Math.max(1, Math.round((Date.parse(endedAt) - Date.parse(startedAt)) / 1_000))
    return seconds < 120 ? t('retention.seconds', { n: seconds }) : t('retention.minutes', { n: Math.round(seconds / 60) })
  }
  return { number, daysText, keepText, filesText, targets, targetText, bytesText, tookText }
}
