/** Numbers of conversations over a span of time. */
import { type Static, Type } from 'typebox'
import { Id, Instant } from './common.ts'

export const ReportBy = Type.Union([
  Type.Literal('total'),
  Type.Literal('day'),
  Type.Literal('channel'),
  Type.Literal('inbox'),
  Type.Literal('department'),
  Type.Literal('agent'),
  Type.Literal('category'),
])
export type ReportBy = Static<typeof ReportBy>

export const ReportQuery = Type.Object({
  /** From (inclusive) to (exclusive), 366 days at most. */
  from: Instant,
  to: Instant,
  /** The reader's time zone, an IANA name: where days begin. */
  tz: Type.Optional(Type.String({ maxLength: 60 })),
  by: Type.Optional(ReportBy),
  channel: Type.Optional(Type.String({ maxLength: 40 })),
  inboxId: Type.Optional(Id),
  /** With all departments below. */
  departmentId: Type.Optional(Id),
  /** Who has or had it last. */
  agentId: Type.Optional(Id),
})
export type ReportQuery = Static<typeof ReportQuery>

const Seconds = Type.Union([Type.Number(), Type.Null()])

/**
 * `opened`, first reply, resolution and ratings are of the conversations opened in the span; `ended` and the messages
 * are those that ended, or were written, in it.
 */
export const ReportFigures = Type.Object({
  opened: Type.Integer(),
  ended: Type.Integer(),
  received: Type.Integer(),
  sent: Type.Integer(),
  /** How many of the opened a person has answered, after how many seconds on average, and half of them in less. */
  replied: Type.Integer(),
  replySeconds: Seconds,
  replyMedian: Seconds,
  /** The same of those that have ended. */
  resolved: Type.Integer(),
  resolveSeconds: Seconds,
  resolveMedian: Seconds,
  good: Type.Integer(),
  medium: Type.Integer(),
  bad: Type.Integer(),
})
export type ReportFigures = Static<typeof ReportFigures>

export const ReportRow = Type.Object({
  /** A day (`2026-11-22`), a channel, an id; a category is one of the uppermost, with all below it. Null = none. */
  key: Type.Union([Type.String(), Type.Null()]),
  /** The span it is of: the day's own where it is a day. */
  from: Instant,
  to: Instant,
  ...ReportFigures.properties,
})
export type ReportRow = Static<typeof ReportRow>

/** Half of the waits were shorter than the median, nine of ten shorter than `p90`; read from counts by length, so about. */
export const ReportWaits = Type.Object({ median: Seconds, p90: Seconds })

export const Report = Type.Object({
  from: Instant,
  to: Instant,
  /** All changes up to then are in; null when nothing has been counted yet. */
  upTo: Type.Union([Instant, Type.Null()]),
  rows: Type.Array(ReportRow),
  /** Only where `by` is `total`. */
  waits: Type.Union([Type.Object({ reply: ReportWaits, resolve: ReportWaits }), Type.Null()]),
})
export type Report = Static<typeof Report>
