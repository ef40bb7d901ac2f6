/** What may still be sent now, and for how long: by the grant that lasts longest, with those that end before it told beside it. */
export interface ReplyGrantLeft {
  /** Milliseconds since 1970. */
  until: number
  /** Messages; null = no count. */
  left: number | null
}
export interface ReplyWindowNow extends ReplyGrantLeft {
  /** More messages, of grants that end sooner: they are used first, and lost when their time is up. */
  sooner: ReplyGrantLeft | undefined
}

/** Undefined: nothing may be sent. */
export function replyWindowNow(grants: readonly ReplyGrantLeft[], now: number): ReplyWindowNow | undefined {
  const live = grants.filter(({ until, left }) => until > now && left !== 0)
  if (live.length === 0) return undefined
  const until = Math.max(...live.map((grant) => grant.until))
  const sooner = live.filter((grant) => grant.until < until)
  return {
    until,
    left: sum(live.filter((grant) => grant.until === until)),
    sooner: sooner.length > 0 ? { until: Math.max(...sooner.map((grant) => grant.until)), left: sum(sooner) } : undefined,
  }
}

const sum = (grants: readonly ReplyGrantLeft[]): number | null =>
  grants.reduce<number | null>((all, { left }) => (all === null || left === null ? null : all + left), 0)
