/** Who is refused at the door, asked for at every visitor's request: kept for a second per inbox, two queries whoever comes. */
import { Kept } from '../../db/kept.ts'
import type { Hub } from '../../hub.ts'
import { BlockedAddress, Identity } from './contact.entity.ts'
import { externalIdOf, findIdentity, nameColumns } from './external-id.ts'

const ttlMs = 1_000
/** An inbox with more blocked than this is looked up one by one. */
const most = 10_000

interface Blocked {
  addresses: Set<string>
  externalIds: Set<string>
  complete: boolean
}

export class BlockList {
  readonly #hub: Hub
  readonly #blocked = new Kept(ttlMs, (inboxId) => this.#load(inboxId))

  constructor(hub: Hub) {
    this.#hub = hub
  }

  async refuses(inboxId: string, externalId: string | undefined, address: string): Promise<boolean> {
    const blocked = await this.#blocked.of(inboxId)
    if (blocked.addresses.has(address) || (externalId !== undefined && blocked.externalIds.has(externalId))) return true
    if (blocked.complete) return false
    const em = this.#hub.em()
    if ((await em.count(BlockedAddress, { inboxId, address })) > 0) return true
    return externalId !== undefined && (await findIdentity(this.#hub, em, { inboxId, externalId }))?.blockedAt != null
  }

  async #load(inboxId: string): Promise<Blocked> {
    const em = this.#hub.em()
    const addresses = await em.find(BlockedAddress, { inboxId }, { fields: ['address'], limit: most, disableIdentityMap: true })
    const identities = await em.find(Identity, { inboxId, blockedAt: { $ne: null } }, { fields: [...nameColumns], limit: most, disableIdentityMap: true })
    return {
      addresses: new Set(addresses.map((row) => row.address)),
      externalIds: new Set(identities.map(externalIdOf)),
      complete: addresses.length < most && identities.length < most,
    }
  }
}
