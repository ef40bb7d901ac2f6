/** Batches whose progress stands beside the button that began them. */
export const followed = new Set<string>()
