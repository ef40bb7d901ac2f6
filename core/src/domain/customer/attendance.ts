/** Is somebody there who would answer, asked for at every visitor's session: kept for a second per inbox. */
import type { Hub } from '../../hub.ts'
import { isAttended } from '../conversation/assign-conversation.ts'

const ttlMs = 1_000

export class Attendance {
  readonly #hub: Hub
  readonly #kept = new Map<string, { at: number; attended: Promise<boolean> }>()

  constructor(hub: Hub) {
    this.#hub = hub
  }

  of(inboxId: string): Promise<boolean> {
    const known = this.#kept.get(inboxId)
    if (known && Date.now() - known.at < ttlMs) return known.attended
    const attended = this.#ask(inboxId)
    this.#kept.set(inboxId, { at: Date.now(), attended })
    attended.catch(() => this.#kept.delete(inboxId))
    return attended
  }

  async #ask(inboxId: string): Promise<boolean> {
    const inbox = await this.#hub.intake.inbox(inboxId)
    if (!inbox?.enabled) return false
    return isAttended(this.#hub, { inboxId, departmentId: inbox.departmentId, skillGroupId: inbox.skillGroupId })
  }
}
