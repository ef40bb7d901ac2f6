/**
 * npm run migrate            applies what is missing
 * npm run migrate -- --status   lists what is applied
 * npm run migrate -- --diff     prints the SQL that would bring the schema to the entities
 */
import { pino } from 'pino'
import { takenWords } from '../src/access/taken-words.ts'
import { EnvError, readEnv } from '../src/config/env.ts'
import { schemaDrift } from '../src/db/drift.ts'
import { coreHistory } from '../src/db/history.ts'
import { migrate, migrationStatus } from '../src/db/migrate.ts'
import { openOrm } from '../src/db/open-orm.ts'
import { dialectOf } from '../src/db/orm.ts'
import { discoverPlugins } from '../src/kernel/discover.ts'
import { loadOrder } from '../src/kernel/load.ts'

const log = pino({ level: 'info' })
try {
  const env = readEnv(process.env)
  const { loaded } = loadOrder(await discoverPlugins(env), takenWords)
  const histories = [coreHistory, ...loaded.map((p) => ({ owner: p.manifest.id, migrations: p.manifest.migrations ?? [] }))]
  const orm = await openOrm(
    env,
    loaded.flatMap((p) => p.manifest.entities ?? []),
  )
  try {
    if (process.argv.includes('--diff')) {
      for (const statement of await schemaDrift(orm)) console.log(`${statement};`)
    } else if (process.argv.includes('--status')) {
      for (const m of await migrationStatus(orm, histories)) console.log(`${m.appliedAt?.toISOString() ?? 'pending                 '}  ${m.owner}/${m.name}`)
    } else {
      const ran = await migrate(orm, dialectOf(env), histories, log)
      console.log(ran.length === 0 ? 'The schema is up to date.' : `Applied ${ran.join(', ')}.`)
    }
  } finally {
    await orm.close()
  }
} catch (error) {
  if (!(error instanceof EnvError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
