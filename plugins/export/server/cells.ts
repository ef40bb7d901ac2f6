/** What stands in the columns of a row. */
import type { RecordFacts, RecordMessage } from '@huike/core/sdk/records.ts'
import { type Field, isContactKey } from '../fields.ts'
import type { Order } from './order.ts'
import { words } from './words.ts'

/** A date is an instant, shown in the order's time zone. A link leads into this hub; others may stand below it, in words. */
export type Cell = string | number | Date | { link: string; label: string; others?: readonly string[] } | null

/** The files of a row: ids of the first ones, and how many there are. */
export interface Sent {
  ids: string[]
  count: number
}
/** So many links in a cell. */
export const mostLinks = 50

export function cellOf(order: Order, publicUrl: string, field: Field, record: RecordFacts, message?: RecordMessage, sent?: Sent): Cell {
  const word = words[order.language]
  if (isContactKey(field)) return record.contact.fields.find(({ name }) => name === field)?.value ?? ''
  const date = (at: string | null | undefined) => (at ? new Date(at) : null)
  switch (field) {
    case 'contact':
      return record.contact.title
    case 'number':
      return record.contact.number
    case 'name':
    case 'phone':
    case 'email':
    case 'wechat':
    case 'qq':
    case 'address':
    case 'remark':
      return record.contact[field]
    case 'contactFields':
      return record.contact.fields.map(({ label, value }) => `${label[order.language]}: ${value}`).join('; ')
    case 'status':
      return word.status[record.status]
    case 'tags':
      return record.tags.join(', ')
    case 'rating':
      return record.rating ? (word.rating[record.rating - 1] ?? '') : ''
    case 'summary':
      return Object.entries(record.summary)
        .map(([label, answer]) => `${label}: ${answer}`)
        .join('; ')
    case 'createdAt':
    case 'firstReplyAt':
    case 'lastMessageAt':
    case 'closedAt':
      return date(record[field])
    case 'link':
      return { link: `${publicUrl}/workbench/records/${record.id}`, label: word.open }
    case 'at':
      return date(message?.at)
    case 'sender':
      return message ? word.sender[message.direction] : ''
    case 'author':
      return message ? message.author || (message.direction === 'in' ? record.contact.title : '') : ''
    case 'text':
      return message ? `${unarrived(order, message)}${textOf(order, message)}` : ''
    case 'subject':
      return message?.subject ?? ''
    case 'fate':
      return message?.direction === 'out' ? word.fate[message.status] : ''
    case 'files':
      return message?.files.map(({ name }) => name).join(', ') ?? ''
    case 'fileLink':
      return linksOf(publicUrl, word.open, sent ?? { ids: message?.files.map(({ id }) => id) ?? [], count: message?.files.length ?? 0 })
    default:
      return record[field]
  }
}

function linksOf(publicUrl: string, label: string, { ids, count }: Sent): Cell {
  const [link, ...others] = ids.slice(0, mostLinks).map((id) => `${publicUrl}/api/files/${id}`)
  if (!link) return null
  if (count > mostLinks) others.push(`+${count - mostLinks}`)
  return others.length > 0 ? { link, label, others } : { link, label }
}

/** An agent's words that the customer does not have, or perhaps not, say so: they would be read as said. What was taken back says that. */
const unarrived = (order: Order, message: RecordMessage): string => {
  const fate = unarrivedFate(order, message)
  return fate && words[order.language].unarrived(fate)
}
export const unarrivedFate = ({ language }: Order, { direction, status, recalled }: RecordMessage): string =>
  direction === 'out' && status !== 'sent' && !recalled ? words[language].fate[status] : ''

/** A letter's subject above it, where it has no column; addresses and coordinates below. What has neither words nor a file is named by its kind. */
export function textOf({ language, format, fields }: Order, { subject, text, besides, recalled, kinds, files }: RecordMessage): string {
  const word = words[language]
  if (recalled) return word.recalled
  const about = subject && (format === 'pdf' || !fields.includes('subject')) ? word.about + subject : ''
  const said = text || subject || files.length > 0 ? text : kinds.map((kind) => `[${word.kind[kind] ?? kind}]`).join(' ')
  return [about, said, ...besides].filter(Boolean).join('\n')
}
