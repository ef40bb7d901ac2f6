/**
 * Work that is due lies in the database; a queue only hurries it. `hurry(topic, key)` means "somebody look at
 * what is due under this key, now". Losing every hint costs a second: `due.ts` finds the rows again.
 */
export type Worker = (key: string) => Promise<void>

export interface Queue {
  hurry(topic: Topic, key: string): void
  /** Takes hints of a topic in this process. */
  work(topic: Topic, worker: Worker): void
  healthy(): boolean
  close(): Promise<void>
}

/** outbound: a conversation's id. delivery: a listener's id. inbound: a parked event's id. job: a job's id. fetch: a message's id. people: a suggestion's or a move's id. batch: a record batch's id. retention: a run's id. */
export const topics = ['outbound', 'delivery', 'inbound', 'job', 'fetch', 'people', 'batch', 'retention'] as const
export type Topic = (typeof topics)[number]
