/** What somebody must be allowed to do to take an export with them: asked when it is ordered, written, downloaded and delivered. */
import { HubError } from '@huike/core/sdk/errors.ts'
import type { Ctx } from './context.ts'
import type { Order } from './order.ts'

type Asked = Pick<Order, 'personal'> & { attachments?: boolean | undefined }

export const neededFor = ({ personal, attachments }: Asked): string[] => [
  'export.record',
  ...(personal ? ['export.personal'] : []),
  ...(attachments ? ['file.download'] : []),
]

/** Throws HUB_FORBIDDEN with the permission that is missing. */
export function checkMay(asker: Pick<ReturnType<Ctx['asker']>, 'can'>, order: Asked): void {
  const permission = neededFor(order).find((one) => !asker.can(one))
  if (permission) throw new HubError('HUB_FORBIDDEN', 'You may not export this', { permission })
}

/** For work in the background: whether its owner may have it now. */
export async function stillMay(ctx: Ctx, agentId: string, order: Order): Promise<boolean> {
  for (const permission of neededFor(order)) if (!(await ctx.may(agentId, permission))) return false
  return mayRead(ctx, agentId, order)
}

/** The list that it is of, if it is of one, may be read. */
export const mayRead = async (ctx: Ctx, agentId: string, { table }: Order): Promise<boolean> =>
  !table || (await ctx.tables.list(agentId)).some(({ name }) => name === table.name)
