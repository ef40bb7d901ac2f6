import type { EntityManager } from '@mikro-orm/core'

/** Names of agents by id, also of those who have left. */
export async function agentNames(em: EntityManager, ids: readonly string[]): Promise<Map<string, string>> {
  const wanted = [...new Set(ids)]
  if (wanted.length === 0) return new Map()
  const rows = (await em.getConnection().execute(`select id, name from agent where id in (${wanted.map(() => '?').join()})`, wanted)) as {
    id: string
    name: string
  }[]
  return new Map(rows.map(({ id, name }) => [id, name]))
}
