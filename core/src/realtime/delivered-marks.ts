/**
 * How far workbenches have received what a customer wrote, for customers whose own client shows it. Each process gathers what
 * its agents got and writes it a few times a second: one statement for many conversations, none for each message. It is no
 * change that agents hear of, so it counts no revision.
 */
import type { Em } from '../db/orm.ts'
import { retryOnConflict } from '../db/retry.ts'
import { execute, list, readRaw, type Sql, sql } from '../db/statements.ts'
import { Identity } from '../domain/contact/contact.entity.ts'
import { externalIdOf, nameColumns } from '../domain/contact/external-id.ts'
import { adapterOf } from '../domain/inbox/channels.ts'
import type { Hub } from '../hub.ts'
import type { Delivered } from './delivered.ts'
import { notifyCustomer } from './notify-customer.ts'

const everyMs = 250
/** While customers' messages come in without a pause. */
const busyMs = 1_000
/** Conversations of one statement. */
const atOnce = 64

export class DeliveredMarks implements Delivered {
  readonly #hub: Hub
  #wanted = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  constructor(hub: Hub) {
    this.#hub = hub
  }

  shownOn(channel: string): boolean {
    return adapterOf(this.#hub, channel)?.notify !== undefined
  }

  note({ id, channel }: Parameters<Delivered['note']>[0], seq: number): void {
    if (!this.shownOn(channel)) return
    this.#wanted.set(id, Math.max(seq, this.#wanted.get(id) ?? 0))
    this.#timer ??= setTimeout(() => this.#flush(), this.#hub.intake.busy() ? busyMs : everyMs)
  }

  fetched({ preview, tokenId }: Parameters<Delivered['fetched']>[0], conversations: Parameters<Delivered['fetched']>[1]): void {
    if (preview || tokenId) return
    for (const one of conversations) if (Math.max(one.agentDeliveredSeq, one.agentReadSeq) < one.lastSeq) this.note(one, one.lastSeq)
  }

  async idle(): Promise<void> {
    if (this.#timer) this.#flush()
    await this.#writing
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const wanted = [...this.#wanted].sort(([a], [b]) => (a < b ? -1 : 1))
    this.#wanted = new Map()
    this.#writing = this.#writing
      .then(async () => {
        for (let at = 0; at < wanted.length; at += atOnce) await this.#write(new Map(wanted.slice(at, at + atOnce)))
      })
      .catch((error) => this.#hub.log.warn({ err: error }, 'what was delivered could not be noted'))
  }

  async #write(wanted: ReadonlyMap<string, number>): Promise<void> {
    const em = this.#hub.em()
    const rows = await readRaw<{ id: string; inboxId: string; channel: string; identityId: string; seq: number }>(
      em,
      sql`select id, inbox_id as inboxId, channel, identity_id as identityId, agent_delivered_seq as seq
          from conversation where id in ${list([...wanted.keys()])}`,
    )
    const behind = rows.flatMap(({ seq, ...row }) => {
      const to = wanted.get(row.id) ?? 0
      return seq < to ? [{ ...row, to }] : []
    })
    if (behind.length === 0) return
    await retryOnConflict(() => raise(em, behind))
    const ids = behind.map(({ identityId }) => identityId)
    const customers = await em.find(Identity, { id: { $in: ids } }, { fields: ['id', ...nameColumns], disableIdentityMap: true })
    const names = new Map(customers.map((identity) => [identity.id, externalIdOf(identity)]))
    for (const { to, ...target } of behind) notifyCustomer(this.#hub, target, { kind: 'delivered', seq: to }, names.get(target.identityId))
  }
}

/** Never back: another process may have written a later number meanwhile. */
async function raise(em: Em, rows: readonly { id: string; to: number }[]): Promise<void> {
  const marks: Sql = {
    text: `case id ${'when ? then ? '.repeat(rows.length)}end`,
    params: rows.flatMap(({ id, to }) => [id, to]),
  }
  await execute(
    em,
    sql`update conversation set agent_delivered_seq = ${marks} where id in ${list(rows.map(({ id }) => id))} and agent_delivered_seq < ${marks}`,
  )
}
