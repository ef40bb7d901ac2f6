import { HubError } from '../../sdk/errors.ts'

/** A hook or a listener that throws. The plugin runs on; the admin is shown it. */
export interface PluginFault {
  /** The hook's or the event's name. */
  what: string
  message: string
  at: Date
}

type Watcher = (id: string, what: string, message: string | null) => void

/** What of the running plugins failed the last time it was called, in this process or, where it is told, in another. */
export class PluginFaults {
  readonly #faults = new Map<string, Map<string, PluginFault>>()
  #watcher: Watcher | undefined

  /** Calls something of a plugin, and remembers whether it failed. What it refuses on purpose is no fault. */
  async watched<T>(id: string, what: string, work: () => Promise<T>): Promise<T> {
    const known = () => this.#faults.get(id)?.get(what)
    try {
      const result = await work()
      if (known()) this.#tell(id, what, null)
      return result
    } catch (error) {
      const message = ((error as Error)?.message ?? String(error)).slice(0, 300)
      const refused = error instanceof HubError && error.kind.status < 500
      if (!refused && known()?.message !== message) this.#tell(id, what, message)
      throw error
    }
  }

  #tell(id: string, what: string, message: string | null): void {
    this.note(id, what, message)
    this.#watcher?.(id, what, message)
  }

  /** Something failed, or (null) went well again. */
  note(id: string, what: string, message: string | null): void {
    const faults = this.#faults.get(id) ?? new Map<string, PluginFault>()
    this.#faults.set(id, faults)
    if (message === null) faults.delete(what)
    else faults.set(what, { what, message, at: new Date() })
  }

  /** The last of a plugin's. */
  of(id: string): PluginFault | undefined {
    return [...(this.#faults.get(id)?.values() ?? [])].at(-1)
  }

  forget(id: string): void {
    this.#faults.delete(id)
  }

  /** Called when something fails in this process for the first time, or with another message, or goes well again. */
  onChange(watcher: Watcher): () => void {
    this.#watcher = watcher
    return () => {
      this.#watcher = undefined
    }
  }
}
