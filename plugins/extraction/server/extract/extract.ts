/** The whole reading, in order: shadow, words, readers, false friends, overlaps. Pure; time grows with the text's length. */
import { breaker, type Candidate, mostSigns, openReading, type Reading, readContacts } from '@huike/core/sdk/contact-reader/reader.ts'
import { isAmong } from './echoes.ts'
import { findMasked } from './masked.ts'
import { findOwn, type OwnRule } from './own-rules.ts'
import { findAge, findGender } from './people.ts'
import { builtinRules, isContact, type Kind, kinds } from './tables.ts'
import { ownerOf } from './whose.ts'

/** A message, or what a colleague wrote before it (`theirs`: its words count, nothing is taken from it). */
export interface Segment {
  text: string
  theirs?: boolean
}

export interface Span {
  /** Which segment. */
  segment: number
  /** UTF-16 units of its text. */
  start: number
  end: number
}

export interface Found {
  kind: Kind
  rule: string
  /** As it was written; pieces of several messages joined by a space. */
  value: string
  normal: string
  confidence: number
  /** Whose it is; absent: the customer's. */
  whose?: string
  /** One for each message that a piece stands in. */
  spans: Span[]
  /** The segments that phrase and announcing word stand in. */
  touches: number[]
}

export interface Options {
  kinds?: readonly Kind[]
  /** Built-in rules that are switched off. */
  off?: ReadonlySet<string>
  own?: readonly OwnRule[]
  /** Numbers, accounts and domains of the house itself: never a customer's. Normal forms in lower case. */
  ours?: readonly string[]
  /** Words that say of a number in their clause that it is somebody else's. */
  others?: readonly string[]
}

/** Facts of one reading. */
const mostFacts = 50

const worths = new Map(builtinRules.map(({ id, confidence }) => [id, confidence]))

export function extract(input: string | readonly Segment[], options: Options = {}): Found[] {
  const segments = typeof input === 'string' ? [{ text: input }] : input
  const starts: number[] = []
  let text = ''
  for (const [i, { text: piece, theirs }] of segments.entries()) {
    // A number goes on from message to message of one person, never through another's words.
    if (i > 0) text += theirs || segments[i - 1]?.theirs ? breaker : '\n'
    starts.push(text.length)
    text += piece.slice(0, Math.max(0, mostSigns - text.length))
  }
  const segmentAt = (at: number): number => {
    let i = starts.length - 1
    while (i > 0 && (starts[i] as number) > at) i--
    return i
  }
  const own = options.own ?? []
  const allowed = new Set(options.kinds ?? kinds)
  const reading = openReading(text, {
    worth: (rule) => (options.off?.has(rule) ? undefined : (worths.get(rule) ?? own.find(({ id }) => id === rule)?.confidence)),
    ...(segments.some(({ theirs }) => theirs) ? { isTheirs: (at: number) => segments[segmentAt(at)]?.theirs === true } : {}),
  })
  const { shadow } = reading
  readContacts(reading)
  if (allowed.has('phone')) findMasked(reading)
  if (allowed.has('age')) findAge(reading)
  if (allowed.has('gender')) findGender(reading)
  for (const rule of own) findOwn(reading, rule)
  const others = (options.others ?? []).map((word) => word.trim().toLowerCase()).filter(Boolean)
  const ours = new Set((options.ours ?? []).map((value) => value.toLowerCase()))
  return settle(reading.found.filter((one) => allowed.has(one.kind as Kind) && !isOurs(one, ours)).flatMap((one) => owned(reading, one, others)))
    .slice(0, mostFacts)
    .map((one) => {
      const from = shadow.from[one.start] as number
      const to = shadow.to[one.end - 1] as number
      const spans: Span[] = []
      for (let segment = segmentAt(from); segment <= segmentAt(to - 1); segment++) {
        const base = starts[segment] as number
        const start = Math.max(0, from - base)
        const end = Math.min(segments[segment]?.text.length ?? 0, to - base)
        if (end > start) spans.push({ segment, start, end })
      }
      const touches = new Set(spans.map(({ segment }) => segment))
      if (one.cue) touches.add(segmentAt(shadow.from[one.cue[0]] as number))
      const joined = spans.length > 1
      return {
        kind: one.kind as Kind,
        rule: one.rule,
        value: spans.map(({ segment, start, end }) => segments[segment]?.text.slice(start, end)).join(' '),
        normal: one.normal,
        // Pieces that were put together are a little less sure.
        confidence: Math.min(1, Math.round(one.confidence * (joined ? 0.93 : 1) * 100) / 100),
        ...(one.whose ? { whose: one.whose } : {}),
        spans,
        touches: [...touches].sort((a, b) => a - b),
      }
    })
}

/** Somebody else's, or perhaps somebody else's, is at most offered. */
const othersAtMost = 0.6

function owned(reading: Reading, one: Candidate, others: readonly string[]): Candidate[] {
  if (!isContact(one.kind as Kind)) return [one]
  const whose = ownerOf(reading, one, others)
  if (whose === undefined) return []
  if (whose === '') return [one]
  return [{ ...one, ...(whose === '?' ? {} : { whose }), confidence: Math.min(one.confidence, othersAtMost) }]
}

/** What somebody else says of themself: where they are reached is theirs, and how old they are says nothing of the customer. */
export const othersOwn = (found: readonly Found[]): Found[] =>
  found.flatMap((one) => (isContact(one.kind) ? [{ ...one, whose: one.whose ?? 'other', confidence: Math.min(one.confidence, othersAtMost) }] : []))

const isOurs = ({ normal }: Candidate, ours: ReadonlySet<string>): boolean =>
  isAmong(normal, ours) || (normal.includes('@') && ours.has(normal.slice(normal.indexOf('@') + 1)))

/** Of one kind, what overlaps is one fact, the surer one; the same value of the same place is said once. */
function settle(found: readonly Candidate[]): Candidate[] {
  const kept: Candidate[] = []
  const sorted = [...found].sort((a, b) => b.confidence - a.confidence || b.end - b.start - (a.end - a.start) || a.start - b.start)
  const taken = new Map<string, Uint8Array>()
  for (const one of sorted) {
    const places = taken.get(one.kind) ?? new Uint8Array(0)
    let free = true
    for (let i = one.start; i < one.end && free; i++) if (places[i]) free = false
    if (!free) continue
    const grown = places.length >= one.end ? places : grow(places, one.end)
    grown.fill(1, one.start, one.end)
    taken.set(one.kind, grown)
    kept.push(one)
  }
  return kept.sort((a, b) => a.start - b.start || a.kind.localeCompare(b.kind))
}

function grow(places: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(Math.max(length, places.length * 2))
  grown.set(places)
  return grown
}
