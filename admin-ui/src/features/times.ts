import { useI18n } from 'vue-i18n'
import { dateLanguage } from '../../../core/ui-kit/times.ts'

/** A moment in the reader's language: `2026/3/1 14:05`. */
export function useTimes(): (iso: string) => string {
  const { locale } = useI18n()
  return (iso) => new Date(iso).toLocaleString(dateLanguage(locale.value), { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' })
}
