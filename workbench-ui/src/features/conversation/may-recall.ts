/** Whether one may take back a message: a note of one's own always, what went out for as long as the channel lets one. */
import type { ChannelCapabilities } from '../../../../core/sdk/channel.ts'
import type { Message } from '../../../../core/sdk/wire/conversation.ts'

export function mayRecall(message: Message | undefined, myId: string, capabilities: ChannelCapabilities | undefined): boolean {
  if (!message || message.recalledAt || message.authorId !== myId) return false
  if (message.direction === 'note') return true
  return message.direction === 'out' && Date.now() - Date.parse(message.createdAt) < (capabilities?.recallMs ?? 0)
}
