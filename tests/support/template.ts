/**
 * A database with the core's tables, for `makePlace` to copy: hundreds of worlds would have each statement of each
 * migration run anew, three seconds of MariaDB's time for each of them.
 */
import { createConnection } from 'mysql2/promise'
import { pino } from 'pino'
import { coreHistory } from '../../core/src/db/history.ts'
import { migrate } from '../../core/src/db/migrate.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'

const name = `huike_template_${process.pid}`

async function onServer(url: string, statement: string): Promise<void> {
  const connection = await createConnection(url)
  await connection.query(statement)
  await connection.end()
}

/** Returns its name. */
export async function makeTemplate(url: string): Promise<string> {
  await onServer(url, `create database \`${name}\` default character set utf8mb4 collate utf8mb4_bin`)
  const orm = await openOrm({ databaseUrl: `${url}/${name}`, dataDir: '' })
  await migrate(orm, 'mysql', [coreHistory], pino({ level: 'silent' }))
  await orm.close()
  return name
}

export const dropTemplate = (url: string): Promise<void> => onServer(url, `drop database if exists \`${name}\``)
