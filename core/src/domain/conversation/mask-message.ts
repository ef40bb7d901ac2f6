/** A message for one reader: what its parts say of a person is masked for who may not see it. Who wrote it reads it as it is. */
import { besidesOf, coordinatesOf, type MessagePart, textOf } from '../../../sdk/message-parts.ts'
import type { HiddenKind, Message as WireMessage } from '../../../sdk/wire/conversation.ts'
import type { HubAbility } from '../../access/ability.ts'
import { hiddenFrom, type PersonalField, sightOf } from '../../access/mask.ts'
import { maskField } from '../../access/mask-field.ts'
import { maskHtml } from '../../access/mask-html.ts'
import { maskDeep, maskNamed, maskSaid, maskText } from '../../access/mask-text.ts'
import { personalFields } from '../../access/permissions.ts'
import { starredPlaces } from '../../access/starred-places.ts'

export type Reader = { ability: HubAbility; agent: { id: string } }
type Content = Pick<WireMessage, 'parts' | 'meta' | 'failure' | 'failureText'>

/** The same object for who sees everything: nothing is done on that path. */
export function maskMessage(reader: Reader, message: WireMessage): WireMessage {
  const { ability, agent } = reader
  if (!hiddenFrom(ability) || message.authorId === agent.id) return message
  const { parts, meta, failure, failureText } = message
  const masked = maskContent(ability, message)
  const changed = !same(masked, { parts, meta, failure, failureText })
  return changed ? { ...message, ...masked, masked: hiddenKinds(ability, message) } : message
}

const seesAll = sightOf(personalFields)
const seesAllBut = new Map(personalFields.map((field) => [field, sightOf(personalFields.filter((other) => other !== field))]))

/** What is starred, kind by kind: each as a reader would see it from whom nothing else is hidden. */
function hiddenKinds(ability: HubAbility, message: Content): HiddenKind[] {
  const whole = maskContent(seesAll, message)
  const ofKind = (field: PersonalField): HiddenKind[] => {
    const masked = maskContent(seesAllBut.get(field) as HubAbility, message)
    if (same(masked, whole)) return []
    const places = whole.parts.flatMap((part, i) => {
      const shown = masked.parts[i]
      return shown && 'text' in part && 'text' in shown ? starredPlaces(part.text, shown.text).map((place) => ({ part: i, ...place })) : []
    })
    return [{ field, places }]
  }
  return [...(hiddenFrom(ability) ?? [])].flatMap(ofKind)
}

const same = (one: Content, other: Content): boolean => JSON.stringify(one) === JSON.stringify(other)

function maskContent(ability: HubAbility, { parts, meta, failure, failureText }: Content): Content {
  const text = (words: string) => maskText(ability, words)
  const address = (one: { name?: string; address: string }) => ({
    ...one,
    ...(one.name === undefined ? {} : { name: text(maskField(ability, 'name', one.name)) }),
    address: maskField(ability, 'email', text(one.address)),
  })
  const returned = ({ rawFileId: _raw, ...one }: NonNullable<NonNullable<typeof meta>['returned']>[number]) => ({
    ...one,
    address: address(one).address,
    ...(one.sentence && { sentence: { zh: text(one.sentence.zh), en: text(one.sentence.en) } }),
  })
  return {
    parts: parts.map((part) => maskPart(ability, part)),
    // The letter as it came says all that is masked here: no way to it.
    meta: meta && {
      ...meta,
      ...(meta.subject === undefined ? {} : { subject: text(meta.subject) }),
      ...(meta.from && { from: address(meta.from) }),
      ...(meta.to && { to: meta.to.map(address) }),
      ...(meta.cc && { cc: meta.cc.map(address) }),
      ...(meta.replyTo && { replyTo: meta.replyTo.map(address) }),
      rawFileId: undefined,
      ...(meta.returned && { returned: meta.returned.map(returned) }),
    },
    failure: failure && text(failure),
    failureText: failureText && { zh: text(failureText.zh), en: text(failureText.en) },
  }
}

/** Parts whose words say less than the part itself: what each field is, and that it is a place. */
export const labelledParts: readonly MessagePart['type'][] = ['card', 'location']

/** The words of a message for lists, search and files: what the thread masks in its parts is masked in them. */
export function maskWords(ability: HubAbility, { parts, text }: { parts: readonly MessagePart[]; text: string }): string {
  if (text === '' || !hiddenFrom(ability)) return text
  return maskSaid(ability, parts.some(({ type }) => labelledParts.includes(type)) ? textOf(parts.map((part) => maskPart(ability, part))) : text)
}

type Found = { parts: readonly MessagePart[]; text: string; besides?: string | null | undefined }

/** All that a message is found by, as this reader sees it: its words, then what stands beside them. Each by itself, as in the thread. */
export function maskFound(ability: HubAbility, message: Found): string {
  return [maskWords(ability, message), maskBesides(ability, message)].filter(Boolean).join('\n')
}

function maskBesides(ability: HubAbility, { parts, besides }: Found): string {
  if (!besides || !hiddenFrom(ability)) return besides ?? ''
  const about = new Map(parts.flatMap((part) => (part.type === 'location' ? [[coordinatesOf(part), shownBesides(ability, [part]).join()]] : [])))
  return besides
    .split('\n')
    .map((line) => about.get(line) ?? maskText(ability, line))
    .join('\n')
}

/** What the parts say beside their words, a line each, for files. */
export const shownBesides = (ability: HubAbility, parts: readonly MessagePart[]): string[] =>
  parts.flatMap((part) => (besidesOf([part]).length > 0 ? besidesOf([maskPart(ability, part)]) : []))

/** A part for a reader who has not written it. */
export function maskPart(ability: HubAbility, part: MessagePart): MessagePart {
  const text = (words: string) => maskText(ability, words)
  switch (part.type) {
    case 'text':
      return { ...part, text: maskSaid(ability, part.text) }
    case 'html':
      return { ...part, html: maskHtml(ability, part.html), text: text(part.text), ...(part.quoted === undefined ? {} : { quoted: text(part.quoted) }) }
    case 'image':
    case 'file':
    case 'audio':
    case 'video':
      return { ...part, name: text(part.name) }
    case 'remote':
      return part.name === undefined ? part : { ...part, name: text(part.name) }
    case 'call':
      // Keys that were pressed may be a number.
      return part.path === undefined ? part : { ...part, path: text(part.path) }
    case 'location': {
      // About where, as with an address.
      const about = (degrees: number) => (hiddenFrom(ability)?.has('address') ? Math.round(degrees * 100) / 100 : degrees)
      return {
        ...part,
        lat: about(part.lat),
        lng: about(part.lng),
        ...(part.name === undefined ? {} : { name: maskField(ability, 'address', text(part.name)) }),
      }
    }
    case 'event':
      // What it is called is the hub's or an adapter's word, nobody's name.
      return part.params === undefined ? part : { ...part, params: maskDeep(ability, part.params) }
    default: {
      // Cards, links, what nobody knows: every word in it but what it is.
      const { type: _type, ...rest } = part
      return { ...maskDeep(ability, { ...rest, ...fieldsOf(part, ability) }), type: part.type } as MessagePart
    }
  }
}

/** A field of a card is what its label says it is. */
function fieldsOf(part: MessagePart, ability: HubAbility): object {
  if (part.type !== 'card' || !part.fields) return {}
  return { fields: part.fields.map(({ label, value }) => ({ label, value: maskNamed(ability, [label], value) })) }
}
