/** The app's own language: a module brings no second one. */
import { getCurrentInstance } from 'vue'
import { nameByRule } from '../fields.ts'
import { zh } from '../locales/zh.ts'

export function useWords() {
  const instance = getCurrentInstance()
  if (!instance) throw new Error('A panel stands in an app')
  const { $t, $i18n } = instance.appContext.config.globalProperties as unknown as { $t(key: string, values?: object): string; $i18n: { locale: string } }
  return {
    t: (key: string, values?: object) => $t(`export.${key}`, values ?? {}),
    /** Why a destination did not take a file. */
    fault: (code: string) => $t(`export.deliveryFaults.${code in zh.deliveryFaults ? code : 'other'}`),
    of: (label: { zh: string; en: string }) => label[$i18n.locale === 'en' ? 'en' : 'zh'],
  }
}

export class Refused extends Error {
  readonly status: number
  /** Of the field that it is about, where one is. */
  readonly path: string
  /** What the reader may not. */
  readonly permission: string
  constructor(status: number, path = '', permission = '') {
    super(String(status))
    this.status = status
    this.path = path
    this.permission = permission
  }
}

/** The reader's, an IANA name. */
export const zone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'

/** What a rule would call a file now. `fields`: what stands for those of the contact. */
export function namePreview(rule: string, of: (label: { zh: string; en: string }) => string, count: number, fields: Record<string, string> = {}): string {
  const now = new Date()
  const two = (n: number) => String(n).padStart(2, '0')
  return nameByRule(rule, {
    ...fields,
    channel: of({ zh: '网站', en: 'Website' }),
    date: `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`,
    time: two(now.getHours()) + two(now.getMinutes()),
    inbox: of({ zh: '官网', en: 'Website' }),
    agent: of({ zh: '林晓', en: 'Lin Xiao' }),
    category: of({ zh: '售后', en: 'After-sales' }),
    count: String(count),
  })
}
export const fileTail = (format: string, zipped: boolean): string => `.${zipped ? 'zip' : format}`

/** The apps' own forms have no class for this everywhere. */
export const spaced = { display: 'grid', gap: 'var(--s3)', gridTemplateColumns: 'minmax(0, 1fr)' } as const
export const dialogStyle = {
  inlineSize: 'min(640px, 94vw)',
  padding: 'var(--s5)',
  border: 'var(--line) solid var(--line-color)',
  borderRadius: 'var(--radius)',
  background: 'var(--surface)',
  color: 'var(--ink)',
} as const

/** Asks the hub; `path` begins after `/api`. */
export async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`/api${path}`, {
    method,
    credentials: 'same-origin',
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  if (!response.ok) {
    const { details } = (await response.json().catch(() => ({}))) as { details?: { path?: unknown; permission?: unknown } }
    const text = (value: unknown) => (typeof value === 'string' ? value : '')
    throw new Refused(response.status, text(details?.path), text(details?.permission))
  }
  return (await response.json()) as T
}
