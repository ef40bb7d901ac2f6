/** What the core puts into a plugin's hand: the clauses of `PluginContext` that need the hub. */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChannelInbox, InboundEvent, InboxHealth } from '../../../sdk/channel.ts'
import type { Desk } from '../../../sdk/desk.ts'
import { HubError } from '../../../sdk/errors.ts'
import type { MessagePart } from '../../../sdk/message-parts.ts'
import type { PluginContext } from '../../../sdk/plugin.ts'
import { dropLease, takeLease } from '../../db/lease.ts'
import { newId } from '../../db/types.ts'
import type { Hub } from '../../hub.ts'
import { enqueueJob } from '../../queue/jobs.ts'
import { Conversation } from '../conversation/conversation.entity.ts'
import { inboxKey } from '../file/claim-files.ts'
import { StoredFile } from '../file/file.entity.ts'
import { partOf, storeFile } from '../file/store-file.ts'
import { openInbox, unlock } from './channels.ts'
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
      const inbox = await openInbox(hub, inboxId)
      return inbox?.enabled && inbox.channel === base.id ? inbox.forAdapter : undefined
    },
    inboxes: async () => {
      const rows = await hub.em().find(Inbox, { channel: base.id, enabled: true }, { orderBy: { createdAt: 'asc' }, limit: 500, disableIdentityMap: true })
      return rows.map((row) => unlock(hub, row).forAdapter)
    },
    push: (room: string, event: string, data: unknown) => hub.bus.publish('plugin.push', { plugin: base.id, room, event, data }),
    enqueue: (job: string, data: unknown, options?: { key?: string; delayMs?: number }) => enqueueJob(hub, base.id, job, data, options),
    lock: <T>(name: string, ms: number, work: () => Promise<T>) => holdLock(hub, base.id, name, ms, work),
    health: (inboxId: string, health: InboxHealth) => tellHealth(hub, base.id, inboxId, health),
    file: (fileId: string) => ownFile(hub, base.id, fileId),
    storeFile: (inboxId: string, upload: Parameters<PluginContext['storeFile']>[1]) => takeFile(hub, base.id, inboxId, upload),
  }
  return Object.defineProperties(own, Object.getOwnPropertyDescriptors(base)) as unknown as PluginContext
}

/** Asked again this often whether it is our turn. */
const turnEveryMs = 25

async function holdLock<T>(hub: Hub, plugin: string, name: string, ms: number, work: () => Promise<T>): Promise<T> {
  // A holder of its own for each call: two calls of one process exclude each other too.
  const holder = newId()
  const lease = `lock:${plugin}:${createHash('sha256').update(name).digest('hex').slice(0, 40)}`
  const end = Date.now() + ms
  while (!(await takeLease(hub.em(), lease, holder, ms))) {
    if (Date.now() > end) throw new HubError('HUB_CONFLICT', `${plugin} did not get its turn for ${name}`)
    await sleep(turnEveryMs + Math.random() * turnEveryMs)
  }
  try {
    return await work()
  } finally {
    await dropLease(hub.em(), lease, holder)
  }
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
  const file = await storeFile(hub, { name: upload.name, bytes: upload.bytes, uploadedBy: inboxKey(inboxId), voice: upload.as === 'audio' })
  return partOf(file, { as: upload.as })
}
