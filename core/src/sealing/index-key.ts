/** The key of the blind indexes and of the files' names: made once, kept in the database, sealed with the first data key. */
import { randomBytes } from 'node:crypto'
import { UniqueConstraintViolationException } from '@mikro-orm/core'
import type { Em } from '../db/orm.ts'
import { Setting } from '../domain/setting/setting.entity.ts'
import { sealedWith } from './keyring.ts'
import { keysOf } from './sealed-columns.ts'

const key = 'data.index-key'
const place = 'setting.index-key'
const read = async (em: Em): Promise<string | undefined> => (await em.findOne(Setting, { key }, { disableIdentityMap: true }))?.value as string | undefined

/** Has a hub that ran on this database made one? */
export const hasIndexKey = async (em: Em): Promise<boolean> => (await read(em)) !== undefined

/** Gives the keyring its index key. Throws HUB_DATA_SEALED when the hub does not have the data key that sealed it. */
export async function loadIndexKey(em: Em): Promise<void> {
  const keys = keysOf(em)
  if ((await read(em)) === undefined)
    await em.insert(Setting, { key, value: keys.seal(place, randomBytes(32).toString('base64')), updatedAt: new Date() }).catch((error) => {
      // Another process that starts at the same time made it.
      if (!(error instanceof UniqueConstraintViolationException)) throw error
    })
  keys.useIndex(Buffer.from(keys.open(place, (await read(em)) as string), 'base64'))
}

/** Seals it anew with the first data key. */
export async function resealIndexKey(em: Em): Promise<void> {
  const keys = keysOf(em)
  const now = (await read(em)) as string
  if (sealedWith(now) !== keys.first) await em.nativeUpdate(Setting, { key }, { value: keys.seal(place, keys.open(place, now)), updatedAt: new Date() })
}
