/** The attachment wall: of one record, and of all that a filter finds; either can be taken along as one zip. */
import { Type } from 'typebox'
import { HubError } from '../../../sdk/errors.ts'
import { IdParams } from '../../../sdk/wire/common.ts'
import { Attachment, AttachmentKind, AttachmentPage, mostTicked, mostZipped, type RecordFilter } from '../../../sdk/wire/record.ts'
import { may } from '../../access/ability.ts'
import { actorOf } from '../../http/auth.ts'
import type { App } from '../../http/server.ts'
import type { Hub } from '../../hub.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { findReadable, findViewable, tellView } from '../conversation/conversation.routes.ts'
import { tellOnce } from '../conversation/tell-once.ts'
import { StoredFile } from '../file/file.entity.ts'
import { FilterQuery, ListQuery, readFilter, searchOf, toldFilter } from './find/find.routes.ts'
import { countMatching, findRecords } from './find/find-records.ts'
import { checkTimeZone } from './find/period.ts'
import { readAttachments } from './read-attachments.ts'
import { zipFound, zipRecord } from './zip-files.ts'

/** One record's wall. */
const own = { most: 60, reads: 2_000 }
/** Of each record on the wall of a search. */
const ofEach = { most: 12, reads: 600 }
const recordsAtOnce = 20
const kinds: AttachmentKind[] = AttachmentKind.anyOf.map(({ const: kind }) => kind)

export function attachmentRoutes(app: App, hub: Hub): void {
  const config = { access: 'agent' as const }
  const forFiles = { access: { permission: 'file.download' } }
  const zipHeaders = (name: string) => ({
    'content-type': 'application/zip',
    'content-disposition': `attachment; filename="${name}.zip"`,
    'x-content-type-options': 'nosniff',
    'cache-control': 'private, no-store',
  })

  // Newest first; `before` is the number of the last message it showed.
  const WallQuery = Type.Object({ before: Type.Optional(Type.Integer({ minimum: 1 })) })
  const Wall = Type.Object({ items: Type.Array(Attachment), before: Type.Union([Type.Integer(), Type.Null()]) })
  app.get('/api/records/:id/attachments', { config, schema: { params: IdParams, querystring: WallQuery, response: { 200: Wall } } }, async (request) => {
    const em = hub.em()
    const actor = actorOf(request)
    const conversation = await findViewable(em, actor, request.params.id)
    await tellView(hub, actor, conversation)
    return readAttachments(em, actor.ability, conversation, { ...own, before: request.query.before })
  })

  app.get('/api/records/:id/attachments.zip', { config: forFiles, schema: { params: IdParams } }, async (request, reply) => {
    const em = hub.em()
    const actor = actorOf(request)
    const { id } = await findReadable(em, actor, request.params.id)
    const zip = await zipRecord(hub, actor, id)
    if (!zip) throw new HubError('HUB_NOT_FOUND', 'No files were sent in it')
    return reply.headers(zipHeaders(`attachments-${id}`)).send(zip)
  })

  app.get('/api/records/attachments', { config, schema: { querystring: ListQuery, response: { 200: AttachmentPage } } }, async (request) => {
    const { filter, tz, cursor, limit } = request.query
    const actor = actorOf(request)
    const em = hub.em()
    const asked = readFilter(filter)
    const wanted = withAttachments(asked)
    const page = await findRecords(hub, actor, wanted, { tz: checkTimeZone(tz ?? 'UTC'), cursor, limit: Math.min(limit ?? recordsAtOnce, recordsAtOnce) })
    await tellOnce(hub, [searchOf(actor, { filter, cursor }, { filter: toldFilter(asked), shown: page.items.length })])
    const records = []
    for (const { id, contact, lastMessageAt } of page.items) {
      const { items, before } = await readAttachments(em, actor.ability, { id }, { ...ofEach, kinds: wanted.attachments })
      // What was sent may have been taken back since.
      if (items.length > 0) records.push({ id, contact, lastMessageAt, items, more: before !== null })
    }
    return { records, cursor: page.cursor, partial: page.partial }
  })

  const ZipQuery = Type.Object({
    ...FilterQuery.properties,
    /** Some of what was found: ids, divided by commas. */
    ids: Type.Optional(Type.String({ maxLength: mostTicked * 27, pattern: '^[0-9a-z]{26}(,[0-9a-z]{26})*$' })),
  })
  app.get('/api/records/attachments.zip', { config: forFiles, schema: { querystring: ZipQuery } }, async (request, reply) => {
    const { filter, ids } = request.query
    const actor = actorOf(request)
    const wanted = withAttachments(readFilter(filter), ['image', 'file', 'voice', 'video'])
    const tz = checkTimeZone(request.query.tz ?? 'UTC')
    const chosen = ids?.split(',')
    const none = () => new HubError('HUB_NOT_FOUND', 'No files were sent in what was found')
    if (chosen) {
      const readable = (await hub.em().find(Conversation, { id: { $in: chosen } }, { disableIdentityMap: true })).filter((row) =>
        may(actor.ability, 'read', row),
      )
      if ((await hub.em().count(StoredFile, { conversationId: { $in: readable.map(({ id }) => id) } })) === 0) throw none()
    } else {
      const { count, more } = await countMatching(hub, actor, wanted, { tz })
      if (count === 0 && !more) throw none()
      // Not counted to the end in that time it may be too many: then the zip itself says where it was cut.
      if (count > mostZipped) throw new HubError('HUB_RESULT_TOO_LARGE', 'Too many records for one file', { max: mostZipped })
    }
    return reply.headers(zipHeaders('attachments')).send(zipFound(hub, actor, wanted, { tz, ids: chosen }))
  })
}

/** Only records in which something of the kinds was sent: those asked for, else all. */
function withAttachments(filter: RecordFilter, of: readonly AttachmentKind[] = kinds): RecordFilter & { attachments: AttachmentKind[] } {
  const asked = filter.attachments?.filter((kind) => of.includes(kind)) ?? []
  return { ...filter, attachments: asked.length > 0 ? asked : [...of] }
}
