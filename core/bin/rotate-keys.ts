/**
 * npm run rotate-keys: brings personal fields and files to the first key of HUB_DATA_KEY. The hub may run meanwhile, with
 * the same keys. It can be stopped and started again: what is there already is passed over. Says at the end which keys
 * nothing needs any more.
 */

import { HubError } from '../sdk/errors.ts'
import { takenWords } from '../src/access/taken-words.ts'
import { EnvError, readEnv } from '../src/config/env.ts'
import { openOrm } from '../src/db/open-orm.ts'
import type { Em } from '../src/db/orm.ts'
import { keepStatements } from '../src/db/statements.ts'
import { personalChannels } from '../src/domain/contact/external-id.ts'
import { holdBytes } from '../src/domain/file/drop-file.ts'
import { StoredFile } from '../src/domain/file/file.entity.ts'
import { spoolDir } from '../src/domain/file/spool.ts'
import { discoverPlugins } from '../src/kernel/discover.ts'
import { loadOrder } from '../src/kernel/load.ts'
import { loadIndexKey } from '../src/sealing/index-key.ts'
import { beginSealing, sealSome } from '../src/sealing/seal-rows.ts'
import { keysOf } from '../src/sealing/sealed-columns.ts'
import { openFileStore } from '../src/storage/open-file-store.ts'
import { type SealedStore, sealedStore } from '../src/storage/sealed-store.ts'
import { StorageFault } from '../src/storage/storage-fault.ts'

async function sealFiles(fork: () => Em, store: SealedStore): Promise<{ sealed: number; damaged: string[] }> {
  const em = fork()
  let sealed = 0
  const damaged: string[] = []
  for (let after = ''; ; ) {
    const files = await em.find(
      StoredFile,
      { id: { $gt: after } },
      { orderBy: { id: 'asc' }, limit: 200, fields: ['id', 'hash', 'hasThumbnail'], disableIdentityMap: true },
    )
    for (const { id, hash, hasThumbnail } of files)
      for (const key of [hash, ...(hasThumbnail ? [`${hash}.thumb`] : [])])
        try {
          // A file that the hub deletes meanwhile does not come back by it.
          const anew = await holdBytes({ em: fork }, hash, async () => (await em.count(StoredFile, { id })) > 0 && store.reseal(key))
          if (anew) sealed++
        } catch (error) {
          if (!(error instanceof StorageFault && error.fault === 'other')) throw error
          damaged.push(id)
        }
    const last = files.at(-1)
    if (!last || files.length < 200) return { sealed, damaged }
    after = last.id
    console.log(`${sealed} files`)
  }
}

try {
  const env = readEnv(process.env)
  const { loaded } = loadOrder(await discoverPlugins(env), takenWords)
  const orm = await openOrm(
    env,
    loaded.flatMap(({ manifest }) => manifest.entities ?? []),
  )
  try {
    await keepStatements(orm, env.databaseUrl === '' ? 'sqlite' : 'mysql')
    const em = orm.em.fork() as Em
    const keys = keysOf(em)
    await loadIndexKey(em)
    await beginSealing(em)
    while (!(await sealSome(em, personalChannels(loaded.map(({ manifest }) => manifest)))));
    console.log(`Personal fields are sealed with the key "${keys.first}".`)
    const { sealed, damaged } = await sealFiles(() => orm.em.fork() as Em, sealedStore(openFileStore(env), keys, spoolDir(env)))
    console.log(`${sealed} files were brought to the key "${keys.first}".`)
    for (const id of damaged) console.error(`Damaged, left as it is: file ${id}`)
    const others = keys.ids.slice(1).filter((id) => id !== 'hub')
    if (damaged.length > 0) process.exitCode = 1
    else if (others.length > 0)
      console.log(
        `No field and no file needs ${others.join(', ')} any more. What plugins keep for a time may, such as exports: when those of before are over, take it out of HUB_DATA_KEY, and keep it with the backups of before.`,
      )
  } finally {
    await orm.close()
  }
} catch (error) {
  if (!(error instanceof EnvError || error instanceof HubError)) throw error
  console.error(error instanceof StorageFault ? `${error.message} (${error.detail}). ${error.remedy}` : error.message)
  process.exitCode = 1
}
