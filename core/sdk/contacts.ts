/** What a plugin may do with a contact, and how it learns who asks. */
import type { LocalText } from './channel.ts'

/** What is masked for who may not see it; `document` (ID and bank card numbers) is found in messages only. */
export const personalFields = ['name', 'phone', 'email', 'wechat', 'qq', 'address', 'document'] as const
export type PersonalField = (typeof personalFields)[number]

/** A field of contacts that a plugin brings: shown and edited beside the core's own, gone from sight while the plugin is off. */
export interface ContactFieldDeclaration {
  /** With the plugin's id in front it is the field's name: `wechat` → `extraction.wechat`. */
  name: string
  label: LocalText
  /** Masked, and closed to editing, for those who may not see this of the core's fields. */
  personal?: PersonalField
}

/** Writing to contacts. A field is one of the core's (`phone`) or one that the plugin declares (`wechat`). */
export interface ContactHand {
  /**
   * Writes a field that is empty and that no person has had a hand in. `kept`: something stands there, or a person
   * emptied it, and it stays. A repeat is `filled` again. A phone, address or account that another contact has is offered to
   * agents as the same person, with the message it was found in.
   */
  fill(contactId: string, field: string, value: string, from?: { messageId?: string }): Promise<'filled' | 'kept'>
  /** A person's choice made through the plugin: from now on theirs. With `instead`, only where just that stands. */
  write(
    contactId: string,
    field: string,
    value: string,
    choice: { byAgentId: string; instead?: string; messageId?: string },
  ): Promise<{ written: boolean; before: string }>
  /** What stands in these fields, an empty string where nothing does. Throws HUB_NOT_FOUND. */
  read<F extends string>(contactId: string, fields: readonly F[]): Promise<Record<F, string>>
  /**
   * Puts the tag of this name on; makes it a system tag if there is none. A name in both languages is taken in the one that
   * the hub was set up in. Returns whether it was not there.
   */
  tag(contactId: string, name: string | LocalText): Promise<boolean>
}

/** Who asks a route of a plugin, and what their roles let them see. */
export interface Asker {
  agentId: string
  can(permission: string): boolean
  maySee(field: PersonalField): boolean
  /** The value as they may see it. */
  mask(field: PersonalField, value: string): string
  /** A text with the personal data in it masked as it is for them. */
  maskText(text: string): string
  /** Of these conversations those they may read. */
  conversations(ids: readonly string[]): Promise<string[]>
  /**
   * The contact of this id, or who it was merged into. Throws HUB_NOT_FOUND when they may see no conversation of theirs.
   * Asking is looking: it is told as `contact.viewed`, as if the core had shown the profile.
   */
  contact(id: string): Promise<string>
}
