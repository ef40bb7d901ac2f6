/** Reads the labelled sentences of `fixtures/corpus.*.txt` and measures the extractor against them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { extract, type Found } from './extract.ts'
import { isContact, type Kind, kinds } from './tables.ts'

export interface Label {
  kind: Kind
  phrase: string
  normal: string
  /** Not the customer's, or perhaps not: it may be offered, never filled in. */
  offered: boolean
}
export interface Sentence {
  messages: string[]
  labels: Label[]
}

export const corpora = ['tuned', 'held-out', 'fresh'] as const
export type CorpusName = (typeof corpora)[number]

const letters: Record<string, Kind> = { p: 'phone', l: 'landline', w: 'wechat', q: 'qq', e: 'email', a: 'age', g: 'gender' }

export function readCorpus(name: CorpusName): Sentence[] {
  const text = readFileSync(join(import.meta.dirname, `../../fixtures/corpus.${name}.txt`), 'utf8')
  return text.split('\n').flatMap((line) => (line === '' || line.startsWith('#') ? [] : [readSentence(line)]))
}

function readSentence(line: string): Sentence {
  const labels: Label[] = []
  const plain = line.replace(/\{([^|{}]+)\|([^{}]*)\}/g, (_, marks: string, phrase: string) => {
    for (const mark of marks.split('&')) {
      const [sign = '', ...rest] = mark.split('=')
      const letter = sign.replace('?', '')
      const given = rest.length > 0 ? rest.join('=') : undefined
      const kind = letters[letter]
      if (!kind) throw new Error(`no such kind: ${line}`)
      labels.push({ kind, phrase: phrase.replaceAll('⏎', ' '), normal: normalOf(kind, given ?? phrase), offered: sign.includes('?') })
    }
    return phrase
  })
  return { messages: plain.split('⏎'), labels }
}

function normalOf(kind: Kind, given: string): string {
  if (kind === 'phone' && /^\+|\*/.test(given)) return given
  if (kind === 'phone') return `+86${given.replace(/\D/g, '')}`
  if (kind === 'landline') return given.startsWith('0') ? `+86${given.slice(1)}` : given
  if (kind === 'qq' || (kind === 'age' && /^\d+\D*$/.test(given))) return given.replace(/\D/g, '')
  if (kind === 'gender') return given === 'f' ? 'female' : 'male'
  if (kind === 'wechat') return given.normalize('NFKC').replaceAll(' ', '').toLowerCase()
  return given.toLowerCase()
}

export interface Score {
  found: number
  right: number
  wanted: number
  precision: number
  recall: number
}
export interface Report {
  sentences: number
  scores: Record<Kind, Score>
  /** What was wrong, in words. */
  faults: string[]
}

/** A fact counts when its kind, its normal form and its very phrase are those of the label, and a contact is whose the label says. */
export function measure(sentences: readonly Sentence[]): Report {
  const scores = Object.fromEntries(kinds.map((kind) => [kind, { found: 0, right: 0, wanted: 0, precision: 1, recall: 1 }])) as Record<Kind, Score>
  const faults: string[] = []
  for (const { messages, labels } of sentences) {
    const open = [...labels]
    for (const { kind } of labels) scores[kind].wanted++
    for (const fact of extract(messages.map((text) => ({ text }))).filter(({ confidence }) => confidence >= 0.5)) {
      scores[fact.kind].found++
      const at = open.findIndex((label) => label.kind === fact.kind && label.normal === fact.normal && isPhrase(label, fact.value) && isWhose(label, fact))
      if (at < 0)
        faults.push(`too much in ${messages.join('⏎')}: ${fact.kind} ${fact.normal} "${fact.value}" (${[fact.rule, fact.whose].filter(Boolean).join(', ')})`)
      else {
        scores[fact.kind].right++
        open.splice(at, 1)
      }
    }
    for (const label of open) faults.push(`missed in ${messages.join('⏎')}: ${label.kind} ${label.normal} "${label.phrase}"`)
  }
  for (const score of Object.values(scores)) {
    score.precision = score.found === 0 ? 1 : score.right / score.found
    score.recall = score.wanted === 0 ? 1 : score.right / score.wanted
  }
  return { sentences: sentences.length, scores, faults }
}

/** Between the pieces of a joined number stand words that are no part of it. */
const isPhrase = (label: Label, value: string): boolean => label.phrase === value || label.phrase.replace(/\s+/g, '') === value.replace(/\s+/g, '')

const isWhose = ({ offered }: Label, { kind, whose, confidence }: Found): boolean =>
  !isContact(kind) || (offered ? whose !== undefined || confidence <= 0.6 : whose === undefined)
