/** In containers the hub is often up before its database: it waits a while, saying so, and then says what to do. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../sdk/plugin.ts'
import type { Env } from '../config/env.ts'
import { StartFault } from '../config/start-fault.ts'
import type { Orm } from './orm.ts'

const everyMs = 2_000

/** Resolves when the database answers. Throws {@link StartFault} when it does not in time, or refuses for good. */
export async function waitForDatabase(orm: Orm, env: Pick<Env, 'databaseUrl' | 'databaseWaitSeconds'>, log: Logger): Promise<void> {
  const end = Date.now() + env.databaseWaitSeconds * 1_000
  for (;;) {
    try {
      await orm.em.fork().getConnection().execute('select 1')
      return
    } catch (error) {
      const { code = (error as Error).message } = error as { code?: string }
      const { host, pathname } = new URL(env.databaseUrl || 'file:')
      const name = decodeURIComponent(pathname.slice(1))
      if (code.startsWith('ER_ACCESS_DENIED'))
        throw new StartFault(`The database at ${host} does not accept the user or the password of DATABASE_URL: correct them.`)
      if (code === 'ER_DBACCESS_DENIED_ERROR' || code === 'ER_BAD_DB_ERROR')
        throw new StartFault(
          `The user of DATABASE_URL may not use the database ${name} at ${host}, or it is not there: create it, and grant the user all rights on it.`,
        )
      const left = Math.ceil((end - Date.now()) / 1_000)
      if (left <= 0)
        throw new StartFault(
          `The database at ${host} does not answer (${code}), after ${env.databaseWaitSeconds} s of waiting (DATABASE_WAIT). Is it running, and is DATABASE_URL right?`,
        )
      log.warn({ code, secondsLeft: left }, `waiting for the database at ${host}`)
      await sleep(Math.min(everyMs, left * 1_000))
    }
  }
}
