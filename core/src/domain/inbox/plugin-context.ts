/** What the core puts into a plugin's hand: the clauses of `PluginContext` that need the hub. */
import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { ChannelInbox, InboundEvent, InboxHealth } from '../../../sdk/channel.ts'
import type { Asker } from '../../../sdk/contacts.ts'
import type { Desk } from '../../../sdk/desk.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { HubEventName, HubEvents, MessageFacts } from '../../../sdk/events.ts'
import type { MessagePart } from '../../../sdk/message-parts.ts'
import type { OutletTarget } from '../../../sdk/outlets.ts'
import type { NoticeInput, PluginContext } from '../../../sdk/plugin.ts'
import type { RecordReader } from '../../../sdk/records.ts'
import { splitPermission } from '../../access/ability.ts'
import { maySee } from '../../access/mask.ts'
import { maskField } from '../../access/mask-field.ts'
import { maskText } from '../../access/mask-text.ts'
import { whereAllowed } from '../../access/scope.ts'
import { holdLease } from '../../db/lease.ts'
import type { Em } from '../../db/orm.ts'
import { retryOnConflict } from '../../db/retry.ts'
import { columnsOf, readRaw, rowOf, sql, stored } from '../../db/statements.ts'
import { actorOf } from '../../http/auth.ts'
import type { Hub } from '../../hub.ts'
import { enqueueJob } from '../../queue/jobs.ts'
import { outletTo } from '../../storage/outlet.ts'
import { blobsOf } from '../../storage/plugin-blobs.ts'
import { findReadableContact, tellContactView } from '../contact/contact.routes.ts'
import { contactHand } from '../contact/fields.ts'
import { tellEvents } from '../conversation/change.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { messageFacts } from '../conversation/facts.ts'
import { inboxKey } from '../file/claim-files.ts'
import { StoredFile } from '../file/file.entity.ts'
import { maxChannelFileBytes, partOf, storeFile } from '../file/store-file.ts'
import { Message } from '../message/message.entity.ts'
import { endNotice, tellNotices, writeNotice } from '../notice/raise-notice.ts'
import { accessOf, recordsFor, seeing } from '../record/read-records.ts'
import { tablesFor } from '../record/read-tables.ts'
import { openInbox, unlock, withoutSecrets } from './channels.ts'
import { Inbox } from './inbox.entity.ts'
import { tellHealth } from './inbox-health.ts'

type Base = Pick<PluginContext, 'id' | 'settings' | 'log' | 'sign' | 'seal' | 'unseal'>

export function pluginContext(hub: Hub, desk: Desk, base: Base): PluginContext {
  const own = {
    get publicUrl() {
      return hub.publicUrl()
    },
    em: hub.em,
    desk,
    accept: (inboxId: string, events: InboundEvent[]) => hub.intake.accept(inboxId, events),
    inbox: async (inboxId: string): Promise<ChannelInbox | undefined> => {
      const inbox = await openInbox(hub, inboxId).catch(withoutSecrets)
      return inbox?.enabled && inbox.channel === base.id ? inbox.forAdapter : undefined
    },
    inboxes: async () => {
      const rows = await hub.em().find(Inbox, { channel: base.id, enabled: true }, { orderBy: { createdAt: 'asc' }, limit: 500, disableIdentityMap: true })
      return rows.flatMap((row) => {
        try {
          return [unlock(hub, row).forAdapter]
        } catch (error) {
          return withoutSecrets(error) ?? []
        }
      })
    },
    push: (room: string, event: string, data: unknown) => hub.bus.publish('plugin.push', { plugin: base.id, room, event, data }),
    enqueue: (job: string, data: unknown, options?: { key?: string; delayMs?: number }) => enqueueJob(hub, base.id, job, data, options),
    lock: <T>(name: string, ms: number, work: () => Promise<T>) => holdLease(() => hub.em(), lockName(base.id, name), ms, work),
    health: (inboxId: string, health: InboxHealth) => tellHealth(hub, base.id, inboxId, health),
    notify: async (notice: NoticeInput) => {
      const named = { ...notice, kind: `${base.id}.${notice.kind}` }
      const audiences = await retryOnConflict(() => hub.em().transactional((tx) => writeNotice(tx as Em, named)))
      tellNotices(hub, audiences)
    },
    endNotice: async (kind: string, key: string) => tellNotices(hub, await endNotice(hub.em(), `${base.id}.${kind}`, key)),
    may: async (agentId: string, permission: string) => (await hub.access.of(agentId))?.ability.can(...splitPermission(permission)) ?? false,
    records: recordsFor(hub),
    tables: tablesFor(hub),
    blobs: blobsOf(hub, base.id),
    outlet: (target: OutletTarget) => outletTo(hub.env, target),
    tell: (name: string, data: Record<string, unknown>) => tellOwn(hub, base.id, name, data),
    file: (fileId: string) => ownFile(hub, base.id, fileId),
    contacts: contactHand(hub, base.id),
    asker: (request: FastifyRequest) => askerOf(hub, request),
    masksFor: (reader: RecordReader) => masksFor(hub, reader),
    recent: (conversationId: string, options: { upToSeq: number; limit: number; since?: Date }) => recentMessages(hub, conversationId, options),
    whereIs: (inboxId: string, externalId: string) => whereIs(hub, base.id, inboxId, externalId),
    news: (conversationId: string) => hub.bus.publish('plugin.news', { plugin: base.id, conversationId }),
    storeFile: (inboxId: string, upload: Parameters<PluginContext['storeFile']>[1]) => takeFile(hub, base.id, inboxId, upload),
  }
  return Object.defineProperties(own, Object.getOwnPropertyDescriptors(base)) as unknown as PluginContext
}

/** Most conversations one question may be about. */
const mostAsked = 500

function askerOf(hub: Hub, request: FastifyRequest): Asker {
  const actor = actorOf(request)
  return {
    agentId: actor.agent.id,
    can: (permission) => actor.ability.can(...splitPermission(permission)),
    maySee: (field) => maySee(actor.ability, field),
    mask: (field, value) => maskField(actor.ability, field, value),
    maskText: (text) => maskText(actor.ability, text),
    async conversations(ids) {
      const allowed = whereAllowed(actor.ability, 'read', 'conversation')
      if (!allowed || ids.length === 0) return []
      const rows = await hub
        .em()
        .find(Conversation, { $and: [{ id: { $in: ids.slice(0, mostAsked) } }, allowed] }, { fields: ['id'], disableIdentityMap: true })
      return rows.map(({ id }) => id)
    },
    async contact(id) {
      const em = hub.em()
      const contact = await findReadableContact(em, actor, id)
      await tellContactView(hub, em, actor, contact.id)
      return contact.id
    },
  }
}

async function masksFor(hub: Hub, reader: RecordReader): Promise<Pick<Asker, 'maySee' | 'mask' | 'maskText'>> {
  const ability = seeing(await accessOf(hub, reader), reader)
  return {
    maySee: (field) => maySee(ability, field),
    mask: (field, value) => maskField(ability, field, value),
    maskText: (text) => maskText(ability, text),
  }
}

const mostRecent = 50

async function recentMessages(
  hub: Hub,
  conversationId: string,
  { upToSeq, limit, since }: { upToSeq: number; limit: number; since?: Date },
): Promise<MessageFacts[]> {
  // Prepared: a plugin that reads along asks with every message.
  const em = hub.em()
  const from = since ? sql`and m.created_at >= ${stored(em, Message, 'createdAt', since)}` : sql``
  const last = { text: `limit ${Math.max(0, Math.min(Math.trunc(limit), mostRecent))}`, params: [] }
  const rows = await readRaw<{ contact: string; identity: string }>(
    em,
    sql`select ${columnsOf(em, Message, 'm')}, c.contact_id as contact, c.identity_id as identity from message m join conversation c on c.id = m.conversation_id
        where m.conversation_id = ${conversationId} and m.seq <= ${upToSeq} ${from} order by m.seq desc ${last}`,
  )
  return rows
    .map((row) => ({ message: rowOf(em, Message, row), whose: { contactId: row.contact, identityId: row.identity } }))
    .filter(({ message }) => !message.recalledAt)
    .reverse()
    .map(({ message, whose }) => messageFacts(message, whose))
}

async function whereIs(hub: Hub, channel: string, inboxId: string, externalId: string): ReturnType<PluginContext['whereIs']> {
  const em = hub.em()
  if ((await em.count(Inbox, { id: inboxId, channel })) === 0) return undefined
  const fields = ['id', 'conversationId', 'seq'] as const
  const message = await em.findOne(Message, { inboxId, dedupeKey: `in:${externalId}` }, { fields, disableIdentityMap: true })
  return message ? { conversationId: message.conversationId, messageId: message.id, seq: message.seq } : undefined
}

const lockName = (plugin: string, name: string): string => `lock:${plugin}:${createHash('sha256').update(name).digest('hex').slice(0, 40)}`

/** What listeners keep is small: they fetch what they want more of. */
const mostEventBytes = 16_384

async function tellOwn(hub: Hub, plugin: string, name: string, data: Record<string, unknown>): Promise<void> {
  const full = `${plugin}.${name}`
  if (!/^[a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)*$/.test(name) || full.length > 60)
    throw new HubError('HUB_REQUEST_INVALID', `"${name}" cannot be an event's name: letters and digits, at most 60 with the plugin's id`)
  if (Buffer.byteLength(JSON.stringify(data)) > mostEventBytes)
    throw new HubError('HUB_REQUEST_INVALID', `The event ${full} is larger than ${mostEventBytes} bytes`)
  await retryOnConflict(() => tellEvents(hub, [{ name: full as HubEventName, data: data as unknown as HubEvents[HubEventName] }]))
}

/** A file of a conversation in one of this channel's inboxes, or one that it brought itself. */
async function ownFile(hub: Hub, channel: string, fileId: string) {
  const em = hub.em()
  const file = await em.findOne(StoredFile, { id: fileId }, { disableIdentityMap: true })
  if (!file) return undefined
  const mine = file.conversationId
    ? await em.count(Conversation, { id: file.conversationId, channel })
    : file.uploadedBy.startsWith(inboxKey('')) && (await em.count(Inbox, { id: file.uploadedBy.slice(inboxKey('').length), channel }))
  if (!mine) return undefined
  return {
    name: file.name,
    mime: file.mime,
    size: file.size,
    async open() {
      const stream = await hub.files.read(file.hash)
      if (!stream) throw new HubError('HUB_NOT_FOUND', 'The bytes of this file are gone')
      return stream
    },
  }
}

async function takeFile(hub: Hub, channel: string, inboxId: string, upload: Parameters<PluginContext['storeFile']>[1]): Promise<MessagePart> {
  const inbox = await hub.intake.inbox(inboxId)
  if (inbox?.channel !== channel) throw new HubError('HUB_NOT_FOUND', 'There is no such inbox')
  const { name, bytes, as } = upload
  const file = await storeFile(hub, { name, bytes, uploadedBy: inboxKey(inboxId), voice: as === 'audio', maxBytes: maxChannelFileBytes })
  return partOf(file, { as })
}
