/** Which kinds of attachment a message carries. */
import type { MessagePart } from '../../../sdk/message-parts.ts'
import { type AttachmentKind, attachmentBits } from '../../../sdk/wire/record.ts'

const kinds: Partial<Record<MessagePart['type'], AttachmentKind>> = { image: 'image', file: 'file', audio: 'voice', video: 'video', link: 'link' }

/** The kind of one part; undefined for what is none. A file on its way counts as what it will be. */
export const attachmentKind = (part: MessagePart): AttachmentKind | undefined => kinds[part.type === 'remote' ? part.as : part.type]

/** The bits of `attachmentBits` for a message; an address within the words counts as a link. */
export function attachmentsOf(parts: readonly MessagePart[], text: string): number {
  let bits = /https?:\/\//i.test(text) ? attachmentBits.link : 0
  for (const part of parts) {
    const kind = attachmentKind(part)
    if (kind) bits |= attachmentBits[kind]
  }
  return bits
}
