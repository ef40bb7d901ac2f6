/** What an error says to a reader. Apart from `i18n.ts`: plugins' modules take it along, and they bring no i18n of their own. */
import { getCurrentInstance } from 'vue'
import type { Fault } from '../sdk/faults.ts'
import { ApiError } from './api.ts'

export type Translate = (key: string, values?: Record<string, unknown>) => string

interface AppWords {
  t: Translate
  te: (key: string) => boolean
  language: () => 'zh' | 'en'
}

/** The words of the app that a component stands in, be it the app's own or a plugin's. */
export function useAppWords(): AppWords {
  const globals = getCurrentInstance()?.appContext.config.globalProperties as
    | { $t: Translate; $te(key: string): boolean; $i18n: { locale: string } }
    | undefined
  if (!globals) throw new Error('Words are those of an app')
  return { t: (key, values) => globals.$t(key, values ?? {}), te: (key) => globals.$te(key), language: () => (globals.$i18n.locale === 'en' ? 'en' : 'zh') }
}

/** What is wrong with a value: the fault's own sentence, or its rule's. */
export const faultSentence = ({ t, te, language }: AppWords, { rule, limit, text }: Fault): string =>
  text?.[language()] ?? t(te(`faults.${rule}`) ? `faults.${rule}` : 'faults.invalid', { limit: limit ?? 0 })

/** The faults a server found, by field; empty for any other refusal. */
export const faultsIn = (error: unknown): Fault[] => ((error instanceof ApiError ? error.details : undefined) as { faults?: Fault[] } | undefined)?.faults ?? []

/** The sentence for an error: its own (`details.text`, which a plugin's may bring), its code's, or the general one. */
export function errorText(t: Translate, te: (key: string) => boolean, error: unknown): string {
  const code = error instanceof ApiError ? error.code : 'HUB_INTERNAL'
  const details = (error instanceof ApiError ? error.details : {}) as Record<string, unknown> | undefined
  const own = details?.text as { zh: string; en: string } | undefined
  if (own?.zh) return own[document.documentElement.lang === 'en' ? 'en' : 'zh']
  const reason = typeof details?.reason === 'string' ? `errors.${code}_${details.reason}` : ''
  if (reason && te(reason)) return t(reason, details ?? {})
  return t(te(`errors.${code}`) ? `errors.${code}` : 'errors.HUB_INTERNAL', details ?? {})
}
