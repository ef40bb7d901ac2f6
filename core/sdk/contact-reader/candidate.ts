/** What was read, before false friends and overlaps are settled. Places are in the shadow. */
import type { Words } from './context.ts'
import type { Shadow } from './shadow.ts'

export interface Candidate {
  /** In which way it was read: `phone.disguised`. What stands before the point is the kind. */
  rule: string
  kind: string
  normal: string
  confidence: number
  start: number
  end: number
  /** Whose it is; nothing: the customer's own. */
  whose?: string
  /** What made it one, besides the phrase itself: the word's place. */
  cue?: readonly [number, number]
}

/** One reading of a text: everything the readers need. */
export interface Reading {
  shadow: Shadow
  words: Words
  /** Not to be looked into: addresses, links. */
  closed: Uint8Array
  /** What colleagues wrote, for its words only. */
  theirs: Uint8Array
  /** Numbers of the shop, of couriers, of whoever else are read too: they are somebody's. */
  anybodys: boolean
  /** What a way of reading is worth; undefined: it is not asked for. */
  worth(rule: string): number | undefined
  found: Candidate[]
}

export function find(reading: Reading, rule: string, candidate: Omit<Candidate, 'rule' | 'kind' | 'confidence'>, factor = 1, kind = kindOf(rule)): boolean {
  const worth = reading.worth(rule)
  if (worth === undefined) return false
  for (let i = candidate.start; i < candidate.end; i++) if (reading.theirs[i]) return false
  reading.found.push({ rule, kind, confidence: Math.round(worth * factor * 100) / 100, ...candidate })
  return true
}

const kindOf = (rule: string): string => rule.slice(0, rule.indexOf('.'))
