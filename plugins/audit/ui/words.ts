/** The app's own words, and an entry as a sentence. A module must not bring a second i18n. */
import { dateLanguage } from '@huike/core/ui-kit/times.ts'
import { getCurrentInstance } from 'vue'

export interface Entry {
  seq: number
  event: string
  at: string
  agentId: string | null
  agentName: string | null
  tokenId: string | null
  ip: string
  subjectKind: string
  subjectId: string
  subjectName: string | null
  count: number | null
  reason: string
  details: Record<string, unknown>
  hash: string
}

export function useWords() {
  const instance = getCurrentInstance()
  if (!instance) throw new Error('This stands in an app')
  const { $t, $te, $i18n } = instance.appContext.config.globalProperties as {
    $t(key: string, values?: object): string
    $te(key: string): boolean
    $i18n: { locale: string }
  }
  const t = (key: string, values: object = {}): string => $t(`audit.${key}`, values)
  const word = (key: string, otherwise: string): string => ($te(`audit.${key}`) ? t(key) : otherwise)
  const when = (at: string): string => new Date(at).toLocaleString(dateLanguage($i18n.locale), { dateStyle: 'short', timeStyle: 'medium', hourCycle: 'h23' })
  const list = (value: unknown, group?: string): string => {
    const items = Array.isArray(value) ? value.map(String) : []
    return items.map((item) => (group ? word(`${group}.${item}`, item) : item)).join(locale() === 'en' ? ', ' : '、') || t('none')
  }
  const locale = () => $i18n.locale

  function sentence({ event, count, details, subjectId, subjectName }: Entry): string {
    if (!$te(`audit.deeds.${event}`)) return event
    const text = (value: unknown) => (typeof value === 'string' ? value : '')
    const named = (value: unknown) => (typeof value === 'object' && value !== null ? text((value as Record<string, unknown>)[locale()]) : text(value))
    const scope = text(details.scope)
    const [scopeKind = '', ...scopeRest] = scope.split(':')
    const filter = (details.filter ?? {}) as Record<string, unknown>
    const sought = [details.words, filter.keyword, filter.contact].map(text).filter((words) => words !== '')
    const narrowed = Array.isArray(details.conditions) ? details.conditions.map(String) : Object.keys(filter)
    const conditions = narrowed.filter((name) => name !== 'keyword' && name !== 'contact' && name !== 'match' && $te(`audit.conditions.${name}`))
    return t(`deeds.${event}`, {
      conditions: conditions.length > 0 ? t('byConditions', { conditions: list(conditions, 'conditions') }) : '',
      words: sought.map((words) => t('quoted', { words })).join(''),
      blocked: t(details.blocked === false ? 'unblocked' : 'blocked'),
      kind: word(`kinds.${text(details.field)}`, t('kinds.any')),
      event: label(text(details.event)),
      // Of a deed that was told in parts, each says how many they are together.
      count: (details.partOf && typeof details.records === 'number' ? details.records : count) ?? 0,
      format: text(details.format).toUpperCase(),
      personal: details.personal === true ? t('withPersonal') : '',
      ended: word(`ended.${text(details.state)}`, ''),
      files: typeof details.files === 'number' ? details.files : 0,
      name: named(details.name),
      email: text(details.email),
      subject: subjectName ?? subjectId,
      fields: list(details.fields, 'fields'),
      changes: changesOf(details),
      added: list(details.added),
      removed: list(details.removed),
      change: word(`changes.${text(details.change)}`, text(details.change)),
      scope: [word(`scopes.${scopeKind}`, scopeKind), ...scopeRest].join(' '),
      state: t(details.enabled === false ? 'off' : 'on'),
      pluginId: text(details.pluginId) || subjectId,
      cause: t(details.switchedOff === true ? 'cause.off' : 'cause.down'),
      days: typeof details.days === 'number' ? details.days : 0,
      from: details.from ? when(text(details.from)) : '',
      to: details.to ? when(text(details.to)) : '',
      assist: word(`assists.${text(details.deed)}`, t('assists.reply')),
      rule: details.rule ? t(`rules.${text(details.rule)}`, details) : '',
    }).trim()
  }
  /** What somebody was called, and where they or a department belonged, before and after. */
  function changesOf({ renamed, moved }: Record<string, unknown>): string {
    const name = (value: unknown): string => (typeof value === 'string' ? value : ((value as { name?: string } | null)?.name ?? t('none')))
    const changes = [renamed, moved].flatMap((one) => (typeof one === 'object' && one !== null ? [one as { from: unknown; to: unknown }] : []))
    return changes.map(({ from, to }) => t('fromTo', { from: name(from), to: name(to) })).join('')
  }
  /** A deed without what is only known of an entry. */
  const label = (deed: string): string => word(`labels.${deed}`, word(`deeds.${deed}`, deed))
  const who = ({ event, agentId, agentName }: Entry): string => agentName ?? t(agentId ? 'unknown' : event === 'agent.loginFailed' ? 'nobody' : 'system')
  const why = ({ event, reason }: Entry): string => (event === 'agent.loginFailed' ? word(`reasons.${reason}`, reason) : reason)
  /** Where what it is about can be looked at; what is gone cannot. */
  const linkOf = ({ event, subjectKind, subjectId }: Entry): { href: string; text: string } | undefined => {
    if (subjectKind === 'record' && event !== 'record.purged') return { href: `/workbench/records/${subjectId}`, text: t('open') }
    if (subjectKind === 'contact')
      return { href: `/workbench/records?${new URLSearchParams({ f: JSON.stringify({ contactId: subjectId }) })}`, text: t('openContact') }
    return undefined
  }
  return { t, word, label, when, sentence, who, why, linkOf, locale }
}

export async function get<T>(path: string): Promise<T> {
  const response = await fetch(`/api${path}`, { credentials: 'same-origin' })
  if (!response.ok) throw new Error(String(response.status))
  return response.json() as Promise<T>
}
