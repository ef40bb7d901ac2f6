/** A card or a link that an agent wrote: checked by the form of its kind, as the composer checks it. */
import { Value } from 'typebox/value'
import type { ChannelCapabilities } from '../../sdk/channel.ts'
import { HubError } from '../../sdk/errors.ts'
import { faultsOf, type RawFault } from '../../sdk/faults.ts'
import type { ComposablePart } from '../../sdk/message-parts.ts'
import type { Em } from '../db/orm.ts'
import { StoredFile } from '../domain/file/file.entity.ts'

type Part<T extends ComposablePart['type']> = Extract<ComposablePart, { type: T }>

export const isWebAddress = (url: string): boolean => /^https?:\/\//i.test(url) && URL.canParse(url)

/** Throws HUB_MESSAGE_REFUSED: what customers are sent to is a page, nothing that runs. */
export function checkLink({ url }: Part<'link'>): void {
  if (!isWebAddress(url)) throw new HubError('HUB_MESSAGE_REFUSED', 'A link leads to a web page', { reason: 'link' })
}

/** The card with what its form knows, nothing else. Throws HUB_MESSAGE_REFUSED with the faults, field by field. */
export async function checkedCard(em: Em, card: Part<'card'>, { cards }: ChannelCapabilities): Promise<Part<'card'>> {
  if (card.url !== undefined && !isWebAddress(card.url)) throw new HubError('HUB_MESSAGE_REFUSED', 'A link leads to a web page', { reason: 'link' })
  // Its bytes go out as a picture, and this is an agent's upload (`claimFiles`).
  const cover = card.cover === undefined ? undefined : await em.findOne(StoredFile, { id: card.cover }, { fields: ['mime'], disableIdentityMap: true })
  if (cover && !cover.mime.startsWith('image/')) throw new HubError('HUB_MESSAGE_REFUSED', 'The cover is no picture', { reason: 'card', field: 'cover' })
  if (!cards) {
    const { coverRef: _none, standsFor: _neither, ...written } = card
    return written
  }
  const form = cards.find(({ kind }) => kind === card.kind)
  if (!form) throw new HubError('HUB_MESSAGE_REFUSED', `This channel has no card ${card.kind}`, { reason: 'part', part: 'card' })
  const { title, url, cover: picture } = card
  const given = Object.fromEntries(Object.entries({ ...card.data, title, url, cover: picture }).filter(([, value]) => value !== undefined))
  const values = Value.Clean(form.fields, given) as Record<string, unknown>
  const faults = faultsOf(Value.Errors(form.fields, values) as RawFault[])
  if (faults.length > 0) throw new HubError('HUB_MESSAGE_REFUSED', 'The card is not filled in as it must be', { reason: 'card', faults })
  const own = new Set(['title', 'url', 'cover'])
  return {
    type: 'card',
    kind: card.kind,
    title,
    ...(url !== undefined && 'url' in values ? { url } : {}),
    ...(picture !== undefined && 'cover' in values ? { cover: picture } : {}),
    ...(card.fields ? { fields: card.fields } : {}),
    data: Object.fromEntries(Object.entries(values).filter(([name]) => !own.has(name))),
  }
}
