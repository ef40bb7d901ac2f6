/** Which kinds of attachment a message carries. */
import type { MessagePart } from '../../../sdk/message-parts.ts'
import { type AttachmentKind, attachmentBits } from '../../../sdk/wire/record.ts'
import { type CarriedFile, filesIn } from '../file/claim-files.ts'

/** A file's kind by how it was sent, whatever is in it. */
export const kindOfFile: Readonly<Record<CarriedFile['as'], AttachmentKind>> = { image: 'image', file: 'file', audio: 'voice', video: 'video' }

/** The kinds of one part, with what lies inside it. A file on its way counts as what it will be. */
function kindsOf(part: MessagePart): AttachmentKind[] {
  if (part.type === 'link') return ['link']
  return part.type === 'remote' ? [kindOfFile[part.as]] : filesIn(part).map((file) => kindOfFile[file.as])
}

/** The bits of `attachmentBits` for a message; an address within the words counts as a link. */
export function attachmentsOf(parts: readonly MessagePart[], text: string): number {
  let bits = /https?:\/\//i.test(text) ? attachmentBits.link : 0
  for (const kind of parts.flatMap(kindsOf)) bits |= attachmentBits[kind]
  return bits
}
