/**
 * Brings the schema up to date: the core's history and the plugins', in the order the plugins are loaded.
 * One process at a time, and any of them may be killed at any moment: SQLite takes a migration as a whole, on MySQL
 * each statement is written down once it has run, and the next start goes on after it.
 */
import { TableNotFoundException } from '@mikro-orm/core'
import type { Logger, Migration } from '../../sdk/plugin.ts'
import type { Dialect, Em, Orm } from './orm.ts'

export interface History {
  /** `core` or a plugin's id. */
  owner: string
  migrations: readonly Migration[]
}

export interface MigrationStatus {
  owner: string
  name: string
  appliedAt: Date | null
}

const tables: Record<Dialect, readonly string[]> = {
  mysql: [
    'create table if not exists `hub_migration` (`owner` varchar(40) not null, `name` varchar(100) not null, `applied_at` datetime(3) not null, primary key (`owner`, `name`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
    'create table if not exists `hub_migration_step` (`owner` varchar(40) not null, `name` varchar(100) not null, `done` int not null, `in_flight` tinyint(1) not null, primary key (`owner`, `name`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
  ],
  sqlite: [
    'create table if not exists `hub_migration` (`owner` text not null, `name` text not null, `applied_at` datetime not null, primary key (`owner`, `name`))',
  ],
}

async function applied(em: Em): Promise<Map<string, Date>> {
  const rows = (await em.execute('select owner, name, applied_at from hub_migration')) as {
    owner: string
    name: string
    applied_at: string | number
  }[]
  return new Map(rows.map((row) => [`${row.owner}/${row.name}`, new Date(typeof row.applied_at === 'number' ? row.applied_at : `${row.applied_at}Z`)]))
}

/** Every migration there is, with the time it was applied. Writes nothing, not even into an empty database. */
export async function migrationStatus(orm: Orm, histories: readonly History[]): Promise<MigrationStatus[]> {
  const done = await applied(orm.em.fork() as Em).catch((error) => {
    if (error instanceof TableNotFoundException) return new Map<string, Date>()
    throw error
  })
  return histories.flatMap((history) =>
    history.migrations.map((migration) => ({
      owner: history.owner,
      name: migration.name,
      appliedAt: done.get(`${history.owner}/${migration.name}`) ?? null,
    })),
  )
}

/** Hears of a plugin whose migration failed; its later ones are left out, the other plugins' go on. */
export type MigrationFault = (owner: string, error: unknown) => void

/** Applies what is missing; returns the names of what ran. Throws when one fails, or tells `fault` when it is a plugin's. */
export async function migrate(orm: Orm, dialect: Dialect, histories: readonly History[], log: Logger, fault?: MigrationFault): Promise<string[]> {
  if (dialect === 'sqlite') return migrateFile(orm.em.fork() as Em, histories, log, fault)
  // A named lock belongs to its connection: everything runs inside one transaction to stay on it
  // (MySQL commits at every DDL statement anyway; what counts is the record of the steps).
  return (orm.em.fork() as Em).transactional(async (em) => {
    const [row] = (await em.execute("select get_lock(concat(database(), '.hub_migration'), 120) as got")) as { got: number }[]
    if (row?.got !== 1) throw new Error('another process has been migrating this database for two minutes')
    try {
      return await apply(em as Em, dialect, histories, log, fault)
    } finally {
      await em.execute("select release_lock(concat(database(), '.hub_migration'))")
    }
  })
}

/** An empty file gets its tables in one piece: eighty of them, each written to the disk by itself, take twice as long. */
async function migrateFile(em: Em, histories: readonly History[], log: Logger, fault: MigrationFault | undefined): Promise<string[]> {
  const [empty] = (await em.execute("select count(*) = 0 as yes from sqlite_master where name = 'hub_migration'")) as { yes: number }[]
  const all = (em: Em) => apply(em, 'sqlite', histories, log, fault)
  return empty?.yes === 1 ? em.transactional((inner) => all(inner as Em)) : all(em)
}

async function apply(em: Em, dialect: Dialect, histories: readonly History[], log: Logger, fault: MigrationFault | undefined): Promise<string[]> {
  for (const table of tables[dialect]) await em.execute(table)
  const done = await applied(em)
  const ran: string[] = []
  for (const { owner, migrations } of histories) {
    for (const migration of migrations) {
      if (done.has(`${owner}/${migration.name}`)) continue
      try {
        await (dialect === 'sqlite' ? atOnce(em, owner, migration) : inSteps(em, owner, migration))
      } catch (error) {
        if (owner === 'core' || !fault) throw error
        fault(owner, error)
        break
      }
      ran.push(`${owner}/${migration.name}`)
      log.info({ owner, migration: migration.name }, 'migrated')
    }
  }
  return ran
}

const record = (em: Em, owner: string, name: string) =>
  em.execute('insert into hub_migration (owner, name, applied_at) values (?, ?, ?)', [owner, name, new Date()])

function atOnce(em: Em, owner: string, { name, sqlite }: Migration): Promise<void> {
  return em.transactional(async (inner) => {
    for (const statement of sqlite) await inner.execute(statement)
    await record(inner as Em, owner, name)
  })
}

/**
 * A step that writes rows is committed with its number. DDL commits by itself, before its number can be: each one is
 * atomic (MySQL 8, MariaDB ≥ 10.6), so one that was in flight when its process died is known by how it fails now.
 */
async function inSteps(em: Em, owner: string, { name, mysql }: Migration): Promise<void> {
  const [before] = (await em.execute('select done, in_flight from hub_migration_step where owner = ? and name = ?', [owner, name])) as {
    done: number
    in_flight: number
  }[]
  const note = (done: number, inFlight: boolean) =>
    em.execute(
      'insert into hub_migration_step (owner, name, done, in_flight) values (?, ?, ?, ?) on duplicate key update done = values(done), in_flight = values(in_flight)',
      [owner, name, done, inFlight],
    )
  const first = before?.done ?? 0
  await note(first, true)
  for (const [step, statement] of mysql.entries()) {
    if (step < first) continue
    await em.execute('start transaction')
    try {
      await em.execute(statement)
    } catch (error) {
      if (!(step === first && before?.in_flight && saysItRan(error))) {
        // The database answered: it has not run, and is not taken for done next time. Where the connection is gone this fails too, and nobody knows.
        await em
          .execute('rollback')
          .then(() => note(step, false))
          .catch(() => undefined)
        throw error
      }
    }
    await note(step + 1, true)
    await em.execute('commit')
  }
  await em.execute('start transaction')
  await record(em, owner, name)
  await em.execute('delete from hub_migration_step where owner = ? and name = ?', [owner, name])
  await em.execute('commit')
}

/** What a statement that makes, drops or renames something answers when it is run again. */
const ranAlready = new Set([
  'ER_TABLE_EXISTS_ERROR',
  'ER_BAD_TABLE_ERROR',
  'ER_NO_SUCH_TABLE',
  'ER_DUP_FIELDNAME',
  'ER_BAD_FIELD_ERROR',
  'ER_DUP_KEYNAME',
  'ER_KEY_DOES_NOT_EXITS',
  'ER_CANT_DROP_FIELD_OR_KEY',
  'ER_MULTIPLE_PRI_KEY',
  'ER_FK_DUP_NAME',
])

function saysItRan(error: unknown): boolean {
  const { code, message } = error as { code?: string; message: string }
  // MariaDB's answer to the name of a foreign key that is there.
  return (code !== undefined && ranAlready.has(code)) || (code === 'ER_CANT_CREATE_TABLE' && message.includes('errno: 121'))
}
