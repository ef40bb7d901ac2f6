/**
 * npm run reset-password -- ADDRESS: for who has forgotten the password, the owner too. The old one ends at once, with all sessions;
 * prints a link with which a new one is chosen within seven days. With `--second-factor` that is taken off too. The hub may
 * run meanwhile. Whoever may start this may read the database anyway.
 */
import { EnvError, readEnv } from '../src/config/env.ts'
import { openOrm } from '../src/db/open-orm.ts'
import type { Em } from '../src/db/orm.ts'
import { Agent, Invitation } from '../src/domain/agent/agent.entity.ts'
import { invite, joinLink } from '../src/domain/agent/invite.ts'
import { dropSecondFactor } from '../src/domain/session/second-factor.ts'
import { Session } from '../src/domain/session/session.entity.ts'

/** The link; undefined when nobody active has this address. */
async function reset(em: Em, email: string, secondFactorToo: boolean): Promise<string | undefined> {
  return em.transactional(async (tx) => {
    const agent = await tx.findOne(Agent, { email, active: true }, { disableIdentityMap: true })
    if (!agent) return undefined
    await tx.nativeUpdate(Agent, { id: agent.id }, { passwordHash: null, accessVersion: agent.accessVersion + 1 })
    if (secondFactorToo) await dropSecondFactor(tx as Em, agent.id)
    await tx.nativeDelete(Session, { agentId: agent.id })
    await tx.nativeDelete(Invitation, { agentId: agent.id })
    return invite(tx as Em, agent.id)
  })
}

try {
  const words = process.argv.slice(2)
  const [address] = words.filter((word) => !word.startsWith('--'))
  const env = readEnv(process.env)
  if (!address || words.some((word) => word.startsWith('--') && word !== '--second-factor')) {
    console.error('Say whose: npm run reset-password -- ADDRESS [--second-factor]')
    process.exit(1)
  }
  // Accounts are the core's: a plugin that is broken is not in the way.
  const orm = await openOrm(env, [])
  try {
    const token = await reset(orm.em.fork() as Em, address.trim().toLowerCase(), words.includes('--second-factor'))
    if (token)
      console.log(
        `The old password has ended. Whoever opens this link within seven days chooses the new one:\n${joinLink(env.publicUrl || `http://localhost:${env.port}`, token)}`,
      )
    else {
      console.error(`Nobody who may sign in has the address ${address}.`)
      process.exitCode = 1
    }
  } finally {
    await orm.close()
  }
} catch (error) {
  if (!(error instanceof EnvError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
