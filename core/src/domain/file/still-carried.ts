/** A file is shown by the messages that carry it: what was taken back shows nothing any more, to nobody. */
import type { Em } from '../../db/orm.ts'
import { type Direction, Message } from '../message/message.entity.ts'
import { fileIdsOf } from './claim-files.ts'
import type { StoredFile } from './file.entity.ts'
import { rawLettersOf } from './raw-letters.ts'

const messagesAtOnce = 200
/** So many of the newest messages are looked through: however long somebody talks, a request for a file ends. */
const mostRead = 10_000

/** By the message that carries it; where that is not known (a note), or was taken back, by any other of the conversation, newest first. */
export async function stillCarried(
  em: Em,
  conversationId: string,
  { id: fileId, messageId }: Pick<StoredFile, 'id' | 'messageId'>,
  directions: readonly Direction[],
): Promise<boolean> {
  const shown = { conversationId, direction: { $in: [...directions] }, recalledAt: null }
  const look = async (which: { id?: string; seq?: { $lt: number } }) => {
    const rows = await em.find(
      Message,
      { ...shown, ...which },
      { fields: ['seq', 'parts', 'meta'], orderBy: { seq: 'desc' }, limit: messagesAtOnce, disableIdentityMap: true },
    )
    return { found: rows.some(({ parts, meta }) => fileIdsOf(parts).includes(fileId) || rawLettersOf(meta).includes(fileId)), rows }
  }
  if (messageId && (await look({ id: messageId })).found) return true
  let before: number | undefined
  for (let read = 0; read < mostRead; read += messagesAtOnce) {
    const { found, rows } = await look(before === undefined ? {} : { seq: { $lt: before } })
    if (found) return true
    before = rows.at(-1)?.seq
    if (rows.length < messagesAtOnce) return false
  }
  return false
}
