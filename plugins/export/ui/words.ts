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
/** A dialog's buttons stay in sight while its form is longer than the window. */
export const dialogFoot = {
  position: 'sticky',
  // What sticks keeps to the inside of the padding: this is at the very edge.
  insetBlockEnd: 'calc(-1 * var(--s5))',
  justifyContent: 'flex-end',
  marginBlock: '0 calc(-1 * var(--s5))',
  marginInline: 'calc(-1 * var(--s5))',
  padding: 'var(--s3) var(--s5)',
  borderBlockStart: 'var(--line) solid var(--line-color)',
  background: 'var(--surface)',
} as const
export const dialogStyle = {
  inlineSize: 'min(640px, 94vw)',
  padding: 'var(--s5)',
  border: 'var(--line) solid var(--line-color)',
  borderRadius: 'var(--radius)',
  background: 'var(--surface)',
  color: 'var(--ink)',
} as const
