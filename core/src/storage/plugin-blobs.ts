/** `ctx.blobs`: bytes that a plugin keeps for itself, in the hub's storage, under names that no other plugin reaches. */
import { createHash, randomBytes } from 'node:crypto'
import type { Blobs } from '../../sdk/plugin.ts'
import type { Hub } from '../hub.ts'

/** Files are named by their bytes; this by its name, so that it is nobody else's: the ending says that its bytes do not hash to it. */
const keyOf = (plugin: string, name: string): string => `${createHash('sha256').update(`blob:${plugin}:${name}`).digest('hex')}.blob`

export function blobsOf(hub: Pick<Hub, 'files'>, plugin: string): Blobs {
  return {
    async put(chunks, name = randomBytes(16).toString('hex')) {
      if (!/^[0-9a-f]{32}$/.test(name)) throw new Error('a blob is named by 32 hex digits')
      return { name, size: await hub.files.putStream(keyOf(plugin, name), chunks) }
    },
    read: (name) => hub.files.read(keyOf(plugin, name)),
    remove: (name) => hub.files.remove(keyOf(plugin, name)),
  }
}
