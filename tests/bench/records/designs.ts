/** Other ways to find words, measured beside the one that was taken (see ADR 0025). */
import type { Dialect, Em } from '../../../core/src/db/orm.ts'
import { planted } from './seed.ts'

const asked = ['的', '订单', '质量太差', planted.rare, '量子纠缠', '在的不是人']

export async function measureDesigns(em: Em, dialect: Dialect, say: (line: string) => void): Promise<string> {
  const rows: string[] = []
  const measure = async (name: string, ask: (word: string) => Promise<unknown[]>) => {
    const cells: string[] = []
    for (const word of asked) {
      const times: number[] = []
      for (let i = 0; i < 5; i++) {
        const began = performance.now()
        await ask(word)
        times.push(performance.now() - began)
      }
      cells.push(times.sort((a, b) => a - b)[2]?.toFixed(1) as string)
    }
    rows.push(`| ${name} | ${cells.join(' | ')} |`)
    say(rows.at(-1) as string)
  }
  await measure('LIKE, newest first', (word) => em.execute('select id from message where text like ? order by id desc limit 50', [`%${word}%`]))
  await (dialect === 'mysql' ? fulltext(em, measure) : trigram(em, measure))
  await inverted(em, measure)
  if (dialect === 'mysql') await partitions(em, measure)
  return `Other designs, median ms of the newest 50 messages, no filter, no permission:\n\n| | ${asked.join(' | ')} |\n|---|${asked.map(() => '---|').join('')}\n${rows.join('\n')}`
}

type Measure = (name: string, ask: (word: string) => Promise<unknown[]>) => Promise<void>

/** Two characters as one word of letters that the parser knows: MariaDB has no parser of its own for Chinese. */
const encode = (text: string): string => {
  const codes = [...text.normalize('NFKC').toLowerCase()].map((unit) => (unit.codePointAt(0) as number).toString(36))
  return codes
    .slice(1)
    .map((code, i) => `z${codes[i]}q${code}`)
    .join(' ')
}

async function copied(em: Em, insert: (rows: { id: string; text: string }[]) => Promise<unknown>): Promise<number> {
  const began = performance.now()
  for (let after = ''; ; ) {
    const rows = (await em.execute('select id, text from message where id > ? order by id limit 5000', [after])) as { id: string; text: string }[]
    if (rows.length === 0) return (performance.now() - began) / 1_000
    await insert(rows)
    after = rows.at(-1)?.id ?? ''
  }
}

async function fulltext(em: Em, measure: Measure): Promise<void> {
  await em.execute('create table bench_fulltext (id varchar(26) not null primary key, grams mediumtext not null) default character set latin1 engine = InnoDB')
  const seconds = await copied(em, (rows) =>
    em.execute(
      `insert into bench_fulltext values ${rows.map(() => '(?, ?)').join(', ')}`,
      rows.flatMap(({ id, text }) => [id, encode(text)]),
    ),
  )
  const began = performance.now()
  await em.execute('alter table bench_fulltext add fulltext index bench_words (grams)')
  const build = seconds + (performance.now() - began) / 1_000
  await measure(`FULLTEXT over encoded bigrams, phrase (built in ${build.toFixed(0)} s)`, (word) =>
    [...word].length < 2
      ? Promise.resolve([])
      : em.execute('select id from bench_fulltext where match (grams) against (? in boolean mode) order by id desc limit 50', [`"${encode(word)}"`]),
  )
  await em.execute('drop table bench_fulltext')
}

async function trigram(em: Em, measure: Measure): Promise<void> {
  await em.execute("create virtual table bench_trigram using fts5 (id unindexed, text, content = '', contentless_delete = 0, tokenize = 'trigram')")
  let row = 0
  const seconds = await copied(em, (rows) =>
    em.transactional(async (tx) => {
      await (tx as Em).execute(
        `insert into bench_trigram (rowid, id, text) values ${rows.map(() => '(?, ?, ?)').join(', ')}`,
        rows.flatMap(({ id, text }) => [++row, id, text]),
      )
    }),
  )
  await measure(`FTS5 trigram (built in ${seconds.toFixed(0)} s; words of three signs and more)`, (word) =>
    [...word].length < 3
      ? Promise.resolve([])
      : em.execute('select rowid from bench_trigram where bench_trigram match ? order by rowid desc limit 50', [`"${word}"`]),
  )
  await em.execute('drop table bench_trigram')
}

const pairsOf = (text: string): number[] => {
  const codes = [...text.normalize('NFKC').toLowerCase()].map((unit) => unit.codePointAt(0) as number)
  return [...new Set(codes.slice(1).map((code, i) => ((codes[i] as number) * 65_536 + code) % 2 ** 31))]
}

/** A row for every pair of signs of every message; what they have in common is looked at once more. */
async function inverted(em: Em, measure: Measure): Promise<void> {
  await em.execute('create table bench_inverted (gram integer not null, id varchar(26) not null, primary key (gram, id))')
  const seconds = await copied(em, (rows) =>
    em.transactional(async (tx) => {
      const pairs = rows.flatMap(({ id, text }) => pairsOf(text).map((gram) => [gram, id] as const))
      for (let i = 0; i < pairs.length; i += 8_000) {
        const some = pairs.slice(i, i + 8_000)
        await (tx as Em).execute(`insert into bench_inverted values ${some.map(() => '(?, ?)').join(', ')}`, some.flat())
      }
    }),
  )
  const [row] = (await em.execute('select count(*) as n from bench_inverted')) as { n: number }[]
  const [total] = (await em.execute('select count(*) as n from message')) as { n: number }[]
  const perMessage = (Number(row?.n) / Number(total?.n)).toFixed(1)
  await measure(`a row a pair (${perMessage} rows a message, built in ${seconds.toFixed(0)} s; two signs and more)`, (word) => {
    const grams = pairsOf(word)
    if (grams.length === 0) return Promise.resolve([])
    const joins = grams.slice(1).map((_, i) => `join bench_inverted g${i + 1} on g${i + 1}.id = g0.id and g${i + 1}.gram = ?`)
    return em.execute(
      `select g0.id from bench_inverted g0 ${joins.join(' ')} join message m on m.id = g0.id where g0.gram = ? and m.text like ? order by g0.id desc limit 50`,
      [...grams.slice(1), grams[0], `%${word}%`],
    )
  })
  await em.execute('drop table bench_inverted')
}

/** The texts in eight parts by time, the newest asked first, until the page is full. */
async function partitions(em: Em, measure: Measure): Promise<void> {
  const parts = 8
  const bounds = (await em.execute(
    `select min(id) as id from (select id, ntile(${parts}) over (order by id) as part from message) t group by part order by id`,
  )) as { id: string }[]
  const starts = bounds.map(({ id }) => id)
  const ranges = starts.slice(1).map((id, i) => `partition p${i} values less than ('${id}')`)
  await em.execute(
    `create table bench_parts (id varchar(26) character set ascii not null primary key, text mediumtext not null) partition by range columns (id) (${[...ranges, `partition p${starts.length - 1} values less than maxvalue`].join(', ')})`,
  )
  const seconds = await copied(em, (rows) =>
    em.execute(
      `insert into bench_parts values ${rows.map(() => '(?, ?)').join(', ')}`,
      rows.flatMap(({ id, text }) => [id, text]),
    ),
  )
  await measure(`LIKE in ${starts.length} partitions, newest first (built in ${seconds.toFixed(0)} s)`, async (word) => {
    const found: unknown[] = []
    for (let i = starts.length - 1; i >= 0 && found.length < 50; i--)
      found.push(
        ...((await em.execute(`select id from bench_parts partition (p${i}) where text like ? order by id desc limit ${50 - found.length}`, [
          `%${word}%`,
        ])) as unknown[]),
      )
    return found
  })
  await em.execute('drop table bench_parts')
}
