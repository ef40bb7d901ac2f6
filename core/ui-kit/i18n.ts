/** Words: Chinese first. An app brings its own, the kit brings the common ones and a sentence for every error code. */
import { createI18n, useI18n } from 'vue-i18n'
import { api } from './api.ts'
import { en } from './locales/en.ts'
import { zh } from './locales/zh.ts'

export type Locale = 'zh' | 'en'

const stored = 'huike.locale'

export function currentLocale(): Locale {
  const kept = localStorage.getItem(stored)
  if (kept === 'zh' || kept === 'en') return kept
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

export function makeI18n(messages: { zh: object; en: object }) {
  const locale = currentLocale()
  document.documentElement.lang = locale === 'zh' ? 'zh-CN' : 'en'
  return createI18n({
    legacy: false,
    locale,
    fallbackLocale: 'zh',
    messages: { zh: { ...zh, ...messages.zh }, en: { ...en, ...messages.en } },
  })
}

export function keepLocale(locale: Locale): void {
  localStorage.setItem(stored, locale)
  document.documentElement.lang = locale === 'zh' ? 'zh-CN' : 'en'
}

/** Changes the language here and, for mails and other browsers, on the hub. */
export function useLocaleSwitch(): (next: Locale) => void {
  const { locale } = useI18n()
  return (next) => {
    locale.value = next
    keepLocale(next)
    void api('PATCH', '/me', { locale: next }).catch(() => undefined)
  }
}

/** Built-in roles have a name in each language, the others the one they were given. */
export const roleTitle = (t: (key: string) => string, role: { builtin: string | null; name: string }): string =>
  role.builtin ? t(`builtinRoles.${role.builtin}`) : role.name
