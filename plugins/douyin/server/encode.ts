/** Parts as what `/im/send/msg/` takes: one platform message each, since Douyin's messages hold one thing. */
import { SendError } from '@huike/core/sdk/channel.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'

/** Text ≤ 1 000 characters; reported by integrators. */
export const maxText = 1_000
/** Not confirmed by the platform. */
export const maxImageBytes = 10 * 1024 * 1024

/** A message ready to go, or a picture that must be uploaded first. */
export type Step = { content: Record<string, unknown> } | { image: { fileId: string; size: number } }

/** @throws SendError for what Douyin cannot carry */
export function encode(parts: readonly MessagePart[]): Step[] {
  return parts.flatMap(stepsOf)
}

/** How many of Douyin's messages they will be, without asking whether it can carry them. */
export const countSteps = (parts: readonly MessagePart[]): number => parts.reduce((sum, part) => sum + (part.type === 'text' ? pieces(part.text).length : 1), 0)

function stepsOf(part: MessagePart): Step[] {
  switch (part.type) {
    case 'text':
      return pieces(part.text).map((text) => ({ content: { msg_type: 1, text: { text } } }))
    case 'image':
      if (part.size > maxImageBytes)
        throw new SendError('too-large', {
          retry: false,
          sentence: { zh: '图片超过 10 MB，抖音发不了。', en: 'The picture is larger than 10 MB: Douyin cannot carry it.' },
        })
      return [{ image: { fileId: part.fileId, size: part.size } }]
    case 'card': {
      const cardId = part.data?.cardId
      if (part.kind === 'lead-form' && typeof cardId === 'string' && cardId !== '')
        return [{ content: { msg_type: 8, retain_consult_card: { card_id: cardId } } }]
      throw refused(part.kind)
    }
    default:
      throw refused(part.type)
  }
}

const refused = (what: string): SendError =>
  new SendError('part', { retry: false, message: what, sentence: { zh: '抖音私信不支持这种内容。', en: 'Douyin messages cannot carry this.' } })

/** Never inside a character. */
function pieces(text: string): string[] {
  const points = [...text]
  const out: string[] = []
  for (let at = 0; at < points.length; at += maxText) out.push(points.slice(at, at + maxText).join(''))
  return out
}

export const imageContent = (mediaId: string): Record<string, unknown> => ({ msg_type: 2, image: { media_id: mediaId } })
