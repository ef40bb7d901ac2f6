/**
 * Rejects when the work takes longer: with `late`, or with words that name it. Nothing stops the work itself.
 * @param ms milliseconds
 */
export async function inTime<T>(work: Promise<T>, ms: number, late: string | (() => Error)): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(typeof late === 'string' ? new Error(`${late} took longer than ${ms} ms`) : late()), ms)
  })
  try {
    return await Promise.race([work, over])
  } finally {
    clearTimeout(timer)
  }
}
