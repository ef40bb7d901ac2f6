/** The app's own language: a module brings no second one. */
import { getCurrentInstance } from 'vue'

export function useWords() {
  const instance = getCurrentInstance()
  if (!instance) throw new Error('A panel stands in an app')
  const { $t, $i18n } = instance.appContext.config.globalProperties as unknown as { $t(key: string, values?: object): string; $i18n: { locale: string } }
  return {
    t: (key: string, values?: object) => $t(`extraction.${key}`, values ?? {}),
    of: (label: { zh: string; en: string }) => label[$i18n.locale === 'en' ? 'en' : 'zh'],
  }
}
