import type { Em } from '../../db/orm.ts'
import { Contact } from './contact.entity.ts'

/** Who a contact is today, through the merges since. */
export async function survivorOf(em: Em, id: string): Promise<string> {
  for (let at = id, steps = 0; ; steps++) {
    const row = await em.findOne(Contact, { id: at }, { fields: ['mergedIntoId'], disableIdentityMap: true })
    if (!row?.mergedIntoId || steps > 20) return at
    at = row.mergedIntoId
  }
}
