/** Opens the database, with the entities of the core and those that plugins bring. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type EntitySchema, MikroORM } from '@mikro-orm/core'
import type { Env } from '../config/env.ts'
import { agentEntities } from '../domain/agent/agent.entity.ts'
import { assignmentEntities } from '../domain/assignment/assignment-rule.entity.ts'
import { categoryEntities } from '../domain/category/category.entity.ts'
import { contactEntities } from '../domain/contact/contact.entity.ts'
import { conversationEntities } from '../domain/conversation/conversation.entity.ts'
import { departmentEntities } from '../domain/department/department.entity.ts'
import { fileEntities } from '../domain/file/file.entity.ts'
import { inboxEntities } from '../domain/inbox/inbox.entity.ts'
import { messageEntities } from '../domain/message/message.entity.ts'
import { noticeEntities } from '../domain/notice/notice.entity.ts'
import { processEntities } from '../domain/process/process.entity.ts'
import { searchEntities } from '../domain/record/find/index.entity.ts'
import { recordEntities } from '../domain/record/record.entity.ts'
import { reportEntities } from '../domain/report/report.entity.ts'
import { retentionEntities } from '../domain/retention/retention.entity.ts'
import { roleEntities } from '../domain/role/role.entity.ts'
import { sessionEntities } from '../domain/session/session.entity.ts'
import { settingEntities } from '../domain/setting/setting.entity.ts'
import { tagEntities } from '../domain/tag/tag.entity.ts'
import { visitEntities } from '../domain/visit/visit.entity.ts'
import { bindKeyring, keyringOf } from '../sealing/keyring.ts'
import { letBreathe } from './breath.ts'
import { writeNul } from './nul.ts'
import { dialectOf, type Orm } from './orm.ts'

export const coreEntities: EntitySchema[] = [
  ...settingEntities,
  ...departmentEntities,
  ...roleEntities,
  ...agentEntities,
  ...sessionEntities,
  ...inboxEntities,
  ...contactEntities,
  ...categoryEntities,
  ...conversationEntities,
  ...assignmentEntities,
  ...messageEntities,
  ...recordEntities,
  ...searchEntities,
  ...reportEntities,
  ...retentionEntities,
  ...tagEntities,
  ...visitEntities,
  ...fileEntities,
  ...noticeEntities,
  ...processEntities,
] as unknown as EntitySchema[]

export type OrmEnv = Pick<Env, 'databaseUrl' | 'dataDir'> & Partial<Pick<Env, 'dataKeys' | 'secret'>>

/** Opens the database; does not touch its schema. Only the driver that is used is loaded. `readOnly` leaves a SQLite file as it is. */
export async function openOrm(env: OrmEnv, pluginEntities: readonly EntitySchema[] = [], { readOnly = false } = {}): Promise<Orm> {
  const common = { entities: [...coreEntities, ...pluginEntities], forceUtcTimezone: true, debug: false }
  if (dialectOf(env) === 'sqlite') {
    mkdirSync(env.dataDir, { recursive: true })
    const { SqliteDriver } = await import('@mikro-orm/sqlite')
    const orm = await MikroORM.init({ ...common, driver: SqliteDriver, dbName: join(env.dataDir, 'hub.sqlite'), onCreateConnection: letBreathe })
    const platform = orm.em.getDriver().getPlatform()
    bindKeyring(platform, keyringOf(env))
    writeNul(platform)
    // WAL lets readers go on while one writes; FULL keeps "committed" true through a power cut.
    const lasting = readOnly ? 'query_only = on' : 'journal_mode = wal'
    for (const pragma of [lasting, 'synchronous = full', 'busy_timeout = 5000', 'foreign_keys = on']) await orm.em.getConnection().execute(`pragma ${pragma}`)
    return orm as unknown as Orm
  }
  const { MySqlDriver } = await import('@mikro-orm/mysql')
  const orm = await MikroORM.init({
    ...common,
    driver: MySqlDriver,
    clientUrl: env.databaseUrl,
    charset: 'utf8mb4',
    collate: 'utf8mb4_bin',
    pool: { min: 1, max: 16 },
  })
  bindKeyring(orm.em.getDriver().getPlatform(), keyringOf(env))
  return orm as unknown as Orm
}
