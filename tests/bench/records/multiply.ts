/**
 * A history of ten times the length in a tenth of the time: what was seeded and indexed is copied into the years before,
 * by the database itself. The words are the same ones again, so a word that is rare stays as rare.
 */
import type { Dialect, Em } from '../../../core/src/db/orm.ts'
import { packIds, unpackIds } from '../../../core/src/domain/record/find/postings.ts'
import { spanMs } from './seed.ts'

const signs = '0123456789abcdefghjkmnpqrstvwxyz'
/** What the third sign of the ids of these two years is. */
const seeded = 'jkm'

const first = `01j${'0'.repeat(23)}`

const older = (id: string, copy: number): string => `00${signs[3 * copy + seeded.indexOf(id[2] as string)]}${id.slice(3)}`

export async function multiply(em: () => Em, dialect: Dialect, times: number, say: (line: string) => void): Promise<void> {
  const id = (column: string, copy: number) => {
    const sign = `substr('${signs}', ${3 * copy} + instr('${seeded}', substr(${column}, 3, 1)), 1)`
    return dialect === 'mysql' ? `concat('00', ${sign}, substr(${column}, 4))` : `'00' || ${sign} || substr(${column}, 4)`
  }
  const time = (column: string, copy: number) =>
    dialect === 'mysql' ? `${column} - interval ${((copy + 1) * spanMs) / 1_000} second` : `${column} - ${(copy + 1) * spanMs}`
  const columnsOf = async (table: string): Promise<string[]> => {
    const rows = (await em().execute(dialect === 'mysql' ? `show columns from ${table}` : `pragma table_info(${table})`)) as { Field?: string; name?: string }[]
    return rows.map((row) => (row.Field ?? row.name) as string)
  }
  const copyTable = async (table: string, changed: Record<string, (column: string, copy: number) => string>, copy: number) => {
    const columns = await columnsOf(table)
    const values = columns.map((column) => changed[column]?.(column, copy) ?? column)
    await em().execute(`insert into ${table} (${columns.join(', ')}) select ${values.join(', ')} from ${table} where ${Object.keys(changed)[0]} >= '01'`)
  }
  const blocks = (await em().execute("select * from search_block where state = 'live' order by id")) as Record<string, string | number>[]
  // The first block began with the beginning of all times: with its own time now, where there is one before it.
  if (times > 1) await em().execute("update search_block set after_id = ? where after_id = ''", [first])
  let next = 1 + Math.max(...blocks.map((block) => Number(block.id)))
  // Newest copies first: 8 lies right before what was seeded.
  for (let n = 1; n < times; n++) {
    const copy = 9 - n
    await copyTable('conversation', { id, identity_id: id, last_message_at: ageing, created_at: ageing, closed_at: ageing }, copy)
    await copyTable(
      'message',
      {
        id,
        conversation_id: id,
        dedupe_key: (column) => (dialect === 'mysql' ? `concat(${column}, '-', ${copy})` : `${column} || '-${copy}'`),
        created_at: ageing,
        sent_at: ageing,
      },
      copy,
    )
    await copyTable('conversation_tag', { conversation_id: id }, copy)
    await copyTable('conversation_agent', { conversation_id: id }, copy)
    await copyTable('conversation_summary', { conversation_id: id }, copy)
    for (const block of blocks) {
      const now = next++
      await em().execute('insert into search_posting (block, gram, hits) select ?, gram, hits from search_posting where block = ? and gram >= 0', [
        now,
        block.id as number,
      ])
      const names = (await em().execute('select gram, hits from search_posting where block = ? and gram < 0', [block.id as number])) as {
        gram: number
        hits: Uint8Array
      }[]
      for (let i = 0; i < names.length; i += 64) {
        const rows = names.slice(i, i + 64)
        await em().execute(
          `insert into search_posting (block, gram, hits) values ${rows.map(() => '(?, ?, ?)').join(', ')}`,
          rows.flatMap(({ gram, hits }) => [now, gram, packIds(unpackIds(hits).map((one) => older(one, copy)))]),
        )
      }
      const after = n === times - 1 && block.after_id === '' ? '' : older((block.after_id as string) || first, copy)
      await em().execute(
        'insert into search_block (id, state, after_id, last_id, size, messages, text_length, due_at, created_at) select ?, state, ?, ?, size, messages, text_length, due_at, created_at from search_block where id = ?',
        [now, after, older(block.last_id as string, copy), block.id as number],
      )
    }
    say(`copy ${n} of ${times - 1}`)
  }

  function ageing(column: string, copy: number): string {
    // Copy 8 is two years older, copy 7 four.
    return time(column, 8 - copy)
  }
}
