/** The last message of a conversation in a few words. */
import type { Conversation } from '../../../core/sdk/wire/conversation.ts'

/** `whose`: the name of who has the conversation, where it is not the reader's own. */
export function previewText({ preview, previewDirection }: Conversation, t: (key: string, values?: Record<string, unknown>) => string, whose?: string): string {
  const kind = /^\[(\w+)\]$/.exec(preview)?.[1]
  const text = kind ? t(`list.kind.${kind}`) : preview
  if (previewDirection !== 'out') return text
  return (whose ? t('list.theySaid', { name: whose }) : t('list.youSaid')) + text
}
