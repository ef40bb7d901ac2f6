/** Asks a signed-in person for their password again: whoever found a screen unlocked cannot take the account, nor guess. */
import { HubError } from '../../../sdk/errors.ts'
import type { Em } from '../../db/orm.ts'
import type { Agent } from '../agent/agent.entity.ts'
import { failLogin, forgetFailures, refuseThrottled, throttlesOf } from './login-throttle.ts'
import { verifyPassword } from './password.ts'

/** `path` is the field of the request that held it. Throws HUB_AUTH_FAILED, HUB_AUTH_THROTTLED. */
export async function provePassword(em: Em, agent: Agent, ip: string, password: string, path: string): Promise<void> {
  const keys = await throttlesOf(em, { email: agent.email, agentId: agent.id, ip })
  await refuseThrottled(em, keys)
  if (!(await verifyPassword(agent.passwordHash, password))) {
    await failLogin(em, keys)
    throw new HubError('HUB_AUTH_FAILED', 'The password is wrong', { reason: 'password', path })
  }
  await forgetFailures(em, keys)
}
