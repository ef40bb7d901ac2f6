/** What happens in the hub, as plugins hear of it (`on`, after the commit) and may change it (`hooks`, before the write). */
import type { ChannelSender, InboxHealth, LetterMeta } from './channel.ts'
import type { MessagePart } from './message-parts.ts'

export interface MessageFacts {
  id: string
  conversationId: string
  inboxId: string
  contactId: string
  seq: number
  direction: 'in' | 'out' | 'note' | 'system'
  authorId: string | null
  parts: MessagePart[]
  text: string
  meta: LetterMeta | null
  at: string
}

export interface ConversationFacts {
  id: string
  inboxId: string
  channel: string
  contactId: string
  identityId: string
  status: 'queued' | 'open' | 'closed'
  assigneeId: string | null
  departmentId: string | null
}

/** Events by name. They are past: a listener may watch, never change them. */
export interface HubEvents {
  'message.received': { message: MessageFacts; conversation: ConversationFacts }
  'message.sent': { message: MessageFacts; conversation: ConversationFacts }
  'conversation.opened': { conversation: ConversationFacts }
  'conversation.assigned': {
    conversation: ConversationFacts
    fromAgentId: string | null
    toAgentId: string | null
    byAgentId: string | null
    reason: string
  }
  'conversation.closed': { conversation: ConversationFacts; byAgentId: string | null; reason: string }
  'contact.updated': { contactId: string; byAgentId: string | null; fields: string[] }
  'contact.tagged': { contactId: string; byAgentId: string | null; tagId: string; added: boolean }
  'agent.loggedIn': { agentId: string; ip: string }
  'agent.presenceChanged': { agentId: string; presence: string }
  'token.created': { tokenId: string; name: string; permissions: string[]; byAgentId: string }
  'token.revoked': { tokenId: string; name: string; agentId: string; byAgentId: string }
  'preview.started': { roleId: string; byAgentId: string; until: string }
  'preview.ended': { roleId: string; byAgentId: string }
  'account.secured': { agentId: string; change: 'password' | 'totp-on' | 'totp-off' | 'recovery-codes' | 'recovery-code-used' }
  'plugin.switched': { pluginId: string; enabled: boolean; byAgentId: string | null }
  /** `byAgentId` null: evidence that somebody vouches for did it by itself. */
  'contact.merged': { fromId: string; intoId: string; identityIds: string[]; byAgentId: string | null }
  'contact.split': { fromId: string; intoId: string; identityIds: string[]; byAgentId: string | null }
  'inbox.healthChanged': { inboxId: string; state: InboxHealth['state']; code: string | null }
  'settings.changed': { scope: string; byAgentId: string | null }
}
export type HubEventName = keyof HubEvents

/** An event as a listener gets it; `id` is the same at every retry. */
export type HubEvent<N extends HubEventName = HubEventName> = {
  [K in N]: { id: string; name: K; at: string; data: HubEvents[K] }
}[N]

/** Hooks by name: awaited, in plugin order. Return a changed input, nothing to let it pass, or throw a HubError to refuse. */
export interface HubHooks {
  /** A customer's message before it is stored. */
  'inbound.accept': { inboxId: string; channel: string; from: ChannelSender; parts: MessagePart[] }
  /** An agent's message before it is stored. */
  'outbound.send': { inboxId: string; channel: string; conversationId: string; agentId: string | null; parts: MessagePart[] }
}
export type HubHookName = keyof HubHooks
