/**
 * What may be sent where a platform lets us write only as an answer. Inbound events grant it, storing a message uses
 * it, a shut window ends it. Kept on the identity (the window is one customer's of one inbox, whatever conversation is
 * open), copied to the conversation so that lists and pushes carry it. The hub's clock decides.
 */
import { LockMode } from '@mikro-orm/core'
import type { ReplyGrant } from '../../../sdk/channel.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { Em } from '../../db/orm.ts'
import { type Grant, Identity, type Reply } from '../contact/contact.entity.ts'
import type { Conversation } from './conversation.entity.ts'

/** Grants with a new one: it replaces the one of its name, unless that one lasts longer (events come out of order). */
export function withGrant(grants: readonly Grant[], { name, ms, count }: ReplyGrant, eventAt: Date, now = Date.now()): Grant[] {
  // A platform's clock that is ahead lengthens nothing.
  const at = Math.min(eventAt.getTime(), now)
  const grant: Grant = { name: name.slice(0, 60), until: at + ms, left: count ?? null, at, ...(count === undefined ? {} : { count }) }
  const live = grants.filter(({ until }) => until > now)
  const old = live.find((known) => known.name === grant.name)
  if (grant.until <= now || (old && old.until > grant.until)) return live
  return [...live.filter((known) => known !== old), grant].sort((a, b) => a.until - b.until)
}

/** Grants without those from before the customer shut the window (unfollowed): what they did after it opens it again. */
export const withoutGrants = (grants: readonly Grant[], shutAt: Date): Grant[] => grants.filter(({ at = 0 }) => at > shutAt.getTime())

const isOf = (grant: Grant, { name, at }: Reply): boolean => grant.name === name && (at === undefined || at === grant.at)

/** Uses one: the grant that ends first, of those that were given by then. Undefined when nothing is left. */
export function useGrant(grants: readonly Grant[], givenBy = Number.POSITIVE_INFINITY): { grants: Grant[]; reply: Reply } | undefined {
  const now = Date.now()
  const used = grants.filter(({ until, left, at = 0 }) => until > now && left !== 0 && at <= givenBy).sort((a, b) => a.until - b.until)[0]
  if (!used) return undefined
  const { name, at } = used
  return {
    grants: grants.map((grant) => (grant === used && grant.left !== null ? { ...grant, left: grant.left - 1 } : grant)),
    reply: { name, ...(at === undefined ? {} : { at }) },
  }
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

/** What one message would use. Throws HUB_REPLY_WINDOW when nothing is left. */
export function requireWindow(grants: readonly Grant[] | null | undefined): NonNullable<ReturnType<typeof useGrant>> {
  const used = useGrant(grants ?? [])
  if (!used) throw tooMany(grants ?? [], 1)
  return used
}

/**
 * Of the window what a message that is being stored needs, one for each of the platform's messages: all of it, or
 * nothing and HUB_REPLY_WINDOW. Returns what was taken, in the order of use.
 */
export async function takeReplies(em: Em, conversation: Conversation, count: number): Promise<Reply[]> {
  const taken: Reply[] = []
  await changeGrants(em, conversation.identityId, conversation, (grants) => {
    let rest = grants
    for (let i = 0; i < count; i++) {
      const used = useGrant(rest)
      if (!used) throw tooMany(grants, count)
      taken.push(used.reply)
      rest = used.grants
    }
    return rest
  })
  return taken
}

function tooMany(grants: readonly Grant[], needed: number): HubError {
  const { until, left } = windowOf(grants)
  if (left) return new HubError('HUB_REPLY_WINDOW', `This takes ${needed} messages and ${left} are left`, { reason: 'pieces', needed, left })
  return new HubError('HUB_REPLY_WINDOW', 'The platform lets us write only as an answer, and nothing is left', { reason: until === null ? 'time' : 'count' })
}

/** Gives back what a message had set aside and the platform never took: to the grant it was of, should that one still last. */
export const giveBackReplies = (em: Em, conversation: Conversation, replies: readonly Reply[]): Promise<void> =>
  changeGrants(em, conversation.identityId, conversation, (grants) =>
    grants.map((grant) => {
      const back = grant.left === null ? 0 : replies.filter((reply) => isOf(grant, reply)).length
      return back === 0 ? grant : { ...grant, left: Math.min((grant.left ?? 0) + back, grant.count ?? Number.POSITIVE_INFINITY) }
    }),
  )

/**
 * Pieces that left at `leftAt`: the platform counts them against what lasted then. What was set aside from a grant that a newer one
 * has replaced since is taken from that one, if it was given before they left; so are those `beyond` what was set aside.
 */
export async function countSent(em: Em, conversation: Conversation, used: readonly Reply[], beyond: number, leftAt: Date): Promise<void> {
  const lasts = (reply: Reply) => conversation.grants?.some((grant) => isOf(grant, reply))
  // Of a conversation that has ended the copy may be old.
  const gone = conversation.status === 'closed' || !used.every(lasts) ? used : []
  if (gone.length + beyond === 0) return
  await changeGrants(em, conversation.identityId, conversation, (grants) =>
    take(grants, beyond + gone.filter((reply) => !grants.some((grant) => isOf(grant, reply))).length, leftAt.getTime()),
  )
}

/** As many as there are. */
function take(grants: Grant[], count: number, givenBy?: number): Grant[] {
  let left = grants
  for (let i = 0; i < count; i++) left = useGrant(left, givenBy)?.grants ?? left
  return left
}

/** What was sent beside all messages. */
export const takeMore = (em: Em, identityId: string, conversation: Conversation | undefined, count: number): Promise<void> =>
  changeGrants(em, identityId, conversation, (grants) => take(grants, count))

/** The platform says that it is shut, whatever we counted. */
export const shutWindow = (em: Em, conversation: Conversation): Promise<void> => changeGrants(em, conversation.identityId, conversation, () => [])
