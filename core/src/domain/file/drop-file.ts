/** Equal bytes are stored once: whoever takes some in and whoever removes them take turns, or the last of them would go as the next come. */
import { holdLease } from '../../db/lease.ts'
import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { StoredFile } from './file.entity.ts'

const turnMs = 120_000
/** Names of turns: many enough that nobody waits for other bytes, few enough to stay. */
const turnOf = (hash: string): string => `bytes:${hash.slice(0, 3)}`

export const holdBytes = <T>({ em }: Pick<Hub, 'em'>, hash: string, work: () => Promise<T>): Promise<T> => holdLease(em, turnOf(hash), turnMs, work)

/** Who has brought a file that is going: nobody, so no message can carry it any more. */
const nobody = 'gone'

/** From here on these files of a conversation are carried by nothing new. Waits for whoever is just now carrying one on. */
export async function letGo(em: Em, conversationId: string): Promise<void> {
  await em.nativeUpdate(StoredFile, { conversationId }, { uploadedBy: nobody })
}

/**
 * Deletes a file that is still whose it was when `file` was read. It is let go first, and the bytes, where no other row
 * names them, go before the row: a process that dies between them leaves a row that is found again.
 */
export async function dropFile(hub: Hub, file: Pick<StoredFile, 'id' | 'hash' | 'hasThumbnail' | 'conversationId'>): Promise<void> {
  const { id, hash, hasThumbnail, conversationId } = file
  await holdBytes(hub, hash, async () => {
    const em = hub.em()
    // A message may have taken it since, or be giving another conversation the same bytes: that is waited for.
    if ((await em.nativeUpdate(StoredFile, { id, conversationId }, { uploadedBy: nobody })) === 0) return
    if ((await em.count(StoredFile, { hash, uploadedBy: { $ne: nobody } })) === 0) {
      await hub.files.remove(hash)
      if (hasThumbnail) await hub.files.remove(`${hash}.thumb`)
    }
    await em.nativeDelete(StoredFile, { id })
  })
}

const filesAtOnce = 100

/** Deletes the files of a conversation; `letGo`: only those that were let go, not what was written since. */
export async function dropFiles(hub: Hub, conversationId: string, which: 'all' | 'letGo' = 'all'): Promise<void> {
  const where = { conversationId, ...(which === 'letGo' ? { uploadedBy: nobody } : {}) }
  const fields = ['id', 'hash', 'hasThumbnail', 'conversationId'] as const
  for (;;) {
    const files = await hub.em().find(StoredFile, where, { fields, limit: filesAtOnce, disableIdentityMap: true })
    if (files.length === 0) return
    for (const file of files) await dropFile(hub, file)
  }
}
