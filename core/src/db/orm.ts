/** The database, as all else names it: MikroORM on SQLite (embedded) or on MySQL/MariaDB (served). `open-orm.ts` opens it. */
import type { MikroORM } from '@mikro-orm/core'
import type { MySqlDriver, EntityManager as SqlEntityManager } from '@mikro-orm/mysql'

/** The unit of work, with the SQL drivers' `execute`. */
export type Em = SqlEntityManager
export type Orm = MikroORM<MySqlDriver> & { em: Em }
export type Dialect = 'mysql' | 'sqlite'

export const dialectOf = (env: { databaseUrl: string }): Dialect => (env.databaseUrl === '' ? 'sqlite' : 'mysql')
