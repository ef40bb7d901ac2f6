/** The language that the hub was set up in: of what is written once, for everybody. */
import type { Em } from '../../db/orm.ts'
import { Setting } from './setting.entity.ts'

export type Language = 'zh' | 'en'

const key = 'hub.language'

export async function hubLanguage(em: Em): Promise<Language> {
  const row = await em.findOne(Setting, { key }, { disableIdentityMap: true })
  return row?.value === 'en' ? 'en' : 'zh'
}

export const writeHubLanguage = (em: Em, value: Language) => em.upsert(Setting, { key, value, updatedAt: new Date() })
