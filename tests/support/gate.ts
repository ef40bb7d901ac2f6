/** A gate for a platform of a test: while it is held, what goes through waits. */
export interface Gate {
  /** Until it is let go; at once when nobody holds it. */
  pass(): Promise<void>
  /** Holds it; what comes back lets go. */
  hold(): () => void
}

export function gate(): Gate {
  let held: Promise<void> | undefined
  return {
    pass: async () => held,
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return () => {
        held = undefined
        resolve()
      }
    },
  }
}
