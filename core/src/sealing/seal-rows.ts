/**
 * Brings every sealed column to the first data key: what an older hub wrote in the clear, and what another key sealed.
 * A few rows at a time, in the order of their ids, from where the last turn stopped; the hub may run meanwhile, because
 * a row is only written where it still is as it was read.
 */
import { SealedText } from '../../sdk/sealed.ts'
import type { Em } from '../db/orm.ts'
import { execute, isMysql, list, readRaw, type Sql, sql } from '../db/statements.ts'
import type { ClaimKind } from '../domain/contact/contact.entity.ts'
import { hashedId } from '../domain/contact/external-id.ts'
import { Setting } from '../domain/setting/setting.entity.ts'
import { resealIndexKey } from './index-key.ts'
import { sealedWith } from './keyring.ts'
import { claimKey, keysOf, SealedJson } from './sealed-columns.ts'

interface Progress {
  /** The key that everything is being brought to. */
  key: string
  /** Which columns, and names of which channels, that is: with a plugin, or a new version, more may have come. */
  columns?: string
  table: number
  after: string
  done: boolean
}
const settingKey = 'data.sealing'
const atOnce = 200
const raw = (text: string): Sql => ({ text, params: [] })

/** Sealed columns by table, as the entities have them: a new one is found by itself. */
export function sealedColumns(em: Em): { table: string; columns: { name: string; type: SealedText | SealedJson }[] }[] {
  return [...em.getMetadata().getAll().values()]
    .flatMap((meta) => {
      const columns = meta.props.flatMap((prop) =>
        prop.customType instanceof SealedText || prop.customType instanceof SealedJson ? [{ name: prop.fieldNames[0] as string, type: prop.customType }] : [],
      )
      return columns.length > 0 ? [{ table: meta.tableName, columns }] : []
    })
    .sort((a, b) => (a.table < b.table ? -1 : 1))
}

/**
 * One batch. True when all is sealed with the first key.
 * @param personal the channels whose names of people are personal (see external-id.ts)
 */
export async function sealSome(em: Em, personal: readonly string[] = []): Promise<boolean> {
  const keys = keysOf(em)
  const tables = sealedColumns(em)
  const walks = [
    ...tables.map((table) => (after: string) => sealTable(em, table, after)),
    () => hashClaims(em),
    (after: string) => hashNames(em, personal, after),
  ]
  const at = (await progress(em, personal)) ?? { key: keys.first, columns: namesOf(tables, personal), table: 0, after: '', done: false }
  if (at.done) return true
  const after = await walks[at.table]?.(at.after)
  const next = after === undefined ? { ...at, table: at.table + 1, after: '' } : { ...at, after }
  if (next.table >= walks.length) {
    await resealIndexKey(em)
    next.done = true
  }
  await em.upsert(Setting, { key: settingKey, value: next, updatedAt: new Date() })
  return next.done
}

/** Begins anew: rows that a hub of before wrote meanwhile are looked at too. */
export const beginSealing = async (em: Em): Promise<void> => void (await em.nativeDelete(Setting, { key: settingKey }))

/** Has everything been brought to the first key? */
export const isSealing = async (em: Em, personal: readonly string[] = []): Promise<boolean> => !(await progress(em, personal))?.done

const namesOf = (tables: ReturnType<typeof sealedColumns>, personal: readonly string[]): string =>
  [...tables.map(({ table, columns }) => [table, ...columns.map(({ name }) => name)].join(' ')), ...personal].join(', ')

/** How far the walk to this key over these columns has come; undefined when it is another one's. */
async function progress(em: Em, personal: readonly string[]): Promise<Progress | undefined> {
  const known = (await em.findOne(Setting, { key: settingKey }, { disableIdentityMap: true }))?.value as Progress | undefined
  return known?.key === keysOf(em).first && known.columns === namesOf(sealedColumns(em), personal) ? known : undefined
}

async function sealTable(em: Em, { table, columns }: ReturnType<typeof sealedColumns>[number], after: string): Promise<string | undefined> {
  const { first } = keysOf(em)
  const platform = em.getDriver().getPlatform()
  const names = raw(columns.map(({ name }) => `\`${name}\``).join(', '))
  const rows = await readRaw<Record<string, string | null> & { id: string }>(
    em,
    sql`select id, ${names} from ${raw(`\`${table}\``)} where id > ${after} order by id limit ${raw(String(atOnce))}`,
  )
  for (const row of rows)
    for (const { name, type } of columns) {
      const old = row[name]
      if (!old || sealedWith(old) === first) continue
      const value = type.convertToJSValue(old, platform)
      const fresh = type.convertToDatabaseValue(value as string, platform) as string
      await execute(em, sql`update ${raw(`\`${table}\``)} set ${raw(`\`${name}\``)} = ${fresh} where id = ${row.id} and ${raw(`\`${name}\``)} = ${old}`)
    }
  return rows.length < atOnce ? undefined : rows.at(-1)?.id
}

/** Before the table of an update that leaves alone what would be there twice. */
const ignoring = (em: Em): Sql => raw(isMysql(em) ? 'ignore' : 'or ignore')

/** Claims in the clear become hashes, in both tables at once; where both are there, the one in the clear goes. Undefined when none is left. */
async function hashClaims(em: Em): Promise<string | undefined> {
  const clear = sql`value not like ${'h1.%'}`
  const rows = await readRaw<{ kind: ClaimKind; value: string }>(
    em,
    sql`select kind, value from identity_claim where ${clear} union select kind, value from contact_claim where ${clear} limit ${raw(String(atOnce))}`,
  )
  for (const { kind, value } of rows)
    await em.transactional(async (tx) => {
      for (const table of [raw('identity_claim'), raw('contact_claim')]) {
        await execute(tx as Em, sql`update ${ignoring(em)} ${table} set value = ${claimKey(em, kind, value)} where kind = ${kind} and value = ${value}`)
        await execute(tx as Em, sql`delete from ${table} where kind = ${kind} and value = ${value}`)
      }
    })
  return rows.length < atOnce ? undefined : ''
}

/** Names in the clear of people on such channels become hashes, with the name sealed beside; also where their events wait. The last identity looked at. */
async function hashNames(em: Em, personal: readonly string[], after: string): Promise<string | undefined> {
  if (personal.length === 0) return undefined
  const rows = await readRaw<{ id: string; inbox_id: string; external_id: string }>(
    em,
    sql`select i.id, i.inbox_id, i.external_id from identity i join inbox b on b.id = i.inbox_id
        where i.id > ${after} and b.channel in ${list(personal)} and i.sealed_id = '' order by i.id limit ${raw(String(atOnce))}`,
  )
  for (const { id, inbox_id: inboxId, external_id: name } of rows) {
    const hash = hashedId(em, inboxId, name)
    const sealed = keysOf(em).seal('identity.sealed_id', name)
    await em.transactional(async (tx) => {
      // Met again by their hash meanwhile, they stay as they are: found by the other row.
      await execute(tx as Em, sql`update ${ignoring(em)} identity set external_id = ${hash}, sealed_id = ${sealed} where id = ${id} and external_id = ${name}`)
      await execute(tx as Em, sql`update inbound_event set sender_id = ${hash} where inbox_id = ${inboxId} and sender_id = ${name}`)
    })
  }
  return rows.length < atOnce ? undefined : rows.at(-1)?.id
}
