/** For tests, also of plugins outside of this repository: the profiles they run on: SQLite in one process, and MariaDB/MySQL with Redis where they answer. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Connection, createConnection as connectMysql, type RowDataPacket } from 'mysql2/promise'

const mysqlUrl = process.env.TEST_DATABASE_URL ?? 'mysql://root@127.0.0.1:3306'
const redisUrl = process.env.TEST_REDIS_URL ?? 'redis://127.0.0.1:6379'

/** Of `npm test`: a database with the core's tables, copied instead of made by all migrations each time. */
const template = process.env.TEST_TEMPLATE_DATABASE

export type ProfileName = 'embedded' | 'served'

/** A database of a test's own; gone afterwards. */
export interface Place {
  profile: ProfileName
  dataDir: string
  databaseUrl: string
  redisUrl: string
  remove(): Promise<void>
}

const answers = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url)
    const socket = createConnection({ host: hostname, port: Number(port) })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })

/** What can be tested here. With TEST_REQUIRE_SERVED a missing database or Redis is a failure, not a skip. */
export async function profiles(): Promise<ProfileName[]> {
  if (process.env.TEST_PROFILE === 'embedded') return ['embedded']
  const served = (await answers(mysqlUrl)) && (await answers(redisUrl))
  if (!served && process.env.TEST_REQUIRE_SERVED) throw new Error(`MariaDB (${mysqlUrl}) and Redis (${redisUrl}) must answer`)
  if (served && process.env.TEST_PROFILE === 'served') return ['served']
  if (!served) console.warn('! NOT RUN: the served profile (MariaDB and Redis do not answer)')
  return served ? ['embedded', 'served'] : ['embedded']
}

/** The tables, and which migrations made them: these are the only rows of a database that is new. */
async function copyTables(admin: Connection, from: string, to: string): Promise<void> {
  const [tables] = await admin.query<({ name: string } & RowDataPacket)[]>('select table_name as name from information_schema.tables where table_schema = ?', [
    from,
  ])
  for (const { name } of tables) await admin.query(`create table \`${to}\`.\`${name}\` like \`${from}\`.\`${name}\``)
  await admin.query(`insert into \`${to}\`.hub_migration select * from \`${from}\`.hub_migration`)
}

/** @param empty for a test about migrations: they begin at the first one */
export async function makePlace(profile: ProfileName, { empty = false } = {}): Promise<Place> {
  const dataDir = mkdtempSync(join(tmpdir(), 'huike-test-'))
  const dropData = () => rmSync(dataDir, { recursive: true, force: true })
  if (profile === 'embedded') return { profile, dataDir, databaseUrl: '', redisUrl: '', remove: async () => dropData() }
  const name = `huike_test_${randomBytes(6).toString('hex')}`
  const admin = await connectMysql(mysqlUrl)
  await admin.query(`create database \`${name}\` default character set utf8mb4 collate utf8mb4_bin`)
  if (template && !empty) await copyTables(admin, template, name)
  await admin.end()
  return {
    profile,
    dataDir,
    databaseUrl: `${mysqlUrl}/${name}`,
    redisUrl,
    async remove() {
      const again = await connectMysql(mysqlUrl)
      await again.query(`drop database if exists \`${name}\``)
      await again.end()
      dropData()
    },
  }
}
