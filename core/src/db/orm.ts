/** The database: MikroORM on SQLite (embedded) or on MySQL/MariaDB (served). */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type EntitySchema, MikroORM } from '@mikro-orm/core'
import { MySqlDriver, type EntityManager as SqlEntityManager } from '@mikro-orm/mysql'
import { SqliteDriver } from '@mikro-orm/sqlite'
import type { Env } from '../config/env.ts'
import { agentEntities } from '../domain/agent/agent.entity.ts'
import { contactEntities } from '../domain/contact/contact.entity.ts'
import { conversationEntities } from '../domain/conversation/conversation.entity.ts'
import { departmentEntities } from '../domain/department/department.entity.ts'
import { fileEntities } from '../domain/file/file.entity.ts'
import { inboxEntities } from '../domain/inbox/inbox.entity.ts'
import { messageEntities } from '../domain/message/message.entity.ts'
import { roleEntities } from '../domain/role/role.entity.ts'
import { sessionEntities } from '../domain/session/session.entity.ts'
import { settingEntities } from '../domain/setting/setting.entity.ts'
import { tagEntities } from '../domain/tag/tag.entity.ts'
import { visitEntities } from '../domain/visit/visit.entity.ts'
import { keepStatements } from './statements.ts'

/** The unit of work, with the SQL drivers' `execute`. */
export type Em = SqlEntityManager
export type Orm = MikroORM<MySqlDriver> & { em: Em }
export type Dialect = 'mysql' | 'sqlite'

export const coreEntities: EntitySchema[] = [
  ...settingEntities,
  ...departmentEntities,
  ...roleEntities,
  ...agentEntities,
  ...sessionEntities,
  ...inboxEntities,
  ...contactEntities,
  ...conversationEntities,
  ...messageEntities,
  ...tagEntities,
  ...visitEntities,
  ...fileEntities,
] as unknown as EntitySchema[]

export const dialectOf = (env: Pick<Env, 'databaseUrl'>): Dialect => (env.databaseUrl === '' ? 'sqlite' : 'mysql')

/** Opens the database; does not touch its schema. */
export async function openOrm(env: Pick<Env, 'databaseUrl' | 'dataDir'>, pluginEntities: readonly EntitySchema[] = []): Promise<Orm> {
  const common = { entities: [...coreEntities, ...pluginEntities], forceUtcTimezone: true, debug: false }
  if (env.databaseUrl === '') {
    mkdirSync(env.dataDir, { recursive: true })
    const orm = await MikroORM.init({ ...common, driver: SqliteDriver, dbName: join(env.dataDir, 'hub.sqlite') })
    // WAL lets readers go on while one writes; FULL keeps "committed" true through a power cut.
    for (const pragma of ['journal_mode = wal', 'synchronous = full', 'busy_timeout = 5000', 'foreign_keys = on'])
      await orm.em.getConnection().execute(`pragma ${pragma}`)
    await keepStatements(orm as unknown as Orm, 'sqlite')
    return orm as unknown as Orm
  }
  const orm = await MikroORM.init({
    ...common,
    driver: MySqlDriver,
    clientUrl: env.databaseUrl,
    charset: 'utf8mb4',
    collate: 'utf8mb4_bin',
    pool: { min: 1, max: 16 },
  })
  await keepStatements(orm as unknown as Orm, 'mysql')
  return orm as unknown as Orm
}
