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

export const TextPart = Type.Object({ type: Type.Literal('text'), text: Type.String({ maxLength: 20_000 }) })
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
/** What a platform sent and nobody knows: kept whole, shown as such, never dropped. */
export const UnsupportedPart = Type.Object({ type: Type.Literal('unsupported'), raw: Type.Unknown() })

export const MessagePart = Type.Union([TextPart, ImagePart, FilePart, AudioPart, VideoPart, LinkPart, LocationPart, EventPart, UnsupportedPart])
export type MessagePart = Static<typeof MessagePart>
export type PartType = MessagePart['type']

/** The parts a person may compose; the rest only ever arrives. */
export const ComposablePart = Type.Union([TextPart, ImagePart, FilePart, AudioPart, VideoPart, LinkPart])
export type ComposablePart = Static<typeof ComposablePart>

/** The words of a message, for lists, search and notices. Never HTML. */
export function textOf(parts: readonly MessagePart[]): string {
  return parts
    .map((part) => {
      switch (part.type) {
        case 'text':
          return part.text
        case 'link':
          return part.title ?? part.url
        case 'location':
          return part.name ?? ''
        case 'file':
          return part.name
        default:
          return ''
      }
    })
    .filter(Boolean)
    .join('\n')
}
