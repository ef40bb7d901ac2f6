/** The bell: what this person ought to know, newest first, and what of it they have read. */
import { raw } from '@mikro-orm/core'
import { Ok, PageQuery } from '../../../sdk/wire/common.ts'
import { NoticePage, NoticesRead } from '../../../sdk/wire/notice.ts'
import { maskDeep } from '../../access/mask-text.ts'
import { takenWords } from '../../access/taken-words.ts'
import { decodeCursor, encodeCursor } from '../../db/keyset.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Notice, NoticeRead } from './notice.entity.ts'
import { audiencesOf, tellAgent } from './raise-notice.ts'

const mostUnread = 99
const mostAtOnce = 1_000

export function noticeRoutes(app: App, hub: Hub): void {
  const config = { access: 'person' as const }

  app.get('/api/notices', { config, schema: { querystring: PageQuery, response: { 200: NoticePage } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const { cursor, limit = 20 } = request.query
    const audiences = audiencesOf(hub, actor)
    const before = cursor ? { id: { $lt: decodeCursor(cursor, 'word')[0] } } : {}
    const rows = await em.find(
      Notice,
      { audience: { $in: audiences }, ...fromWhoIsHere(hub), ...before },
      { orderBy: { id: 'desc' }, limit: limit + 1, disableIdentityMap: true },
    )
    const page = rows.slice(0, limit)
    const reads = await em.find(NoticeRead, { agentId: actor.agent.id, noticeId: { $in: page.map(({ id }) => id) } }, { disableIdentityMap: true })
    const read = new Set(reads.map(({ noticeId }) => noticeId))
    const last = rows.length > limit ? page.at(-1) : undefined
    return {
      items: page.map((row) => ({
        id: row.id,
        kind: row.kind,
        level: row.level,
        title: maskDeep(actor.ability, row.title),
        body: row.body ? maskDeep(actor.ability, row.body) : null,
        link: row.link ?? null,
        at: row.createdAt.toISOString(),
        endedAt: row.endedAt?.toISOString() ?? null,
        read: read.has(row.id),
      })),
      cursor: last ? encodeCursor([last.id]) : null,
      unread: (await unreadOf(hub, actor.agent.id, audiences, mostUnread, { open: true })).length,
    }
  })

  // Marks what is theirs; an id of another's is nobody's business and changes nothing.
  app.post('/api/notices/read', { config, schema: { summary: 'Mark notices as read', body: NoticesRead, response: { 200: Ok } } }, async (request) => {
    const actor = actorOf(request)
    const em = hub.em()
    const { body } = request
    const audiences = audiencesOf(hub, actor)
    const ids =
      'ids' in body
        ? (
            await em.find(Notice, { id: { $in: body.ids }, audience: { $in: audiences }, ...fromWhoIsHere(hub) }, { fields: ['id'], disableIdentityMap: true })
          ).map(({ id }) => id)
        : await unreadOf(hub, actor.agent.id, audiences, mostAtOnce, { upTo: body.upTo })
    if (ids.length === 0) return { ok: true as const }
    await em.upsertMany(
      NoticeRead,
      ids.map((noticeId) => ({ agentId: actor.agent.id, noticeId })),
      { onConflictAction: 'ignore' },
    )
    tellAgent(hub, actor.agent.id)
    return { ok: true as const }
  })
}

/** A plugin that is off leaves nothing to be seen: its notices come back with it. Of a kind the first word says whose it is. */
const firstWord = (column: string): string => `substr(${column}, 1, instr(${column}, '.') - 1)`
const wordsHere = (hub: Hub): string[] => [...takenWords, ...hub.kernel.running().map(({ manifest }) => manifest.id)]
const fromWhoIsHere = (hub: Hub) => ({ [raw(firstWord('kind'))]: { $in: wordsHere(hub) } })

/** Ids of what this agent has not read, `most` at most. */
async function unreadOf(hub: Hub, agentId: string, audiences: readonly string[], most: number, where: { open: true } | { upTo: string }): Promise<string[]> {
  if (audiences.length === 0) return []
  const words = wordsHere(hub)
  const among = (values: readonly string[]) => `(${values.map(() => '?').join(', ')})`
  const [condition, value] = 'open' in where ? ['n.ended_at is null', []] : ['n.id <= ?', [where.upTo]]
  const rows = (await hub.em().execute(
    `select n.id as id from notice n left join notice_read r on r.agent_id = ? and r.notice_id = n.id
     where n.audience in ${among(audiences)} and ${firstWord('n.kind')} in ${among(words)} and ${condition} and r.notice_id is null limit ${most}`,
    [agentId, ...audiences, ...words, ...value],
  )) as { id: string }[]
  return rows.map(({ id }) => id)
}
