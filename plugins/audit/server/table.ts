/** The log as a list that others may take out of the hub (`ctx.tables`): newest first, up to the entry of that very taking. */
import type { TableDeclaration } from '@huike/core/sdk/tables.ts'
import { type Static, Type } from 'typebox'
import { Entry } from './audit.entity.ts'
import { findMark } from './chain.ts'
import { agentNames } from './names.ts'
import { beforeCursor, Filter, newest, shownTo, whereOf, writeCursor } from './routes.ts'
import type { Ctx } from './settings.ts'

const page = 500
const column = (key: string, zh: string, en: string, kind?: 'number' | 'time') => ({ key, label: { zh, en }, ...(kind ? { kind } : {}) })

export const entriesTable: TableDeclaration<Ctx> = {
  label: { zh: '审计日志', en: 'Audit log' },
  permission: 'audit.read',
  filter: Type.Object(Filter.properties, { additionalProperties: false }),
  columns: [
    column('seq', '序号', 'No.', 'number'),
    column('at', '时间', 'Time', 'time'),
    column('who', '谁', 'Who'),
    column('agentId', '成员编号', 'Agent id'),
    column('ip', 'IP 地址', 'IP address'),
    column('event', '操作', 'Deed'),
    column('subjectKind', '对象', 'Subject'),
    column('subject', '对象编号', 'Subject id'),
    column('count', '数量', 'Count', 'number'),
    column('reason', '理由', 'Reason'),
    column('details', '细节', 'Details'),
    column('token', '令牌', 'Token'),
    column('hash', '校验值', 'Hash'),
  ],
  async *keys({ agentId }, filter, ctx) {
    const until = (await findMark(ctx.em(), 'head'))?.seq ?? 0
    await ctx.tell('exported', { filter, byAgentId: agentId })
    let cursor: string | undefined
    do {
      const where = { $and: [whereOf(filter as Static<typeof Filter>), { seq: { $lte: until } }, beforeCursor(cursor)] }
      const rows = await ctx.em().find(Entry, where, { ...newest, fields: ['seq', 'at'], limit: page })
      if (rows.length > 0) yield rows.map(({ seq }) => String(seq))
      const last = rows.at(-1)
      cursor = rows.length === page && last ? writeCursor(last) : undefined
    } while (cursor)
  },
  async read(reader, keys, ctx) {
    const masks = await ctx.masksFor(reader)
    const em = ctx.em()
    const rows = await em.find(Entry, { seq: { $in: keys.map(Number) } }, { disableIdentityMap: true })
    const named = await agentNames(
      em,
      rows.flatMap(({ agentId, subjectKind, subjectId }) => [...(agentId ? [agentId] : []), ...(subjectKind === 'agent' ? [subjectId] : [])]),
    )
    const bySeq = new Map(rows.map((row) => [String(row.seq), row]))
    return keys.flatMap((key) => {
      const row = bySeq.get(key)
      if (!row) return []
      const { seq, at, agentId, tokenId, ip, event, subjectKind, subjectId, count, reason, details, hash } = row
      const who = agentId ? (named.get(agentId) ?? agentId) : ''
      return [
        {
          seq,
          at: at.toISOString(),
          who,
          agentId: agentId ?? '',
          ip,
          event,
          subjectKind,
          subject: named.get(subjectId) ?? subjectId,
          count: count ?? null,
          reason: masks.maskText(reason),
          details: JSON.stringify(shownTo(masks, JSON.parse(details))),
          token: tokenId ?? null,
          hash,
        },
      ]
    })
  },
}
