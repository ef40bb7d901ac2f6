/** What columns of the list are called: the hub's own in the locale, a customer's field as whoever brought it says. */
import { useI18n } from 'vue-i18n'
import type { Column } from './columns.ts'
import { useNames } from './names.store.ts'

export function useColumnTitle() {
  const { t, te, locale } = useI18n()
  const names = useNames()
  return (column: Column): string => {
    const key = `records.column.${column}`
    return te(key) ? t(key) : (names.fieldOf.get(column)?.label[locale.value === 'en' ? 'en' : 'zh'] ?? column)
  }
}
