/** A process that dies while it migrates, at a moment that a test chooses. */
import type { Em, Orm } from '../../core/src/db/orm.ts'

class Died extends Error {}

/** Statements of the record of migrations; all others are a migration's own. */
const ofTheRecord = /hub_migration|get_lock|release_lock|^(start transaction|commit|rollback)$/

/** A database whose process dies at the nth statement of migrations, before it is run or before it is written down. */
function dyingAt(orm: Orm, nth: number, when: 'before' | 'after'): Orm {
  let seen = 0
  let dead = false
  const dying = (em: Em) =>
    new Proxy(em, {
      get: (target, name) => {
        if (name !== 'execute') return Reflect.get(target, name)
        return async (statement: string, values?: unknown[]) => {
          const own = !ofTheRecord.test(statement)
          if (own) seen++
          // The line is gone with the process, and so is its lock; nothing else is put in order.
          if ((dead && !statement.includes('release_lock')) || (own && seen === nth && when === 'before')) {
            dead = true
            throw new Died()
          }
          const answer = await target.execute(statement, values)
          if (own && seen === nth) dead = true
          return answer
        }
      },
    })
  return {
    em: { fork: () => ({ transactional: (work: (em: Em) => Promise<unknown>) => (orm.em.fork() as Em).transactional((em) => work(dying(em as Em))) }) },
  } as unknown as Orm
}

/** Starts again and again, each time dying at the next statement, once before and once after it; returns how often it died. */
export async function dieAtEachStatement(orm: Orm, start: (orm: Orm) => Promise<unknown>): Promise<number> {
  for (let deaths = 0; ; deaths++)
    try {
      // A start begins with the statement at which the last one died: the first dies before it, the second after it, the third goes on to the next.
      await start(deaths % 2 === 0 ? dyingAt(orm, deaths === 0 ? 1 : 2, 'before') : dyingAt(orm, 1, 'after'))
      return deaths
    } catch (error) {
      if (!(error instanceof Died)) throw error
    }
}
