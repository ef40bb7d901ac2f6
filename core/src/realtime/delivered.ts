import type { Conversation } from '../domain/conversation/conversation.entity.ts'

type Marks = Pick<Conversation, 'id' | 'channel' | 'lastSeq' | 'agentReadSeq' | 'agentDeliveredSeq'>

/** Where it is told how far workbenches have received what customers wrote. */
export interface Delivered {
  /** Do customers of this channel see it? Only those who read from the hub. */
  shownOn(channel: string): boolean
  /** A workbench of somebody who may read it has received it up to here. */
  note(conversation: Pick<Conversation, 'id' | 'channel'>, seq: number): void
  /** Somebody fetched these to where they work: a person, not a program with a token, nor a preview that leaves no trace. */
  fetched(by: { preview: unknown; tokenId: string | null }, conversations: readonly Marks[]): void
  /** Resolves when what was gathered is written. */
  idle(): Promise<void>
}
