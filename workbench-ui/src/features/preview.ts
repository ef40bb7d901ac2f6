/** The last message of a conversation in a few words. */
import type { Conversation } from '../../../core/sdk/wire/conversation.ts'

export function previewText({ preview, previewDirection }: Conversation, t: (key: string) => string): string {
  const kind = /^\[(\w+)\]$/.exec(preview)?.[1]
  const text = kind ? t(`list.kind.${kind}`) : preview
  return previewDirection === 'out' ? t('list.youSaid') + text : text
}
