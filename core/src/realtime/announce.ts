/** After a commit: tells every process what changed in which conversation. Who may hear it is decided where the sockets are. */
import type { Conversation as WireConversation, Message as WireMessage } from '../../sdk/wire/conversation.ts'
import type { Conversation } from '../domain/conversation/conversation.entity.ts'
import { conversationJson, messageJson } from '../domain/conversation/conversation.present.ts'
import { type Visibility, visibilityOf } from '../domain/conversation/visibility.ts'
import type { Message } from '../domain/message/message.entity.ts'
import type { Hub } from '../hub.ts'
import { notifyCustomer } from './notify-customer.ts'

export interface ConversationChanged {
  before: Visibility | null
  after: Visibility
  conversation: Omit<WireConversation, 'contact'>
  contactId: string
  messages: WireMessage[]
}

/** What has been committed. */
interface Committed {
  conversation: Conversation
  /** Null: it was opened. */
  before: Visibility | null
  added: readonly Message[]
  changed: readonly Message[]
  /** The customer's external id, where it is known already. */
  customer?: string | undefined
}

export function announce(hub: Hub, changes: readonly Committed[]): void {
  for (const change of changes) {
    const changed: ConversationChanged = {
      before: change.before,
      after: visibilityOf(change.conversation),
      conversation: conversationJson(change.conversation),
      contactId: change.conversation.contactId,
      messages: [...change.added, ...change.changed].map(messageJson),
    }
    hub.bus.publish('conversation.changed', changed)
    // What stays among colleagues (notes, assignments, reading) is no news for the customer.
    if ([...change.added, ...change.changed].some((message) => message.direction !== 'note'))
      notifyCustomer(hub, change.conversation, { kind: 'changed', rev: change.conversation.rev }, change.customer)
  }
}

/** Facts that last no longer than they are on a screen: typing, looking. */
export interface Ephemeral {
  conversationId: string
  kind: 'typing' | 'viewing'
  /** Agent's id, or null for the customer. */
  agentId: string | null
  active: boolean
  /** What the visitor has typed so far. */
  text?: string
}
