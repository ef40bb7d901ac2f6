import type { Hub } from '../hub.ts'
export async function fillDemo(_hub: Hub): Promise<void> {}
