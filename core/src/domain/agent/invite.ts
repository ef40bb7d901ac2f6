/** A link that lets one person in, once: a new colleague, or somebody who has lost their password. */
import type { Em } from '../../db/orm.ts'
import { newId } from '../../db/types.ts'
import { hashToken, newToken } from '../session/tokens.ts'
import { Invitation } from './agent.entity.ts'

const validMs = 7 * 86_400_000

/** The token of the link; only its hash is kept. */
export async function invite(em: Em, agentId: string): Promise<string> {
  const token = newToken()
  const now = new Date()
  await em.insert(Invitation, {
    id: newId(),
    agentId,
    tokenHash: hashToken(token),
    createdAt: now,
    expiresAt: new Date(now.getTime() + validMs),
    usedAt: null,
  })
  return token
}

export const joinLink = (publicUrl: string, token: string): string => `${publicUrl}/admin/join/${token}`
