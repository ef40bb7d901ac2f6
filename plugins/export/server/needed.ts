/** What somebody must be allowed to do to take an export with them: asked when it is ordered, written, downloaded and delivered. */
import { type Asker, personalFields } from '@huike/core/sdk/contacts.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { RecordFilter } from '@huike/core/sdk/wire/record.ts'
import { Value } from 'typebox/value'
import type { Ctx } from './context.ts'
import type { ExportFile } from './export.entity.ts'
import type { Order } from './order.ts'
import { refusal } from './refusals.ts'

type Asked = Pick<Order, 'personal'> & Partial<Pick<Order, 'attachments' | 'format' | 'rows' | 'images'>>

/** Pictures stand where they were sent. */
const hasPictures = ({ format, rows, images }: Asked): boolean => format === 'pdf' && rows === 'message' && images !== false

const takeFiles = 'file.download'

export const neededFor = (order: Asked): string[] => [
  'export.record',
  ...(order.personal ? ['export.personal'] : []),
  ...(order.attachments || hasPictures(order) ? [takeFiles] : []),
]

/** The order as it is for who may take no files along: a PDF names the pictures. */
export const withinFiles = <O extends Asked>(order: O, may: boolean): O => (may || !hasPictures(order) ? order : { ...order, images: false })
export const mayTakeFiles = (asker: Pick<Asker, 'can'>): boolean => asker.can(takeFiles)
export const mayAgentTakeFiles = (ctx: Ctx, agentId: string): Promise<boolean> => ctx.may(agentId, takeFiles)

/** Throws HUB_FORBIDDEN with the permission that is missing. */
export function checkMay(asker: Pick<Asker, 'can'>, order: Asked): void {
  const permission = neededFor(order).find((one) => !asker.can(one))
  if (permission) throw new HubError('HUB_FORBIDDEN', 'You may not export this', { permission })
}

type File = Pick<ExportFile, 'shows'>
/** What the file shows unmasked of whom it is about. One from before the hub kept that shows perhaps all. */
const shownIn = ({ shows }: File, { personal }: Asked) => personalFields.filter((field) => personal && (shows?.split(' ').includes(field) ?? true))

/** Throws HUB_FORBIDDEN for a file that shows what this agent sees masked: it was written for who sees more, or they have lost it. */
export function checkSees(asker: Pick<Asker, 'maySee'>, file: File, order: Asked): void {
  const fields = shownIn(file, order).filter((field) => !asker.maySee(field))
  if (fields.length > 0) throw refusal('HUB_FORBIDDEN', 'The file shows what you may not see', 'unseen', undefined, { permission: 'contact.personal', fields })
}

/** Throws HUB_REQUEST_INVALID for a colleague who could not open the file: `row` where it is being written, or is there. */
export async function checkShared(ctx: Ctx, agentIds: readonly string[], order: Order, path: string, row?: ExportFile): Promise<void> {
  for (const agentId of agentIds) {
    const opens = (await stillMay(ctx, agentId, order)) && (!row || (await stillSees(ctx, agentId, row, order)))
    if (!opens) throw refusal('HUB_REQUEST_INVALID', 'This colleague may not open it', 'colleague', path, { agentId })
  }
}

/** Throws HUB_REQUEST_INVALID for what lies in the recycle bin: it is there to be looked at, no more. */
export function checkOutsideBin({ filter, table }: Pick<Order, 'filter' | 'table'>, path: string): void {
  const asked = [filter, table?.filter.records] as ({ status?: unknown } | undefined)[]
  if (asked.some((one) => Array.isArray(one?.status) && one.status.includes('deleted')))
    throw refusal('HUB_REQUEST_INVALID', 'What lies in the recycle bin is not exported', 'bin', path)
}

/**
 * A filter that cannot be read is told who orders, not found out by the writing. Throws HUB_REQUEST_INVALID for it, HUB_FORBIDDEN
 * for a customer's field that its orderer may not look for.
 */
export async function checkFilter(ctx: Ctx, agentId: string, order: Order): Promise<void> {
  const asked = order.filter ?? order.table?.filter.records
  if (!Value.Check(RecordFilter, asked)) return
  try {
    await ctx.records.check({ agentId, permission: 'export.record' }, asked, { tz: order.tz })
  } catch (error) {
    if (!(error instanceof HubError) || error.code !== 'HUB_REQUEST_INVALID') throw error
    throw refusal('HUB_REQUEST_INVALID', error.message, 'filter', '/filter')
  }
}

/** For work in the background: whether its owner may have it now. */
export async function stillMay(ctx: Ctx, agentId: string, order: Order): Promise<boolean> {
  for (const permission of neededFor(order)) if (!(await ctx.may(agentId, permission))) return false
  return mayRead(ctx, agentId, order)
}

/** The same of what the finished file shows. */
export async function stillSees(ctx: Ctx, agentId: string, file: File, order: Order): Promise<boolean> {
  const { maySee } = await ctx.masksFor({ agentId, personal: true })
  return shownIn(file, order).every((field) => maySee(field))
}

/** The list that it is of, if it is of one, may be read. */
export const mayRead = async (ctx: Ctx, agentId: string, { table }: Order): Promise<boolean> =>
  !table || (await ctx.tables.list(agentId)).some(({ name }) => name === table.name)
