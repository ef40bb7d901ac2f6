/**
 * Notices: something people ought to know. Whom one is for is an audience, all who hold a permission or single agents,
 * and it is asked when the notice is read: who gets the right tomorrow sees it, who loses it does not.
 */
import type { LocalText } from '../../../sdk/channel.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { NoticeInput } from '../../../sdk/plugin.ts'
import { splitPermission } from '../../access/ability.ts'
import type { Em } from '../../db/orm.ts'
import { newId } from '../../db/types.ts'
import type { Actor } from '../../http/auth.ts'
import type { Hub } from '../../hub.ts'
import { Agent } from '../agent/agent.entity.ts'
import { allPermissions } from '../role/role.routes.ts'
import { Notice, NoticeRead } from './notice.entity.ts'

const keepMs = 90 * 86_400_000
const mostAgents = 500

const ofPermission = (permission: string): string => `permission:${permission}`
const ofAgent = (agentId: string): string => `agent:${agentId}`

/** Whose notices they see. A preview sees what the role would, not the agent's own. */
export function audiencesOf(hub: Hub, actor: Actor): string[] {
  const held = allPermissions(hub).flatMap(({ name }) => (actor.ability.can(...splitPermission(name)) ? [ofPermission(name)] : []))
  return actor.preview || actor.tokenId ? held : [ofAgent(actor.agent.id), ...held]
}

/** Is one of these audiences theirs? The same question without the list of all permissions, for sockets. */
export function isFor({ ability, agent, preview, tokenId }: Actor, audience: string): boolean {
  const [kind, name] = [audience.slice(0, audience.indexOf(':')), audience.slice(audience.indexOf(':') + 1)]
  return kind === 'permission' ? ability.can(...splitPermission(name)) : !preview && !tokenId && name === agent.id
}

/**
 * Writes a notice in the caller's transaction; returns the audiences to tell after it (`tellNotices`). With a `key` it
 * stays one notice until it ends: raised again, only its words change. Raised twice at once one of the transactions
 * fails on the key: the caller runs it again (`retryOnConflict`). Throws HUB_REQUEST_INVALID.
 */
export async function writeNotice(em: Em, input: NoticeInput): Promise<string[]> {
  const refuse = (what: string) => new HubError('HUB_REQUEST_INVALID', `This is no notice: ${what}`)
  const { to, kind, key, level = 'info', link = null } = input
  if (!/^[a-z][\w.-]{0,99}$/.test(kind)) throw refuse('its kind')
  if (key !== undefined && !/^[\w.:-]{1,100}$/.test(key)) throw refuse('its key')
  // A path of this site: nobody is led elsewhere by a bell.
  if (link !== null && !/^\/(?![/\\])[\x21-\x7e]{0,299}$/.test(link)) throw refuse('its link')
  if (!input.title.zh || !input.title.en) throw refuse('its title in both languages')
  if ('agentIds' in to && to.agentIds.length > mostAgents) throw refuse(`more than ${mostAgents} agents`)
  const audiences = 'permission' in to ? [ofPermission(to.permission)] : await agentsOf(em, to.agentIds)
  const words = { level, title: cut(input.title, 200), body: input.body ? cut(input.body, 2_000) : null, link }
  for (const audience of audiences) {
    const openKey = key === undefined ? null : `${openPrefix(kind, key)}${audience}`
    // Found first, changed by its id after: changing a missing row locks the gap and dead-locks with who does the same.
    const open = openKey === null ? null : await em.findOne(Notice, { openKey }, { fields: ['id'], disableIdentityMap: true })
    if (open) await em.nativeUpdate(Notice, { id: open.id }, words)
    else await em.insert(Notice, { id: newId(), audience, kind, openKey, ...words, createdAt: new Date(), endedAt: null })
  }
  await forgetOld(em)
  return audiences
}

/** What it was about has mended; returns the audiences to tell. */
export async function endNotice(em: Em, kind: string, key: string): Promise<string[]> {
  const prefix = openPrefix(kind, key)
  const open = await em.find(Notice, { openKey: { $gte: prefix, $lt: `${prefix}\u{10ffff}` } }, { limit: mostAgents, disableIdentityMap: true })
  if (open.length === 0) return []
  await em.nativeUpdate(Notice, { id: { $in: open.map(({ id }) => id) } }, { openKey: null, endedAt: new Date() })
  return open.map(({ audience }) => audience)
}

/** Those who are there look; nothing of the notice travels. */
export function tellNotices(hub: Hub, audiences: readonly string[]): void {
  if (audiences.length > 0) hub.bus.publish('notices.changed', { audiences })
}
export const tellAgent = (hub: Hub, agentId: string): void => tellNotices(hub, [ofAgent(agentId)])

const openPrefix = (kind: string, key: string): string => `${kind}/${key}/`
const cut = ({ zh, en }: LocalText, most: number): LocalText => ({ zh: [...zh].slice(0, most).join(''), en: [...en].slice(0, most).join('') })

async function agentsOf(em: Em, ids: readonly string[]): Promise<string[]> {
  const rows = await em.find(Agent, { id: { $in: [...ids] }, active: true }, { fields: ['id'], disableIdentityMap: true })
  return rows.map(({ id }) => ofAgent(id))
}

/** A new one clears a few of the oldest away, so that they never become many. What is still open stays. */
async function forgetOld(em: Em): Promise<void> {
  const old = await em.find(
    Notice,
    { createdAt: { $lt: new Date(Date.now() - keepMs) }, openKey: null },
    { orderBy: { createdAt: 'asc' }, limit: 20, fields: ['id'], disableIdentityMap: true },
  )
  if (old.length === 0) return
  const ids = old.map(({ id }) => id)
  await em.nativeDelete(NoticeRead, { noticeId: { $in: ids } })
  await em.nativeDelete(Notice, { id: { $in: ids } })
}
