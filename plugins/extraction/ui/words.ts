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

export class Refused extends Error {
  readonly status: number
  constructor(status: number) {
    super(String(status))
    this.status = status
  }
}

/** Asks the hub; `path` begins after `/api`. */
export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`/api${path}`, {
    method,
    credentials: 'same-origin',
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Refused(response.status)
  return (await response.json()) as T
}
