/** A letter as it came over the wire says all that its message masks: it is not for those for whom something is masked. */
import type { LetterMeta } from '../../../sdk/channel.ts'
import type { HubAbility } from '../../access/ability.ts'
import { hiddenFrom } from '../../access/mask.ts'
import type { Em } from '../../db/orm.ts'
import { Message } from '../message/message.entity.ts'
import type { StoredFile } from './file.entity.ts'

/** The letter as it came, and the reports of its coming back. */
export const rawLettersOf = (meta: LetterMeta | null | undefined): string[] =>
  [meta?.rawFileId, ...(meta?.returned ?? []).map(({ rawFileId }) => rawFileId)].filter((id) => id !== undefined)

/** Of these files of a conversation, those that this reader may not have. Nothing is looked up for who sees everything. */
export async function rawLettersHidden(
  em: Em,
  ability: HubAbility,
  conversationId: string,
  files: readonly Pick<StoredFile, 'id' | 'messageId'>[],
): Promise<Set<string>> {
  if (!hiddenFrom(ability) || files.length === 0) return new Set()
  const carriers = [...new Set(files.flatMap(({ messageId }) => messageId ?? []))]
  // Of a file from before it was noted down which message carries it all of the conversation are asked.
  const some = files.every(({ messageId }) => messageId) ? { id: { $in: carriers } } : {}
  const letters = await em.find(Message, { conversationId, meta: { $ne: null }, ...some }, { fields: ['meta'], disableIdentityMap: true })
  const raw = new Set(letters.flatMap(({ meta }) => rawLettersOf(meta)))
  return new Set(files.filter(({ id }) => raw.has(id)).map(({ id }) => id))
}
