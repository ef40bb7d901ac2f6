/** What happens in the hub, as plugins hear of it (`on`, after the commit) and may change it (`hooks`, before the write). */
import type { ChannelSender, InboxHealth, LetterMeta } from './channel.ts'
import type { MessagePart } from './message-parts.ts'
import type { ConversationGroup, ConversationSort, SectionBy } from './wire/conversation.ts'
import type { BatchAction } from './wire/record.ts'

export interface MessageFacts {
  id: string
  conversationId: string
  inboxId: string
  /** Whose conversation it is. */
  contactId: string
  /**
   * Who wrote it, of a customer's message: in a thread that took somebody in copy not always the conversation's `identityId`. Null of
   * what is ours or the system's.
   */
  identityId: string | null
  seq: number
  direction: 'in' | 'out' | 'note' | 'system'
  /** What the platform calls it: of a customer's the name its event had. */
  externalId: string | null
  authorId: string | null
  parts: MessagePart[]
  text: string
  meta: LetterMeta | null
  /** As it was then. Ours is `queued` or `sending` until its fate is known. */
  status: 'received' | 'queued' | 'sending' | 'sent' | 'failed' | 'uncertain'
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

/** The agent whose request it was, and from where; null on an event that customers, platforms or the hub itself caused. */
export interface DoneBy {
  agentId: string
  /** It was an API token of that agent's. */
  tokenId: string | null
  ip: string
}

/**
 * Events by name. They are past: a listener may watch, never change them. A plugin's own (`ctx.tell`) are named
 * `<id>.<name>`; whoever listens to one gives it its type by declaring it here (`declare module`), `*` hears all.
 */
export interface HubEvents {
  'message.received': { message: MessageFacts; conversation: ConversationFacts }
  'message.sent': { message: MessageFacts; conversation: ConversationFacts }
  /**
   * What we sent did not arrive, and is not tried any more by itself: refused, given up, stopped by an agent, or reported
   * later; `failure` is the reason as `SendError` has it. An agent may send it again: then it can fail again.
   */
  'message.failed': { message: MessageFacts; conversation: ConversationFacts; failure: string }
  /** Whoever answers has seen everything up to here. `messageExternalId`: the platform's name of the customer's newest message of it. */
  'message.read': { conversation: ConversationFacts; upToSeq: number; messageExternalId: string | null; byAgentId: string }
  'conversation.opened': { conversation: ConversationFacts }
  'conversation.assigned': {
    conversation: ConversationFacts
    fromAgentId: string | null
    toAgentId: string | null
    byAgentId: string | null
    reason: string
  }
  'conversation.closed': { conversation: ConversationFacts; byAgentId: string | null; reason: string }
  /** Somebody read it as a record: its page was opened. */
  'record.viewed': { conversationId: string }
  /** A page of a list of records was read; `filter` as it was given, personal data in it starred, `shown` how many records stood on the page; `further`: it was not the first of them; `trialId`: shown by a trial of a retention rule; `counted`: only how many there are was asked. */
  'record.searched': { filter: Record<string, unknown>; shown: number; counted?: number; further?: true; trialId?: string }
  'record.categorised': { conversationId: string; categoryId: string | null; before: string | null }
  /** `changed`: the fields of the form that say something else now. `answers` has also what earlier forms asked for. */
  'record.summarised': { conversationId: string; answers: Record<string, unknown>; changed: string[] }
  'record.tagged': { conversationId: string; tagId: string; added: boolean }
  'record.archived': { conversationId: string; archived: boolean }
  /** `final`: cannot be restored. */
  'record.deleted': { conversationId: string; final: boolean }
  'record.restored': { conversationId: string }
  /** Work on many records was stopped while it went on; `agentId` had asked for it. */
  'record.batchCancelled': { batchId: string; action: BatchAction; agentId: string }
  /** Its rows and files are gone: who keeps something of their own about it lets go of that now. */
  'record.purged': { conversationId: string }
  /** A retention rule took the files of a conversation, which keeps its words: so many. */
  'record.stripped': { conversationId: string; count: number }
  /** A run of the retention rules has begun, by itself or by somebody's hand. */
  'retention.started': { runId: string }
  /** A run of the retention rules has ended (`stopped`: by whoever stopped it, or changed a rule): what went for good, and of how many conversations only the files. */
  'retention.ran': {
    runId: string
    state: 'done' | 'stopped' | 'failed'
    count: number
    messages: number
    stripped: number
    files: number
    bytes: number
    seconds: number
  }
  /** Files left the hub: one, or all of a record as a zip. `inline`: opened in the page (a picture, a recording). */
  'file.downloaded': { conversationId: string; fileIds: string[]; inline?: boolean }
  /** A page of the list of conversations was read, or of what changed: `shown` of them were another agent's, or had ended. */
  'conversation.listed': ListedConversations & { shown: number; further?: true }
  /** Somebody wrote to the customer (`messageId`) in a conversation that another agent holds, transferred it or ended it. */
  'conversation.assisted': { conversationId: string; deed: 'reply' | 'transfer' | 'close'; messageId?: string; assigneeId: string; byAgentId: string }
  /** A page of a list of visitors was read: `shown` of them were contacts with whom the reader does not talk. */
  'visitor.listed': { list: string; shown: number; further?: true }
  /** Somebody who holds no open conversation with them looked at their profile. */
  'contact.viewed': { contactId: string }
  /** Conversations were looked for by who the contact is; personal data in the words starred. */
  'contact.searched': { words: string; shown: number }
  'contact.blocked': { contactId: string; identityId: string; blocked: boolean; byAgentId: string }
  'contact.updated': { contactId: string; byAgentId: string | null; fields: string[] }
  'contact.tagged': { contactId: string; byAgentId: string | null; tagId: string; added: boolean }
  /** One kind of personal data that is masked for them was shown to somebody: of the contact, or in a message. Never the value, nor one in the reason. */
  'contact.revealed': { contactId: string; field: string; conversationId: string | null; messageId: string | null; reason: string }
  'agent.loggedIn': { agentId: string; ip: string }
  /** `agentId` null: there is no such account. */
  'agent.loginFailed': { email: string; agentId: string | null; ip: string; reason: 'password' | 'code' }
  'agent.loggedOut': { agentId: string }
  /** Sessions of an agent were ended from elsewhere than themselves. */
  'agent.sessionsEnded': { agentId: string; count: number }
  'agent.invited': { agentId: string; name: string; roleIds: string[]; byAgentId: string }
  /** `fields` that were given; `rolesAdded` and `rolesRemoved` hold the ids that differ; `renamed` and `moved` (to another department) only where they did. By themselves, too, whoever renames themselves. */
  'agent.changed': {
    agentId: string
    fields: string[]
    rolesAdded: string[]
    rolesRemoved: string[]
    active?: boolean
    renamed?: { from: string; to: string }
    moved?: Moved
    byAgentId: string
  }
  'role.created': { roleId: string; name: string; added: string[]; byAgentId: string }
  /** Permissions as `record.read`, with its reach as `record.read:tree`, and the inboxes it ends at as `record.read:all{<id>,<id>}`. */
  'role.changed': { roleId: string; name: string; added: string[]; removed: string[]; byAgentId: string }
  'role.deleted': { roleId: string; name: string; byAgentId: string }
  /** They said so, or signed in or out. Whoever only stops being heard of still has what they said last. */
  'agent.presenceChanged': { agentId: string; presence: 'online' | 'busy' | 'away' | 'offline' }
  'token.created': { tokenId: string; name: string; permissions: string[]; byAgentId: string }
  'token.revoked': { tokenId: string; name: string; agentId: string; byAgentId: string }
  'preview.started': { roleId: string; byAgentId: string; until: string }
  'preview.ended': { roleId: string; byAgentId: string }
  /** `byAgentId` only where somebody else did it (`totp-reset`). */
  'account.secured': {
    agentId: string
    change: 'password' | 'totp-on' | 'totp-off' | 'totp-reset' | 'recovery-codes' | 'recovery-code-used'
    byAgentId?: string
  }
  /** A listener failed so often that it will not be told of an event any more: `event` its name, `ofAgentId` who did what it was about. */
  'event.givenUp': { listener: string; event: string; eventId: string; attempts: number; ofAgentId: string | null }
  /** Work that was given up is tried again: `kind` `parked` (what customers sent), `deliveries` (events to listeners) or `jobs`. */
  'event.triedAgain': { kind: string; count: number; byAgentId: string }
  'plugin.switched': { pluginId: string; enabled: boolean; byAgentId: string | null }
  /** `byAgentId` null: evidence that somebody vouches for did it by itself. */
  'contact.merged': { fromId: string; intoId: string; identityIds: string[]; byAgentId: string | null }
  'contact.split': { fromId: string; intoId: string; identityIds: string[]; byAgentId: string | null }
  /**
   * A customer is known by a better name: a stranger signed in. `fromIdentityId` null: it is the same identity, renamed; else the
   * conversations of that one are this one's now, and `contact.merged` tells whether the contacts became one.
   */
  'contact.identified': { contactId: string; identityId: string; fromIdentityId: string | null; inboxId: string }
  'inbox.healthChanged': { inboxId: string; state: InboxHealth['state']; code: string | null }
  /** `scope`: `inbox`, `department`, `skill-group`, `tag`, `assignment`, `categories`, `summary-form`, `retention`, `plugin:<id>`. */
  'settings.changed': {
    scope: string
    byAgentId: string | null
    change?: 'created' | 'changed' | 'deleted'
    id?: string
    name?: string
    fields?: string[]
    /** Of a department: below which it was and is. */
    moved?: Moved
  }
}
/** Which list it was, as it was asked for; `changes`: what changed since then. */
export type ListedConversations = { group: ConversationGroup; sort?: ConversationSort; by?: SectionBy; key?: string } | { group: 'changes'; since: string }

/** From one department to another, with the names of then; null = none. */
export interface Moved {
  from: { id: string; name: string } | null
  to: { id: string; name: string } | null
}
export type HubEventName = keyof HubEvents

/** An event as a listener gets it; `id` is the same at every retry. */
export type HubEvent<N extends HubEventName = HubEventName> = {
  [K in N]: { id: string; name: K; at: string; data: HubEvents[K]; by: DoneBy | null }
}[N]

/** Hooks by name: awaited, in plugin order. Return a changed input, nothing to let it pass, or throw a HubError to refuse. */
export interface HubHooks {
  /** A customer's message before it is stored. While it fails it is tried again; after three times a line says that it is there, and the next ones pass. */
  'inbound.accept': { inboxId: string; channel: string; from: ChannelSender; parts: MessagePart[] }
  /** An agent's message before it is stored. */
  'outbound.send': { inboxId: string; channel: string; conversationId: string; agentId: string | null; parts: MessagePart[] }
}
export type HubHookName = keyof HubHooks
