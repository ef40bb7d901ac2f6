/**
 * What may be sent where a platform lets us write only as an answer. Inbound events grant it, storing a message uses
 * it, a shut window ends it. Kept on the identity (the window is one customer's of one inbox, whatever conversation is
 * open), copied to the conversation so that lists and pushes carry it. The hub's clock decides.
 */
import { LockMode } from '@mikro-orm/core'
import type { ReplyGrant } from '../../../sdk/channel.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { Em } from '../../db/orm.ts'
import { Identity } from '../contact/contact.entity.ts'
import type { Conversation } from './conversation.entity.ts'

export interface Grant {
  name: string
  /** Milliseconds since 1970. */
  until: number
  /** Messages; null = no count. */
  left: number | null
}

/** Grants with a new one: it replaces the one of its name, unless that one lasts longer (events come out of order). */
export function withGrant(grants: readonly Grant[], { name, ms, count }: ReplyGrant, eventAt: Date, now = Date.now()): Grant[] {
  // A platform's clock that is ahead lengthens nothing.
  const grant = { name: name.slice(0, 60), until: Math.min(eventAt.getTime(), now) + ms, left: count ?? null }
  const live = grants.filter(({ until }) => until > now)
  const old = live.find((known) => known.name === grant.name)
  if (grant.until <= now || (old && old.until > grant.until)) return live
  return [...live.filter((known) => known !== old), grant].sort((a, b) => a.until - b.until)
}

/** Uses one: the grant that ends first. Undefined when nothing is left. */
export function useGrant(grants: readonly Grant[], now = Date.now()): { grants: Grant[]; name: string } | undefined {
  const used = grants.filter(({ until, left }) => until > now && left !== 0).sort((a, b) => a.until - b.until)[0]
  if (!used) return undefined
  return { grants: grants.map((grant) => (grant === used && grant.left !== null ? { ...grant, left: grant.left - 1 } : grant)), name: used.name }
}

/** Until when and how many, of what lasts now: `until` null = shut, `left` null = no count. */
export function windowOf(grants: readonly Grant[] | null | undefined, now = Date.now()): { until: number | null; left: number | null } {
  if (!grants) return { until: null, left: null }
  const live = grants.filter(({ until }) => until > now)
  if (live.length === 0) return { until: null, left: 0 }
  const left = live.reduce<number | null>((sum, grant) => (sum === null || grant.left === null ? null : sum + grant.left), 0)
  return { until: Math.max(...live.map(({ until }) => until)), left }
}

/**
 * Changes an identity's grants under its lock, and the copy of the conversation at hand. Callers hold the conversation's
 * lock first, so that nobody waits in a circle.
 */
export async function changeGrants(em: Em, identityId: string, conversation: Conversation | undefined, change: (grants: Grant[]) => Grant[]): Promise<void> {
  const identity = await em.findOneOrFail(
    Identity,
    { id: identityId },
    { fields: ['grants'], lockMode: LockMode.PESSIMISTIC_WRITE, disableIdentityMap: true, refresh: true },
  )
  const grants = change(identity.grants ?? [])
  await em.nativeUpdate(Identity, { id: identityId }, { grants })
  if (conversation) conversation.grants = grants
}

/** One message's worth of the window, for a message that is being stored. Throws HUB_REPLY_WINDOW. Returns the grant's name. */
export async function takeReply(em: Em, conversation: Conversation): Promise<string> {
  let name = ''
  await changeGrants(em, conversation.identityId, conversation, (grants) => {
    const used = useGrant(grants)
    if (!used) {
      const { until } = windowOf(grants)
      throw new HubError('HUB_REPLY_WINDOW', 'The platform lets us write only as an answer, and nothing is left', { reason: until === null ? 'time' : 'count' })
    }
    name = used.name
    return used.grants
  })
  return name
}

/** Gives back what a message used that the platform never took. */
export const giveBackReply = (em: Em, conversation: Conversation, name: string): Promise<void> =>
  changeGrants(em, conversation.identityId, conversation, (grants) =>
    grants.map((grant) => (grant.name === name && grant.left !== null ? { ...grant, left: grant.left + 1 } : grant)),
  )

/** Platform messages beyond the first one that a message took: as many as there are. */
export const takeMore = (em: Em, conversation: Conversation, count: number): Promise<void> =>
  changeGrants(em, conversation.identityId, conversation, (grants) => {
    let left = grants
    for (let i = 0; i < count; i++) left = useGrant(left)?.grants ?? left
    return left
  })

/** The platform says that it is shut, whatever we counted. */
export const shutWindow = (em: Em, conversation: Conversation): Promise<void> => changeGrants(em, conversation.identityId, conversation, () => [])
