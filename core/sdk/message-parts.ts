/**
 * What a message is made of. A channel adapter turns a platform's payload into parts and parts into a
 * payload; everything between (storage, realtime, the workbench, export) knows parts only.
 */
import { type Static, Type } from 'typebox'

const fileFields = {
  /** Id of a stored file; its bytes are served by `/api/files/:id`. */
  fileId: Type.String({ maxLength: 26 }),
  name: Type.String({ maxLength: 255 }),
  mime: Type.String({ maxLength: 127 }),
  /** Bytes. */
  size: Type.Integer({ minimum: 0 }),
}

/** Words of an adapter's own about what it tells, where the platform has none: shown in the reader's language, never searched. */
const Label = Type.Object({ zh: Type.String({ maxLength: 100 }), en: Type.String({ maxLength: 100 }) })

export const TextPart = Type.Object({
  type: Type.Literal('text'),
  text: Type.String({ maxLength: 20_000 }),
  /** What kind of words they are, when the sender has not typed them: "as heard in the voice message". */
  label: Type.Optional(Label),
  /**
   * Not the words of whoever the message is from: what both said in a call, what somebody noted of it. Shown and found like others;
   * who reads words for what their writer says of themself leaves them out.
   */
  reported: Type.Optional(Type.Literal(true)),
})
export const ImagePart = Type.Object({
  type: Type.Literal('image'),
  ...fileFields,
  /** Pixels, as they are shown (after the EXIF rotation). */
  width: Type.Optional(Type.Integer()),
  height: Type.Optional(Type.Integer()),
})
export const FilePart = Type.Object({ type: Type.Literal('file'), ...fileFields })
export const AudioPart = Type.Object({
  type: Type.Literal('audio'),
  ...fileFields,
  durationMs: Type.Optional(Type.Integer({ minimum: 0 })),
})
export const VideoPart = Type.Object({
  type: Type.Literal('video'),
  ...fileFields,
  durationMs: Type.Optional(Type.Integer({ minimum: 0 })),
})
export const LinkPart = Type.Object({
  type: Type.Literal('link'),
  url: Type.String({ maxLength: 2048 }),
  title: Type.Optional(Type.String({ maxLength: 300 })),
  description: Type.Optional(Type.String({ maxLength: 1000 })),
})
export const LocationPart = Type.Object({
  type: Type.Literal('location'),
  lat: Type.Number(),
  lng: Type.Number(),
  name: Type.Optional(Type.String({ maxLength: 300 })),
})
/** A line of the system's own ("transferred to Wang"), worded by the reader's language: `name` picks the sentence. */
export const EventPart = Type.Object({
  type: Type.Literal('event'),
  name: Type.String({ maxLength: 64 }),
  params: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
})
/**
 * A file that the platform still keeps: its message is safe, the bytes are on their way. Replaced by an image, audio,
 * video or file part when they are here; `failed` after the last try, then an agent may ask again. `removed`: it was here,
 * and a retention rule took it; nobody can get it again.
 */
export const RemotePart = Type.Object({
  type: Type.Literal('remote'),
  as: Type.Union([Type.Literal('image'), Type.Literal('audio'), Type.Literal('video'), Type.Literal('file')]),
  /** The adapter's own name of it, for `fetchFile`; never sent to browsers. */
  ref: Type.String({ maxLength: 2_000 }),
  name: Type.Optional(Type.String({ maxLength: 255 })),
  failed: Type.Optional(Type.Boolean()),
  removed: Type.Optional(Type.Literal(true)),
})
/**
 * A letter's body as it was written. `html` has been sanitised by whoever made the part (`sanitize-letter.ts`): the adapter for
 * what comes in, the core for what agents write; browsers still show it in a sandbox.
 */
export const HtmlPart = Type.Object({
  type: Type.Literal('html'),
  html: Type.String({ maxLength: 500_000 }),
  /** The new words, without quotation and signature. */
  text: Type.String({ maxLength: 100_000 }),
  /** What was quoted or signed below, folded away, never lost. */
  quoted: Type.Optional(Type.String({ maxLength: 200_000 })),
  /** Images inside the letter, by content id. */
  inline: Type.Optional(Type.Array(Type.Object({ cid: Type.String({ maxLength: 300 }), fileId: Type.String({ maxLength: 26 }) }), { maxItems: 200 })),
  /** It asks for pictures from elsewhere: shown only when the reader says so. */
  remoteImages: Type.Optional(Type.Boolean()),
})
/** A product, a mini-program, a lead form: a titled thing with fields and perhaps an address. */
export const CardPart = Type.Object({
  type: Type.Literal('card'),
  /** What it is in the platform's words: `miniprogram`, `lead-form`. */
  kind: Type.String({ maxLength: 40 }),
  title: Type.String({ maxLength: 300 }),
  /** Instead of a title: then that is empty. */
  label: Type.Optional(Label),
  url: Type.Optional(Type.String({ maxLength: 2048 })),
  /**
   * Of what comes in: the platform only says that there is a picture, a film …, and gives no bytes. A message of ours of
   * unknown fate with such a file is what an echo with this card confirms.
   */
  standsFor: Type.Optional(Type.Union([Type.Literal('image'), Type.Literal('audio'), Type.Literal('video'), Type.Literal('file')])),
  /** Its picture: id of a stored file. */
  cover: Type.Optional(Type.String({ maxLength: 26 })),
  /** Of what comes in: the adapter's name of a picture that the platform keeps, for `fetchFile`; replaced by `cover`, never sent to browsers. */
  coverRef: Type.Optional(Type.String({ maxLength: 2_000 })),
  fields: Type.Optional(Type.Array(Type.Object({ label: Type.String({ maxLength: 100 }), value: Type.String({ maxLength: 1_000 }) }), { maxItems: 50 })),
  /** The adapter's own data, for sending one again. */
  data: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
})
/**
 * A telephone call. Told again under the same id it stays one message: what was told later (`toldAt`, milliseconds since
 * 1970) wins field by field. The customer's number is the identity's and stands in none of them.
 */
export const CallPart = Type.Object({
  type: Type.Literal('call'),
  way: Type.Union([Type.Literal('in'), Type.Literal('out')]),
  outcome: Type.Union([
    Type.Literal('answered'),
    Type.Literal('missed'),
    Type.Literal('rejected'),
    Type.Literal('busy'),
    Type.Literal('failed'),
    Type.Literal('voicemail'),
  ]),
  /** Talked. */
  durationMs: Type.Optional(Type.Integer({ minimum: 0 })),
  ringMs: Type.Optional(Type.Integer({ minimum: 0 })),
  /** Our number: the one that was called, or that called. */
  line: Type.Optional(Type.String({ maxLength: 60 })),
  queue: Type.Optional(Type.String({ maxLength: 100 })),
  /** Who of ours had it, as the telephone system calls them. */
  agent: Type.Optional(Type.String({ maxLength: 150 })),
  hangupBy: Type.Optional(Type.String({ maxLength: 40 })),
  /** The way through the telephone system's menu. */
  path: Type.Optional(Type.String({ maxLength: 300 })),
  toldAt: Type.Optional(Type.Integer({ minimum: 0 })),
})
/** What a platform sent and nobody knows: kept whole, shown as such, never dropped. */
export const UnsupportedPart = Type.Object({ type: Type.Literal('unsupported'), raw: Type.Unknown() })

export const MessagePart = Type.Union([
  TextPart,
  ImagePart,
  FilePart,
  AudioPart,
  VideoPart,
  LinkPart,
  LocationPart,
  EventPart,
  RemotePart,
  HtmlPart,
  CardPart,
  CallPart,
  UnsupportedPart,
])
export type MessagePart = Static<typeof MessagePart>
export type PartType = MessagePart['type']

/** The parts a person may compose; the rest only ever arrives. */
export const ComposablePart = Type.Union([TextPart, ImagePart, FilePart, AudioPart, VideoPart, LinkPart, CardPart, HtmlPart])
export type ComposablePart = Static<typeof ComposablePart>

/** The adapter's name of a file of this part that is still to be fetched. */
export function awaitedRef(part: MessagePart): string | undefined {
  if (part.type === 'remote') return part.failed || part.removed ? undefined : part.ref
  return part.type === 'card' ? part.coverRef : undefined
}

/** A label and its value stand in one line. */
export const inLine = (text: string): string => text.replace(/\s*\n\s*/g, ' ')

/** The words of a message, for lists, search and notices. Never HTML. */
export function textOf(parts: readonly MessagePart[]): string {
  return parts
    .map((part) => {
      switch (part.type) {
        case 'text':
        case 'html':
          return part.text
        case 'link':
          return part.title ?? part.url
        case 'card':
          return [part.title, ...(part.fields ?? []).map(({ label, value }) => `${inLine(label)}: ${inLine(value)}`)].filter(Boolean).join('\n')
        case 'location':
          // Its label tells whoever masks the words what they are.
          return part.name ? `位置: ${inLine(part.name)}` : ''
        case 'file':
          return part.name
        default:
          return ''
      }
    })
    .filter(Boolean)
    .join('\n')
}

/** Where a place lies, in degrees, as people write it. */
export const coordinatesOf = ({ lat, lng }: Pick<Static<typeof LocationPart>, 'lat' | 'lng'>): string => `${lat}, ${lng}`

/** What parts say beside their words, a line each, for search and files: the address behind a title, where a place lies. */
export function besidesOf(parts: readonly MessagePart[]): string[] {
  return parts
    .map((part) => {
      switch (part.type) {
        case 'link':
          return part.title === undefined ? '' : inLine(part.url)
        case 'card':
          return inLine(part.url ?? '')
        case 'location':
          return coordinatesOf(part)
        default:
          return ''
      }
    })
    .filter(Boolean)
}
