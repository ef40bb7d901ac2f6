/** Deletes for good what the recycle bin or a retention rule has done with: rows and files, a few conversations at a time. */
import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { ContactField } from '../contact/contact.entity.ts'
import { writeEvents } from '../conversation/change.ts'
import { Assignment, Conversation, ConversationAgent, ConversationTag, Draft, Star } from '../conversation/conversation.entity.ts'
import { dropFiles } from '../file/drop-file.ts'
import { CallMessage, Message, MessageName, Outbound, RemoteFetch } from '../message/message.entity.ts'
import { replaceFacts } from '../report/keep-reports.ts'
import { forgetMessages } from './find/index-messages.ts'
import { ConversationSummary } from './record.entity.ts'

const conversationsAtOnce = 20
const messagesAtOnce = 500
/** What could not be purged is passed over for so long. */
const againMs = 3_600_000
const mostStuck = 1_000
const stuckOf = new WeakMap<Hub, Map<string, number>>()

/**
 * Purges conversations whose time has come; returns how many. Each step can be repeated: a process that dies leaves
 * rows that the next turn finds, because the conversation goes last.
 */
export async function purgeDue(hub: Hub, most = conversationsAtOnce): Promise<number> {
  const em = hub.em()
  const now = Date.now()
  const stuck = stuckOf.get(hub) ?? new Map<string, number>()
  stuckOf.set(hub, stuck)
  for (const [id, until] of stuck) if (until <= now) stuck.delete(id)
  const due = await em.find(
    Conversation,
    { purgeAt: { $lte: new Date(now) }, ...(stuck.size > 0 ? { id: { $nin: [...stuck.keys()] } } : {}) },
    { orderBy: { purgeAt: 'asc' }, limit: most, fields: ['id'], disableIdentityMap: true },
  )
  let purged = 0
  for (const { id } of due)
    try {
      await purge(hub, id)
      purged++
    } catch (error) {
      // One whose files the storage will not let go keeps nobody else's here.
      hub.log.error({ err: error, conversation: id }, 'a record could not be deleted for good')
      if (stuck.size < mostStuck) stuck.set(id, now + againMs)
    }
  return purged
}

/** One whose time has come. Two processes may do the same one: who takes the last row tells of it. */
export async function purge(hub: Hub, conversationId: string): Promise<void> {
  await dropFiles(hub, conversationId)
  for (;;) {
    const em = hub.em()
    const page = await em.find(Message, { conversationId }, { fields: ['id'], orderBy: { seq: 'asc' }, limit: messagesAtOnce, disableIdentityMap: true })
    if (page.length === 0) break
    const ids = page.map((message) => message.id)
    await forgetMessages(em, ids)
    await em.transactional(async (tx) => {
      for (const entity of [MessageName, CallMessage, RemoteFetch, Outbound]) await tx.nativeDelete(entity as typeof Outbound, { messageId: { $in: ids } })
      // The value stays with the contact; where it was found is gone.
      await tx.nativeUpdate(ContactField, { messageId: { $in: ids } }, { messageId: null })
      await tx.nativeDelete(Message, { id: { $in: ids } })
    })
  }
  let listeners = new Set<string>()
  await hub.em().transactional(async (tx) => {
    for (const entity of [Assignment, ConversationAgent, ConversationTag, Draft, Star, ConversationSummary])
      await tx.nativeDelete(entity as typeof Assignment, { conversationId })
    if ((await tx.nativeDelete(Conversation, { id: conversationId })) > 0) {
      await replaceFacts(tx as Em, [conversationId])
      listeners = await writeEvents(hub, tx as Em, [{ name: 'record.purged', data: { conversationId } }])
    }
  })
  for (const listener of listeners) hub.queue.hurry('delivery', listener)
}
