/** The first agent of a hub, and the roles everybody starts from. */
import { HubError } from '../../../sdk/errors.ts'
import { dropLease, takeLease } from '../../db/lease.ts'
import type { Em } from '../../db/orm.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { tellOfInbox, writeStarterInboxes } from '../inbox/create-inbox.ts'
import { Role } from '../role/role.entity.ts'
import { checkPassword, hashPassword } from '../session/password.ts'
import { type Language, writeHubLanguage } from '../setting/hub-language.ts'
import { Agent, AgentRole } from './agent.entity.ts'

export async function ownerExists(em: Em): Promise<boolean> {
  const owner = await em.findOne(Role, { builtin: 'owner' }, { disableIdentityMap: true })
  return owner !== null && (await em.count(AgentRole, { roleId: owner.id })) > 0
}

/** Throws HUB_SETUP_DONE when there is an owner already, HUB_PASSWORD_WEAK. */
export async function createOwner(hub: Hub, input: { name: string; email: string; password: string; locale?: 'zh' | 'en' }): Promise<Agent> {
  const email = input.email.trim().toLowerCase()
  checkPassword(input.password, email)
  const passwordHash = await hashPassword(input.password)
  const em = hub.em()
  // Two browsers may fill the set-up page at once: one wins.
  const turn = newId()
  if (!(await takeLease(em, 'setup', turn, 10_000))) throw new HubError('HUB_SETUP_DONE', 'This hub is being set up elsewhere')
  try {
    if (await ownerExists(em)) throw new HubError('HUB_SETUP_DONE', 'This hub has its owner already')
    const role = await em.findOneOrFail(Role, { builtin: 'owner' })
    const agent = newAgent({ email, name: input.name, passwordHash, locale: input.locale ?? 'zh' })
    // All or nothing: an owner without the starter inboxes would never get them, since the set-up page comes once.
    const inboxes = await em.transactional(async (tx) => {
      await tx.insert(Agent, agent)
      await tx.insert(AgentRole, { agentId: agent.id, roleId: role.id })
      await writeHubLanguage(tx as Em, agent.locale as Language)
      return writeStarterInboxes(hub, tx as Em, agent.locale as Language)
    })
    for (const inbox of inboxes) tellOfInbox(hub, inbox)
    return agent
  } finally {
    // Else who tries again after a fault would be told that somebody else is at it.
    await dropLease(em, 'setup', turn)
  }
}

export function newAgent(fields: Partial<Agent> & Pick<Agent, 'email' | 'name'>): Agent {
  return {
    id: newId(),
    displayName: '',
    passwordHash: null,
    totpSecret: null,
    totpStep: null,
    departmentId: null,
    presence: 'offline',
    seenAt: null,
    capacity: 10,
    openCount: 0,
    lastAssignedAt: null,
    active: true,
    locale: 'zh',
    accessVersion: 0,
    createdAt: new Date(),
    ...fields,
  } as Agent
}
