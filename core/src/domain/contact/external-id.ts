/**
 * A person's name on a channel. Where a channel says that such names are personal (`personalIds`: an address, a telephone
 * number), the database holds a keyed hash in its place, which is found and unique like any name, and the name sealed beside it.
 */
import { createHash } from 'node:crypto'
import type { PluginManifest } from '../../../sdk/plugin.ts'
import type { Em } from '../../db/orm.ts'
import type { Hub } from '../../hub.ts'
import { keysOf } from '../../sealing/sealed-columns.ts'
import type { Inbox } from '../inbox/inbox.entity.ts'
import { Identity } from './contact.entity.ts'

type Named = Pick<Identity, 'externalId' | 'sealedId'>

/** What to ask of an identity to know its name. */
export const nameColumns = ['externalId', 'sealedId'] as const
export const externalIdOf = ({ externalId, sealedId }: Named): string => sealedId || externalId

/** As long as its column. */
const idLength = 190
/** A name that is longer than its column, or ends in a space, which MySQL takes for none: it keeps its beginning and stays different. */
export const fittedId = (id: string): string =>
  id.length <= idLength && !id.endsWith(' ') ? id : `${id.slice(0, 120)}~${createHash('sha256').update(id).digest('hex')}`

export const hashedId = (em: Em, inboxId: string, externalId: string): string => `h1.${keysOf(em).blind('identity', `${inboxId}\n${externalId}`)}`

/** The channels whose names of people are personal, whether they run or not. */
export const personalChannels = (manifests: readonly Pick<PluginManifest, 'id' | 'personalIds'>[]): string[] =>
  manifests.filter(({ personalIds }) => personalIds).map(({ id }) => id)

/** Asked for every message, and plugins are loaded once. */
const known = new WeakMap<Hub['kernel'], ReadonlySet<string>>()
function isPersonal({ kernel }: Hub, channel: string): boolean {
  const channels = known.get(kernel) ?? new Set(personalChannels(kernel.all().map(({ manifest }) => manifest)))
  known.set(kernel, channels)
  return channels.has(channel)
}

/** What is written down of a name. */
export function storedName(hub: Hub, inbox: Pick<Inbox, 'id' | 'channel'>, externalId: string): Named {
  if (!isPersonal(hub, inbox.channel)) return { externalId, sealedId: '' }
  return { externalId: hashedId(hub.orm.em as Em, inbox.id, externalId), sealedId: externalId }
}

/** All that may stand for a name: what an older hub wrote in the clear is found until it has been sealed. */
export function writtenAs(hub: Hub, inbox: Pick<Inbox, 'id' | 'channel'>, externalId: string): string[] {
  const stored = storedName(hub, inbox, externalId)
  return stored.sealedId === '' ? [externalId] : [stored.externalId, externalId]
}

export async function findIdentity(hub: Hub, em: Em, { inboxId, externalId }: { inboxId: string; externalId: string }): Promise<Identity | null> {
  const inbox = await hub.intake.inbox(inboxId)
  return inbox && em.findOne(Identity, { inboxId, externalId: { $in: writtenAs(hub, inbox, fittedId(externalId)) } }, { disableIdentityMap: true })
}
