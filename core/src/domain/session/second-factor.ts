/** The second factor at the door: a code of the authenticator, or a recovery code. Each counts once. */
import { randomBytes } from 'node:crypto'
import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { RecoveryCode } from './session.entity.ts'
import { hashToken } from './tokens.ts'
import { totpStepOf } from './totp.ts'

const recoveryCodes = 10
/** Without the letters that are taken for digits. https://www.crockford.com/base32.html */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Which of the two was right, or null. */
export async function useSecondFactor(hub: Hub, em: Em, agent: Agent, code: string): Promise<'totp' | 'recovery' | null> {
  const plain = code.replace(/[\s-]/g, '').toUpperCase()
  if (/^\d{6}$/.test(plain)) {
    const step = await totpStepOf(hub.vault.open(agent.totpSecret ?? ''), plain)
    if (step === null) return null
    // Of two who read the same code over a shoulder, one gets in.
    const used = await em.nativeUpdate(Agent, { id: agent.id, $or: [{ totpStep: null }, { totpStep: { $lt: step } }] }, { totpStep: step })
    return used === 1 ? 'totp' : null
  }
  const used = await em.nativeUpdate(RecoveryCode, { codeHash: hashToken(plain), agentId: agent.id, usedAt: null }, { usedAt: new Date() })
  return used === 1 ? 'recovery' : null
}

/** The password alone opens the door again; in the caller's transaction. False where it did before. */
export async function dropSecondFactor(em: Em, agentId: string): Promise<boolean> {
  await em.nativeDelete(RecoveryCode, { agentId })
  return (await em.nativeUpdate(Agent, { id: agentId, totpSecret: { $ne: null } }, { totpSecret: null, totpStep: null })) > 0
}

/** Fresh ones instead of all earlier ones, in the caller's transaction: `7K3F-…`, shown once. */
export async function renewRecoveryCodes(em: Em, agentId: string): Promise<string[]> {
  // 32 letters: five bits of each byte are a letter without a bias.
  const codes = Array.from({ length: recoveryCodes }, () => [...randomBytes(16)].map((byte) => alphabet[byte & 31]).join(''))
  await em.nativeDelete(RecoveryCode, { agentId })
  await em.insertMany(
    RecoveryCode,
    codes.map((code) => ({ codeHash: hashToken(code), agentId, usedAt: null })),
  )
  return codes.map((code) => (code.match(/.{4}/g) as string[]).join('-'))
}
