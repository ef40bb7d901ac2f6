/** Whether all that is sealed can be opened with the keys at hand, and how much still lies under older ones. Changes nothing. */
import { HubError } from '../../sdk/errors.ts'
import type { Env } from '../config/env.ts'
import type { Em } from '../db/orm.ts'
import { isMysql, readRaw, type Sql, sql } from '../db/statements.ts'
import { StoredFile } from '../domain/file/file.entity.ts'
import { spoolDir } from '../domain/file/spool.ts'
import { openFileStore } from '../storage/open-file-store.ts'
import { inTheClear, sealedStore } from '../storage/sealed-store.ts'
import { StorageFault } from '../storage/storage-fault.ts'
import { hasIndexKey, loadIndexKey } from './index-key.ts'
import { sealedColumns } from './seal-rows.ts'
import { keysOf } from './sealed-columns.ts'

export interface KeyFinding {
  state: 'ok' | 'warn' | 'bad'
  detail: string
  mend?: string
}

/** Files looked at from each end: a look at a file is a request to the storage. */
const filesLookedAt = 20
const raw = (text: string): Sql => ({ text, params: [] })
const putBack = (id: string) =>
  `Put the key "${id}" back into HUB_DATA_KEY (behind the first one), restart, and run npm run rotate-keys before it is taken out.`
const rotate = 'npm run rotate-keys brings them to the first key; the hub may run meanwhile.'

export async function checkKeys(em: Em, env: Env): Promise<KeyFinding[]> {
  const keys = keysOf(em)
  if (keys.ids.length === 0) return [{ state: 'ok', detail: 'none yet: the first start makes HUB_SECRET, and the key comes of it' }]
  const source = env.dataKeys?.length
    ? `HUB_DATA_KEY holds ${env.dataKeys.map(({ id }) => id).join(', ')}; "${keys.first}" seals`
    : 'comes of HUB_SECRET; a HUB_DATA_KEY of its own can be kept apart from the data'
  const findings: KeyFinding[] = [{ state: 'ok', detail: source }]
  if (!(await hasIndexKey(em))) return findings
  try {
    await loadIndexKey(em)
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    const id = (error.details as { key?: string } | undefined)?.key ?? ''
    findings.push({
      state: 'bad',
      detail: `the index key does not open: ${error.message}`,
      mend: `Without it no one is found by phone or email, and no file opens. ${putBack(id)}`,
    })
    return findings
  }
  return [...findings, ...(await checkRows(em)), ...(await checkFiles(em, env))]
}

async function checkRows(em: Em): Promise<KeyFinding[]> {
  const keys = keysOf(em)
  const platform = em.getDriver().getPlatform()
  const mysql = isMysql(em)
  const counts = new Map<string, number>()
  const shut: KeyFinding[] = []
  for (const { table, columns } of sealedColumns(em))
    for (const { name, type } of columns) {
      const column = raw(`\`${name}\``)
      // `e1.`, 32 signs, a point, the key's id, a point.
      const key = mysql ? sql`substring_index(substring(${column}, 37), '.', 1)` : sql`substr(substr(${column}, 37), 1, instr(substr(${column}, 37), '.') - 1)`
      const rows = await readRaw<{ k: string; n: number | string; one: string }>(
        em,
        sql`select case when ${column} like 'e1.%' then ${key} else ${inTheClear} end as k, count(*) as n, min(${column}) as one
          from ${raw(`\`${table}\``)} where ${column} is not null and ${column} <> '' group by k`,
      )
      for (const { k, n, one } of rows) {
        counts.set(k, (counts.get(k) ?? 0) + Number(n))
        if (k === inTheClear || !keys.ids.includes(k)) continue
        try {
          type.convertToJSValue(one, platform)
        } catch (error) {
          shut.push({
            state: 'bad',
            detail: `${table}.${name}: ${(error as Error).message}`,
            mend: `The key called "${k}" is not the one that sealed it: restore the right one.`,
          })
        }
      }
    }
  return [...shut, ...told('sealed fields', counts, keys.first, keys.ids)]
}

async function checkFiles(em: Em, env: Env): Promise<KeyFinding[]> {
  const keys = keysOf(em)
  const store = sealedStore(openFileStore(env), keys, spoolDir(env))
  const counts = new Map<string, number>()
  const some = (id: 'asc' | 'desc') =>
    em.find(StoredFile, {}, { orderBy: { id }, limit: filesLookedAt, fields: ['id', 'hash', 'size'], disableIdentityMap: true })
  const files = new Map([...(await some('asc')), ...(await some('desc'))].map((file) => [file.hash, file]))
  const findings: KeyFinding[] = []
  const known: { hash: string; size: number; id: string }[] = []
  try {
    for (const file of files.values()) {
      const by = await store.sealedBy(file.hash)
      if (by === undefined)
        findings.push({ state: 'bad', detail: `file ${file.id} is not in the storage`, mend: 'Restore the files of the backup that belongs to this database.' })
      else counts.set(by, (counts.get(by) ?? 0) + 1)
      if (by !== undefined && keys.ids.includes(by)) known.push(file)
    }
    const smallest = known.sort((a, b) => a.size - b.size)[0]
    if (smallest) await store.bytes(smallest.hash)
  } catch (error) {
    // A storage that is away is another check's finding.
    if (!(error instanceof StorageFault)) throw error
    findings.push({ state: 'bad', detail: `a file does not open: ${error.detail}`, mend: error.remedy })
  }
  return [...findings, ...told(`files of the ${files.size} looked at`, counts, keys.first, keys.ids)]
}

function told(what: string, counts: ReadonlyMap<string, number>, first: string, ids: readonly string[]): KeyFinding[] {
  const findings = [...counts].map(([id, n]): KeyFinding => {
    if (id === first) return { state: 'ok', detail: `${n} ${what} are under "${id}"` }
    if (id === inTheClear) return { state: 'warn', detail: `${n} ${what} are not sealed`, mend: rotate }
    if (ids.includes(id)) return { state: 'warn', detail: `${n} ${what} are under the older key "${id}"`, mend: rotate }
    return { state: 'bad', detail: `${n} ${what} are under "${id}", a key that is not here`, mend: putBack(id) }
  })
  return findings
}
