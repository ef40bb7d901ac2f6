/** What was sent in a record, from its newest message back: pictures, files, voices, films, links. */
import type { Attachment, AttachmentKind } from '../../../sdk/wire/record.ts'
import type { HubAbility } from '../../access/ability.ts'
import { maskText } from '../../access/mask-text.ts'
import type { Em } from '../../db/orm.ts'
import type { Conversation } from '../conversation/conversation.entity.ts'
import { filesIn, insideFiles } from '../file/claim-files.ts'
import type { StoredFile } from '../file/file.entity.ts'
import { Message } from '../message/message.entity.ts'
import { kindOfFile } from './attachments.ts'

interface Look {
  /** The number of a message: only older ones are looked at. Missing = from the newest on. */
  before?: number | undefined
  /** About so many at most: those of one message are never divided. */
  most: number
  /** So many messages are read at most, that a long talk without pictures does not hold the request. */
  reads: number
  /** All of them, where it is left out. */
  kinds?: readonly AttachmentKind[] | undefined
}
/** No message has so great a number. */
const afterAll = 2 ** 31 - 1
/** Messages read at once. */
const batch = 200
/** ASCII only: Chinese words go on after an address without a space. What ends a sentence is not part of it. */
const address = /https?:\/\/[\w\-.~:/?#[\]@!$&'*+,;=%]*[\w\-~/#@$&*+=%]/gi

/** Newest first, as this reader sees them; `before` leads on, null at the end. */
export async function readAttachments(
  em: Em,
  ability: HubAbility,
  conversation: Pick<Conversation, 'id'>,
  { before, most, reads, kinds }: Look,
): Promise<{ items: Attachment[]; before: number | null }> {
  const items: Attachment[] = []
  let next = before ?? afterAll
  for (let read = 0; read < reads && items.length < most && next > 1; read += batch) {
    const rows = await em.find(
      Message,
      { conversationId: conversation.id, seq: { $lt: next }, direction: { $in: ['in', 'out'] }, recalledAt: null },
      {
        orderBy: { seq: 'desc' },
        limit: batch,
        fields: ['id', 'seq', 'parts', 'text', 'sentAt', 'conversationId'],
        disableIdentityMap: true,
      },
    )
    const inside = await insideFiles(
      em,
      [conversation.id],
      rows.flatMap(({ parts }) => parts),
    )
    for (const message of rows) {
      items.push(...attachmentsIn(message as unknown as Message, inside).filter(({ kind }) => !kinds || kinds.includes(kind)))
      next = message.seq
      if (items.length >= most) break
    }
    if (rows.length < batch && items.length < most) next = 1
  }
  const text = (words: string) => maskText(ability, words)
  return {
    items: items.map((item) => ({ ...item, name: text(item.name), url: item.fileId || !item.url ? item.url : text(item.url) })),
    before: next > 1 ? next : null,
  }
}

function attachmentsIn(message: Message, inside: ReadonlyMap<string, StoredFile>): Attachment[] {
  const common = { messageId: message.id, conversationId: message.conversationId, seq: message.seq, at: message.sentAt.toISOString() }
  const links = message.parts.flatMap((part) => (part.type === 'text' || part.type === 'html' ? [...part.text.matchAll(address)].map(([url]) => url) : []))
  return [
    ...message.parts.flatMap((part): Attachment[] => {
      if (part.type === 'link') return [{ ...common, kind: 'link', fileId: null, name: part.title ?? part.url, mime: '', size: 0, url: part.url }]
      return filesIn(part).flatMap(({ fileId, as }) => {
        const file = 'fileId' in part ? part : inside.get(fileId)
        return file ? [{ ...common, kind: kindOfFile[as], fileId, name: file.name, mime: file.mime, size: file.size, url: `/api/files/${fileId}` }] : []
      })
    }),
    ...links.map((url): Attachment => ({ ...common, kind: 'link', fileId: null, name: url, mime: '', size: 0, url })),
  ]
}
