/** What a client may tell the hub: one schema for each type of event. The README shows examples. */
import { type Static, type TSchema, Type } from 'typebox'

const Name = Type.String({ minLength: 1, maxLength: 150 })
const Text = (max: number) => Type.String({ maxLength: max })
const Time = Type.String({ maxLength: 40, pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)$' })
const optional = <T extends TSchema>(schema: T) => Type.Optional(schema)

/** A file by its address or by an upload that went before. */
const fileFields = {
  url: optional(Text(1_800)),
  uploadId: optional(Text(32)),
  sha256: optional(Type.String({ pattern: '^[0-9a-fA-F]{64}$' })),
  name: optional(Text(255)),
  mime: optional(Text(127)),
  size: optional(Type.Integer({ minimum: 0 })),
  durationMs: optional(Type.Integer({ minimum: 0 })),
}
const FileContent = Type.Object({
  type: Type.Union([Type.Literal('image'), Type.Literal('audio'), Type.Literal('video'), Type.Literal('file')]),
  ...fileFields,
})
const Content = Type.Union([
  Type.Object({ type: Type.Literal('text'), text: Text(20_000) }),
  FileContent,
  Type.Object({ type: Type.Literal('location'), lat: Type.Number(), lng: Type.Number(), name: optional(Text(300)), address: optional(Text(300)) }),
  Type.Object({ type: Type.Literal('link'), url: Text(2_048), title: optional(Text(300)), description: optional(Text(1_000)) }),
  Type.Object({
    type: Type.Literal('card'),
    kind: optional(Text(40)),
    title: Text(300),
    url: optional(Text(2_048)),
    fields: optional(Type.Array(Type.Object({ label: Text(100), value: Text(1_000) }), { maxItems: 50 })),
  }),
  Type.Object({ type: Type.Literal('event'), name: Text(64) }),
])
export type Content = Static<typeof Content>

/** A person. `verified`: the client vouches for phone, email and ids; it has signed for it. */
export const Person = Type.Object({
  externalId: Name,
  role: optional(Type.Union([Type.Literal('customer'), Type.Literal('agent'), Type.Literal('bot')])),
  name: optional(Text(60)),
  avatarUrl: optional(Text(1_000)),
  phone: optional(Text(40)),
  email: optional(Text(190)),
  /** Names that reach beyond this inbox: WeChat's, and the id that the website and the mini-program sign. */
  unionId: optional(Text(120)),
  userId: optional(Text(120)),
  verified: optional(Type.Boolean()),
})
export type Person = Static<typeof Person>

const Conversation = Type.Object({ externalId: Name, subject: optional(Text(300)) })
const messageFields = {
  externalMessageId: Name,
  conversation: optional(Conversation),
  sender: Person,
  /** Whom it went to, when an agent or a bot of the client's own wrote it. */
  recipient: optional(Person),
  content: Type.Array(Content, { minItems: 1, maxItems: 20 }),
  sentAt: optional(Time),
  replyToExternalId: optional(Name),
  context: optional(Type.Record(Type.String({ maxLength: 60 }), Type.Union([Text(1_000), Type.Number(), Type.Boolean(), Type.Null()]), { maxProperties: 40 })),
}
const about = (fields: Record<string, TSchema> = {}) => Type.Object({ sender: Person, ...fields })
const receipt = about({ externalMessageId: Name })
const callFields = {
  externalCallId: Name,
  direction: Type.Union([Type.Literal('in'), Type.Literal('out')]),
  from: Text(60),
  to: Text(60),
  /** Whose call it is, when the client knows better than by the number. */
  customer: optional(Person),
  agentExternalId: optional(Name),
  queue: optional(Text(100)),
  startedAt: Time,
  answeredAt: optional(Time),
  endedAt: optional(Time),
  ringSec: optional(Type.Number({ minimum: 0 })),
  talkSec: optional(Type.Number({ minimum: 0 })),
  ivrPath: optional(Text(300)),
  hangupBy: optional(Text(40)),
  note: optional(Text(5_000)),
  recording: optional(Type.Object({ url: optional(Text(1_800)), uploadId: optional(Text(32)), sha256: fileFields.sha256, expiresAt: optional(Time) })),
  transcript: optional(Type.Array(Type.Object({ speaker: Text(60), startMs: Type.Integer({ minimum: 0 }), text: Text(2_000) }), { maxItems: 2_000 })),
}
const result = Type.Union([Type.Literal('answered'), Type.Literal('missed'), Type.Literal('busy'), Type.Literal('failed'), Type.Literal('voicemail')])

export const types = {
  'message.created': Type.Object(messageFields),
  'message.edited': Type.Object(messageFields),
  'message.recalled': about({ externalMessageId: Name, recipient: optional(Person) }),
  'message.delivered': receipt,
  'message.read': receipt,
  'message.failed': about({ externalMessageId: Name, code: Text(60), reason: optional(Text(500)), retryable: optional(Type.Boolean()) }),
  'typing.started': about({ text: optional(Text(2_000)) }),
  'session.entered': about({
    page: optional(Text(1_000)),
    campaign: optional(Text(300)),
    sourceUrl: optional(Text(1_000)),
    appVersion: optional(Text(60)),
    locale: optional(Text(20)),
  }),
  'contact.updated': about(),
  'contact.unsubscribed': about(),
  'call.started': Type.Object({ ...callFields, result: optional(result) }),
  'call.ended': Type.Object({ ...callFields, result }),
  'call.recording.ready': Type.Object({
    ...callFields,
    result: optional(result),
    recording: Type.Object({ url: optional(Text(1_800)), uploadId: optional(Text(32)), sha256: fileFields.sha256, expiresAt: optional(Time) }),
  }),
  'form.submitted': about({
    externalFormId: Name,
    title: Text(300),
    fields: Type.Array(Type.Object({ label: Text(100), value: Text(1_000) }), { minItems: 1, maxItems: 50 }),
    page: optional(Text(1_000)),
  }),
} as const
export type EventType = keyof typeof types
export type DataOf<T extends EventType> = Static<(typeof types)[T]>

export const Envelope = Type.Object({ type: Type.String({ maxLength: 60 }), timestamp: optional(Time), data: Type.Unknown() })
