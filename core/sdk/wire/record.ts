/** Records: conversations as those look at them who search, judge, archive and export. */
import { type Static, Type } from 'typebox'
import { Id, Instant, LocalText, Name, NullableId, NullableInstant } from './common.ts'
import { Contact } from './contact.ts'
import { ContactBrief } from './conversation.ts'

const Ids = Type.Array(Id, { maxItems: 50 })
export const RecordStatus = Type.Union([Type.Literal('open'), Type.Literal('closed'), Type.Literal('archived'), Type.Literal('deleted')])
export type RecordStatus = Static<typeof RecordStatus>
export const RecordRating = Type.Union([Type.Literal('good'), Type.Literal('medium'), Type.Literal('bad'), Type.Literal('none')])
export type RecordRating = Static<typeof RecordRating>
export const AttachmentKind = Type.Union([Type.Literal('image'), Type.Literal('file'), Type.Literal('voice'), Type.Literal('video'), Type.Literal('link')])
export type AttachmentKind = Static<typeof AttachmentKind>

/** `conversation.attachments`, a bit for each kind. */
export const attachmentBits: Record<AttachmentKind, number> = { image: 1, file: 2, voice: 4, video: 8, link: 16 }

/** Conditions on customers' fields, at most. */
export const mostFields = 5

/** A field of customers that records are shown with and found by. */
export const FoundField = Type.Object({
  name: Type.String(),
  label: LocalText,
  /** What can be chosen; empty = any words. */
  options: Type.Array(Type.String()),
  /** How a value is meant: as a whole, or how the words begin. */
  match: Type.Union([Type.Literal('exact'), Type.Literal('beginning')]),
  /** Nobody looks for what they see masked. */
  findable: Type.Boolean(),
})
export type FoundField = Static<typeof FoundField>

/**
 * What is looked for: conditions that all hold; within one list, any. Empty or missing = no condition.
 * It stands in the page's address, in named views and in the orders of exports.
 */
export const RecordFilter = Type.Object(
  {
    /** A time span that moves with today, in the reader's time zone, or two instants: from (inclusive) to (exclusive). */
    period: Type.Optional(Type.Union([Type.Literal('today'), Type.Literal('7d'), Type.Literal('30d')])),
    from: Type.Optional(Instant),
    to: Type.Optional(Instant),
    /**
     * Which time is meant: of the last message (the usual), of the opening, of any message of the customer or to them (to the
     * half hour, some seconds after it came: as the overview counts them), or, of what lies in the recycle bin, of the deletion.
     */
    by: Type.Optional(Type.Union([Type.Literal('lastMessageAt'), Type.Literal('createdAt'), Type.Literal('messageAt'), Type.Literal('deletedAt')])),
    channels: Type.Optional(Type.Array(Type.String({ maxLength: 40, pattern: '^[\\w-]+$' }), { maxItems: 20 })),
    inboxIds: Type.Optional(Ids),
    /** Who has or had it last. */
    agentIds: Type.Optional(Ids),
    /** Who has it, had it at any time, or wrote to its customer. */
    servedByIds: Type.Optional(Ids),
    /** With all departments below. */
    departmentIds: Type.Optional(Ids),
    skillGroupIds: Type.Optional(Ids),
    /** Missing = open and closed; `archived` and `deleted` are asked for by name. */
    status: Type.Optional(Type.Array(RecordStatus, { maxItems: 4 })),
    /** Tags of the conversation or of its contact. */
    tagIds: Type.Optional(Ids),
    /** With all categories below; `none` = has none. */
    categoryIds: Type.Optional(Type.Array(Type.Union([Id, Type.Literal('none')]), { maxItems: 50 })),
    ratings: Type.Optional(Type.Array(RecordRating, { maxItems: 4 })),
    attachments: Type.Optional(Type.Array(AttachmentKind, { maxItems: 5 })),
    starred: Type.Optional(Type.Boolean()),
    /** It was opened for somebody to answer; false = what came while nothing was open and wakes nobody: machines' letters, what was sent from the platform's own app. */
    opened: Type.Optional(Type.Boolean()),
    /** Who put it into the recycle bin. */
    deletedByIds: Type.Optional(Ids),
    /** A summary was written, or is missing. */
    summary: Type.Optional(Type.Union([Type.Literal('written'), Type.Literal('missing')])),
    contactId: Type.Optional(Id),
    /** Who it is: name, nickname, number, or the whole phone number, mail address, WeChat or QQ account. */
    contact: Type.Optional(Type.String({ maxLength: 100 })),
    /** Values of customers' fields (`phone`, `hub.level`), as {@link FoundField} says how. */
    fields: Type.Optional(
      Type.Array(Type.Object({ name: Type.String({ minLength: 1, maxLength: 60 }), value: Type.String({ minLength: 1, maxLength: 300 }) }), {
        maxItems: mostFields,
      }),
    ),
    /** Words in the messages. */
    keyword: Type.Optional(Type.String({ maxLength: 100 })),
    /** `fuzzy`: every word somewhere in one message, letters' case and width do not matter; `exact`: the very text. */
    match: Type.Optional(Type.Union([Type.Literal('fuzzy'), Type.Literal('exact')])),
  },
  { additionalProperties: false },
)
export type RecordFilter = Static<typeof RecordFilter>

/** A message that holds the keyword: the words around it, and where in them (UTF-16 offsets) the hits lie. */
export const RecordHit = Type.Object({
  messageId: Id,
  seq: Type.Integer(),
  direction: Type.String(),
  at: Instant,
  snippet: Type.String(),
  marks: Type.Array(Type.Tuple([Type.Integer(), Type.Integer()])),
})
export type RecordHit = Static<typeof RecordHit>

export const personFields = ['name', 'phone', 'email', 'wechat', 'qq', 'address', 'remark'] as const
/** What is known of the customer, as this reader may see it: where it is asked for. */
export const RecordPerson = Type.Object({
  ...Type.Pick(Contact, personFields).properties,
  /** Of fields that plugins bring or an admin made, by name: those that hold something. */
  fields: Type.Record(Type.String(), Type.String()),
})
export type RecordPerson = Static<typeof RecordPerson>

/** One row of the list. */
export const RecordRow = Type.Object({
  id: Id,
  inboxId: Id,
  channel: Type.String(),
  contact: ContactBrief,
  person: Type.Optional(RecordPerson),
  status: RecordStatus,
  assigneeId: NullableId,
  departmentId: NullableId,
  skillGroupId: NullableId,
  categoryId: NullableId,
  tagIds: Type.Array(Id),
  rating: Type.Union([Type.Integer(), Type.Null()]),
  attachments: Type.Array(AttachmentKind),
  summarised: Type.Boolean(),
  starred: Type.Boolean(),
  messages: Type.Integer(),
  preview: Type.String(),
  createdAt: Instant,
  firstReplyAt: NullableInstant,
  lastMessageAt: Instant,
  closedAt: NullableInstant,
  archivedAt: NullableInstant,
  deletedAt: NullableInstant,
  deletedById: NullableId,
  /** Until then it can be restored. */
  purgeAt: NullableInstant,
  /** Newest first, at most three; only where a keyword was asked for. */
  hits: Type.Array(RecordHit),
})
export type RecordRow = Static<typeof RecordRow>

/** Exact up to the bound; `more` = there are at least that many ("10 000+"). */
export const RecordCount = Type.Object({
  count: Type.Integer(),
  more: Type.Boolean(),
  /** What came after this moment was not counted. */
  at: Instant,
})
export type RecordCount = Static<typeof RecordCount>

/** One page; `cursor` leads on. `partial` = the time was up before the page was full: asking on with the cursor looks further. */
export const RecordPage = Type.Object({
  items: Type.Array(RecordRow),
  cursor: Type.Union([Type.String(), Type.Null()]),
  partial: Type.Boolean(),
})
export type RecordPage = Static<typeof RecordPage>

export const RecordSummary = Type.Object({ answers: Type.Record(Type.String(), Type.Unknown()), updatedById: NullableId, updatedAt: Instant })
export type RecordSummary = Static<typeof RecordSummary>

/** A field of the summary's form, as an admin designs it. */
export const SummaryField = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 40, pattern: '^[a-z][a-z0-9-]*$' }),
  label: Name(60),
  kind: Type.Union([
    Type.Literal('text'),
    Type.Literal('longText'),
    Type.Literal('choice'),
    Type.Literal('choices'),
    Type.Literal('yesNo'),
    Type.Literal('date'),
  ]),
  options: Type.Optional(Type.Array(Name(60), { maxItems: 50 })),
  required: Type.Optional(Type.Boolean()),
})
export type SummaryField = Static<typeof SummaryField>
export const SummaryForm = Type.Object({ fields: Type.Array(SummaryField, { maxItems: 30 }) })
export type SummaryForm = Static<typeof SummaryForm>

export const CategoryNode = Type.Object({ id: Id, parentId: NullableId, name: Type.String(), position: Type.Integer(), retiredAt: NullableInstant })
export type CategoryNode = Static<typeof CategoryNode>

/** The record page's head; its messages come as the conversation's. */
export const RecordDetail = Type.Object({
  ...RecordRow.properties,
  summary: Type.Union([RecordSummary, Type.Null()]),
  ratingComment: Type.Union([Type.String(), Type.Null()]),
  closeReason: Type.Union([Type.String(), Type.Null()]),
  closedById: NullableId,
  /** Oldest first. */
  trail: Type.Array(Type.Object({ fromAgentId: NullableId, toAgentId: NullableId, byAgentId: NullableId, reason: Type.String(), at: Instant })),
})
export type RecordDetail = Static<typeof RecordDetail>

export const RecordView = Type.Object({ id: Id, name: Type.String(), filter: RecordFilter })
export type RecordView = Static<typeof RecordView>

/** Something sent, as the attachment wall shows it. */
export const Attachment = Type.Object({
  messageId: Id,
  conversationId: Id,
  seq: Type.Integer(),
  kind: AttachmentKind,
  fileId: NullableId,
  name: Type.String(),
  mime: Type.String(),
  size: Type.Integer(),
  url: Type.Union([Type.String(), Type.Null()]),
  at: Instant,
})
export type Attachment = Static<typeof Attachment>

/** What was sent in one of the records that were found, newest first; `more` = its own page shows others. */
export const RecordAttachments = Type.Object({ id: Id, contact: ContactBrief, lastMessageAt: Instant, items: Type.Array(Attachment), more: Type.Boolean() })
export type RecordAttachments = Static<typeof RecordAttachments>
/** Records whose files one zip holds. */
export const mostZipped = 5_000
/** And of those ticked one by one, whose names stand in the address. */
export const mostTicked = 200
/** `cursor` and `partial` as of a {@link RecordPage}. */
export const AttachmentPage = Type.Object({
  records: Type.Array(RecordAttachments),
  cursor: Type.Union([Type.String(), Type.Null()]),
  partial: Type.Boolean(),
})
export type AttachmentPage = Static<typeof AttachmentPage>

export const BatchAction = Type.Union([
  Type.Literal('archive'),
  Type.Literal('unarchive'),
  Type.Literal('delete'),
  Type.Literal('restore'),
  Type.Literal('purge'),
  Type.Literal('tag'),
  Type.Literal('untag'),
  Type.Literal('categorise'),
])
export type BatchAction = Static<typeof BatchAction>

/** Something done to many: either the records named, or all that a filter finds. */
export const BatchInput = Type.Object({
  action: BatchAction,
  ids: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: 1_000 })),
  filter: Type.Optional(RecordFilter),
  /** With a filter: when what it finds was counted. What came or changed since is left alone; the moment of the order without a word. */
  countedAt: Type.Optional(Instant),
  tz: Type.Optional(Type.String({ maxLength: 60 })),
  tagId: Type.Optional(Id),
  categoryId: Type.Optional(NullableId),
})
export type BatchInput = Static<typeof BatchInput>

export const BatchState = Type.Object({
  id: Id,
  action: BatchAction,
  state: Type.Union([Type.Literal('running'), Type.Literal('done'), Type.Literal('cancelled'), Type.Literal('failed')]),
  /** Records that it changed, and that it passed over: one may not, or there was nothing to do. */
  done: Type.Integer(),
  skipped: Type.Integer(),
})
export type BatchState = Static<typeof BatchState>

/** One that is not at its end. */
export const BatchAtWork = Type.Object({ ...BatchState.properties, agentId: Id, agentName: Type.String(), createdAt: Instant })
export type BatchAtWork = Static<typeof BatchAtWork>
