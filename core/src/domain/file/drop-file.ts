/** Equal bytes are stored once: whoever takes some in and whoever removes them take turns, or the last of them would go as the next come. */
import { holdLease } from '../../db/lease.ts'
import type { Hub } from '../../hub.ts'
import { StoredFile } from './file.entity.ts'

const turnMs = 120_000
/** Names of turns: many enough that nobody waits for other bytes, few enough to stay. */
const turnOf = (hash: string): string => `bytes:${hash.slice(0, 3)}`

export const holdBytes = <T>({ em }: Pick<Hub, 'em'>, hash: string, work: () => Promise<T>): Promise<T> => holdLease(em, turnOf(hash), turnMs, work)

/** Bytes that no other row names go first, then the row: a process that dies between them leaves a row that is found again. */
export async function dropFile(hub: Hub, { id, hash, hasThumbnail }: Pick<StoredFile, 'id' | 'hash' | 'hasThumbnail'>): Promise<void> {
  await holdBytes(hub, hash, async () => {
    const em = hub.em()
    if ((await em.count(StoredFile, { hash, id: { $ne: id } })) === 0) {
      await hub.files.remove(hash)
      if (hasThumbnail) await hub.files.remove(`${hash}.thumb`)
    }
    await em.nativeDelete(StoredFile, { id })
  })
}
