/**
 * Brings the schema up to date: the core's history and the plugins', in the order the plugins are loaded.
 * One process at a time; each migration is recorded once it has run, so a crash between two of them is harmless.
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

const table: Record<Dialect, string> = {
  mysql:
    'create table if not exists `hub_migration` (`owner` varchar(40) not null, `name` varchar(100) not null, `applied_at` datetime(3) not null, primary key (`owner`, `name`)) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB',
  sqlite:
    'create table if not exists `hub_migration` (`owner` text not null, `name` text not null, `applied_at` datetime not null, primary key (`owner`, `name`))',
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
  if (dialect === 'sqlite') return apply(orm.em.fork() as Em, dialect, histories, log, fault)
  // A named lock belongs to its connection: everything runs inside one transaction to stay on it
  // (MySQL commits at every DDL statement anyway; the record after each migration is what counts).
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

async function apply(em: Em, dialect: Dialect, histories: readonly History[], log: Logger, fault: MigrationFault | undefined): Promise<string[]> {
  await em.execute(table[dialect])
  const done = await applied(em)
  const ran: string[] = []
  for (const { owner, migrations } of histories) {
    for (const migration of migrations) {
      if (done.has(`${owner}/${migration.name}`)) continue
      const run = async (on: Em) => {
        for (const statement of migration[dialect]) await on.execute(statement)
        await on.execute('insert into hub_migration (owner, name, applied_at) values (?, ?, ?)', [owner, migration.name, new Date()])
      }
      try {
        await (dialect === 'sqlite' ? em.transactional((inner) => run(inner as Em)) : run(em))
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
