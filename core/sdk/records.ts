/** Records for plugins that read many of them in the background (an export, a report), as one agent may see them. */
import type { Readable } from 'node:stream'
import type { LocalText } from './channel.ts'
import type { MessageFacts } from './events.ts'
import type { RecordFilter, RecordStatus, RecordView } from './wire/record.ts'

/** For whom it is read. What this agent may is asked anew at every page, not once at the beginning. */
export interface RecordReader {
  agentId: string
  /** A permission of the plugin's own that has a reach: only records within it, of those that the agent may read. */
  permission?: string
  /** Without it personal data is masked, whatever the agent may see; with it, what the agent may not see. */
  personal?: boolean
}

/** A field of a contact that a running plugin brought or an admin made: `hub.level`. */
export interface RecordContactField {
  name: string
  label: LocalText
  value: string
}

/** A conversation with its names in place of ids, as they are today. Times are UTC, ISO 8601. */
export interface RecordFacts {
  id: string
  status: RecordStatus
  /** Its name in the reader's language; the id where the hub does not know it any more. */
  channel: string
  inbox: string
  contact: {
    id: string
    number: number
    title: string
    name: string
    phone: string
    email: string
    wechat: string
    qq: string
    address: string
    remark: string
    /** Those that hold something. */
    fields: RecordContactField[]
  }
  agent: string
  department: string
  skillGroup: string
  /** From the root down: `售后 / 退款`. */
  category: string
  tags: string[]
  /** 1 good … 3 bad. */
  rating: number | null
  ratingComment: string
  /** Answers of the summary's form, by the field's label. */
  summary: Record<string, string>
  /** How many messages it has: notes too, without the hub's own lines. */
  messages: number
  createdAt: string
  firstReplyAt: string | null
  lastMessageAt: string
  closedAt: string | null
}

export interface RecordFile {
  id: string
  name: string
  mime: string
  /** Undefined when its bytes are gone. */
  open(): Promise<Readable | undefined>
}

export interface RecordMessage {
  conversationId: string
  seq: number
  direction: 'in' | 'out' | 'note' | 'system'
  /** The agent's name; empty for customers and the hub. */
  author: string
  /** Empty when it was taken back. */
  text: string
  /** Of a letter; empty for others, and when it was taken back. */
  subject: string
  /** What it says beside its words: the address behind a title, the coordinates of a place. */
  besides: string[]
  /** The kinds of its parts: what has neither text nor file is known by it alone. */
  kinds: string[]
  files: RecordFile[]
  recalled: boolean
  /** Whether it reached the customer: `failed` never did, of `uncertain` nobody knows; what is `queued` or `sending` is on its way. */
  status: MessageFacts['status']
  at: string
}

/** A contact's field that a running plugin brought or an admin made, with or without a value. */
export type RecordFieldInfo = Pick<RecordContactField, 'name' | 'label'>

export interface Records {
  /** What contacts can hold besides the core's own fields, in the order of their panel. */
  contactFields(): Promise<RecordFieldInfo[]>
  /** One of the agent's own named filters as it is now; undefined when it is gone, or somebody else's. */
  view(agentId: string, id: string): Promise<RecordView | undefined>
  /**
   * The ids of all records that a filter finds, newest first, a few hundred at a time, each once; those that get a message
   * meanwhile may come last. Throws HUB_FORBIDDEN when the agent is gone or lacks the permission.
   * @param options.tz an IANA name, for "today" in the filter
   */
  matching(reader: RecordReader, filter: RecordFilter, options: { tz: string }): AsyncIterable<string[]>
  /**
   * Looks at a filter without finding anything. Throws HUB_REQUEST_INVALID for one that cannot be read (a field that nobody brings,
   * or no longer), HUB_FORBIDDEN for what this agent may not look for, and as `matching`.
   */
  check(reader: RecordReader, filter: RecordFilter, options: { tz: string }): Promise<void>
  /** At most 200 records, ordered by id (the oldest first); those that the agent may not read (any more) are left out. Throws as `matching`. */
  read(reader: RecordReader, ids: readonly string[]): Promise<RecordFacts[]>
  /** The messages of at most 200 records, in pages: ordered by the conversation's id, then as they were written. Throws as `matching`. */
  messages(reader: RecordReader, ids: readonly string[]): AsyncIterable<RecordMessage[]>
}
