/** How one message looks: those the hub has, and those on their way. */
import type { MessagePart } from '../../../../core/sdk/message-parts.ts'
import type { CustomerMessage } from '../../../../core/sdk/wire/customer.ts'
import { h } from './dom.ts'
import type { Thread, Waiting } from './thread.ts'
import { viewPicture } from './view-picture.ts'
import { sentenceOf, type Words } from './words.ts'

const ofWeb = /(https?:\/\/[^\s<>"'，。！？、）)]+)/g
const words = (text: string) =>
  h(
    'p',
    { className: 'text' },
    ...text.split(ofWeb).map((piece, i) => (i % 2 ? h('a', { href: piece, target: '_blank', rel: 'noopener noreferrer' }, piece) : piece)),
  )

/** A picture stands by itself, without a frame around it. */
function bubble(parts: readonly Node[]): Node {
  const bare = parts.every((part) => part.nodeName === 'IMG' || part.firstChild?.nodeName === 'IMG')
  return h('div', { className: bare ? 'bubble bare' : 'bubble' }, ...parts)
}

/** The hour, and the day when it is not this one. */
function clock(at: string): string {
  const time = new Date(at)
  const hour = time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false })
  return time.toDateString() === new Date().toDateString() ? hour : `${time.toLocaleDateString([], { month: 'numeric', day: 'numeric' })} ${hour}`
}

export class MessageView {
  readonly #thread: Thread
  readonly #w: Words
  /** A picture has come and made its message taller. */
  readonly #grown: () => void
  constructor(thread: Thread, w: Words, grown: () => void) {
    this.#thread = thread
    this.#w = w
    this.#grown = grown
  }

  #part(part: MessagePart): Node {
    const fileUrl = (id: string, thumbnail = false) => this.#thread.fileUrl(id, thumbnail)
    switch (part.type) {
      case 'text':
        return words(part.text)
      case 'image': {
        const alt = part.name || this.#w.picture
        const { width = 200, height = 150 } = part
        return h(
          'button',
          {
            type: 'button',
            className: 'picture',
            'aria-label': `${this.#w.picture} ${part.name}`,
            onclick: () => viewPicture(fileUrl(part.fileId), alt, this.#w),
          },
          h('img', { src: fileUrl(part.fileId, true), alt, width, height, onload: this.#grown }),
        )
      }
      case 'audio':
        return h('audio', { controls: true, preload: 'none', src: fileUrl(part.fileId), 'aria-label': this.#w.audio })
      case 'video':
        return h('video', { controls: true, preload: 'metadata', src: fileUrl(part.fileId) })
      case 'file':
        return h('a', { className: 'file', href: fileUrl(part.fileId), target: '_blank', rel: 'noopener' }, `📄 ${part.name}`)
      case 'link':
        return h('a', { href: part.url, target: '_blank', rel: 'noopener noreferrer' }, part.title ?? part.url)
      default:
        return h('p', { className: 'text' }, part.type === 'remote' && part.removed ? this.#w.removed : this.#w.unsupported)
    }
  }

  /** How far one's own message has come: the hub has it, a workbench has it, whoever answers has seen it. */
  reached({ conversationId, seq }: CustomerMessage): 'sent' | 'delivered' | 'read' {
    const { conversation } = this.#thread
    if (conversationId !== conversation?.id) return 'sent'
    return seq <= conversation.agentReadSeq ? 'read' : seq <= conversation.agentDeliveredSeq ? 'delivered' : 'sent'
  }

  /** What it answers to, as long as that has not been taken back. */
  quoteOf({ quote }: CustomerMessage): CustomerMessage['quote'] {
    return quote && !this.#thread.messages.some(({ id, recalled }) => id === quote.id && recalled) ? quote : null
  }

  #quote(m: CustomerMessage): Node | null {
    const w = this.#w
    const quote = this.quoteOf(m)
    const kinds: Record<string, string> = { image: w.picture, audio: w.audio, video: w.video, file: w.file }
    return quote && h('p', { className: 'quote' }, w.replyTo + (quote.text || kinds[quote.kind] || w.unsupported))
  }

  message(m: CustomerMessage): Node {
    const w = this.#w
    const mine = m.from === 'me'
    const about = mine ? `${clock(m.at)}  ${w[this.reached(m)]}` : `${m.name || w.agent}  ${clock(m.at)}`
    return h(
      'div',
      { className: mine ? 'message mine' : 'message', 'data-testid': 'visitor-message' },
      h('span', { className: 'meta' }, about),
      this.#quote(m),
      m.recalled ? bubble([h('p', { className: 'gone' }, mine ? w.recalledMine : w.recalled)]) : bubble(m.parts.map((part) => this.#part(part))),
    )
  }

  waiting({ clientId, parts, file, failure, taken }: Waiting, online: boolean): Node {
    const w = this.#w
    return h(
      'div',
      { className: 'message mine waiting', 'data-testid': 'visitor-waiting' },
      failure
        ? h(
            'span',
            { className: 'meta fault', role: 'alert' },
            sentenceOf(w, failure),
            h('button', { type: 'button', onclick: () => this.#thread.retry(clientId) }, w.retry),
            h('button', { type: 'button', onclick: () => this.#thread.drop(clientId) }, w.discard),
          )
        : h('span', { className: 'meta' }, taken ? w.sent : online ? w.sending : w.waitingLine),
      bubble(file ? [this.#file(file)] : parts.map((part) => this.#part(part))),
    )
  }

  /** Not handed in yet: as this browser has it. */
  #file({ blob, name }: NonNullable<Waiting['file']>): Node {
    if (!/^image\/(png|jpe?g|gif|webp)$/.test(blob.type)) return h('p', { className: 'file' }, `📄 ${name}`)
    const src = URL.createObjectURL(blob)
    const shown = () => {
      URL.revokeObjectURL(src)
      this.#grown()
    }
    return h('img', { src, alt: name, onload: shown })
  }
}
