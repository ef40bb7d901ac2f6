import { useI18n } from 'vue-i18n'

/** A moment in the reader's language: `2026/3/1 14:05`. */
export function useTimes(): (iso: string) => string {
  const { locale } = useI18n()
  return (iso) => new Date(iso).toLocaleString(locale.value === 'zh' ? 'zh-CN' : 'en-GB', { dateStyle: 'medium', timeStyle: 'short' })
}
