import { type Static, Type } from 'typebox'
import { Id, Instant, LocalText, Name, NullableId, NullableInstant } from './common.ts'

export const Inbox = Type.Object({
  id: Id,
  channel: Type.String(),
  name: Type.String(),
  /** Secrets are never read back: a set one reads `true`. */
  settings: Type.Record(Type.String(), Type.Unknown()),
  departmentId: NullableId,
  skillGroupId: NullableId,
  enabled: Type.Boolean(),
  /** Its secrets were sealed with another HUB_SECRET: it stands still until they are entered again. */
  needsSecrets: Type.Boolean(),
})
export type Inbox = Static<typeof Inbox>

/** How an inbox is: what its adapter last said, when it last lived, what waits to leave. */
export const InboxHealth = Type.Object({
  inboxId: Id,
  /** null = the adapter says nothing. */
  state: Type.Union([Type.Literal('connected'), Type.Literal('connecting'), Type.Literal('broken'), Type.Literal('unauthorised'), Type.Null()]),
  error: Type.Union([LocalText, Type.Null()]),
  remedy: Type.Union([LocalText, Type.Null()]),
  code: Type.Union([Type.String(), Type.Null()]),
  /** Until when a person's authorisation is good. */
  validUntil: NullableInstant,
  /** What it proves itself with now: a token that is renewed by itself, or something that does not end; null = the adapter says nothing. */
  credential: Type.Union([Type.Object({ kind: Type.Union([Type.Literal('token'), Type.Literal('lasting')]), validUntil: NullableInstant }), Type.Null()]),
  changedAt: NullableInstant,
  /** What was wrong last, also when it is well again. */
  lastError: Type.Union([LocalText, Type.Null()]),
  lastErrorAt: NullableInstant,
  lastEventAt: NullableInstant,
  lastSendAt: NullableInstant,
  /** Pushes that did not verify, since the last one that did; when the last such came. */
  refusedPushes: Type.Integer(),
  refusedAt: NullableInstant,
  behind: Type.Integer(),
  oldestBehindAt: NullableInstant,
})
export type InboxHealth = Static<typeof InboxHealth>

export const ProbeStep = Type.Object({ label: LocalText, ok: Type.Boolean(), waits: Type.Optional(Type.Literal(true)), detail: Type.Optional(LocalText) })

export const InboxInput = Type.Object({
  channel: Type.String({ maxLength: 40 }),
  name: Name(60),
  settings: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  departmentId: Type.Optional(NullableId),
  skillGroupId: Type.Optional(NullableId),
})
export type InboxInput = Static<typeof InboxInput>
export const InboxPatch = Type.Partial(
  Type.Object({
    name: InboxInput.properties.name,
    settings: Type.Record(Type.String(), Type.Unknown()),
    departmentId: NullableId,
    skillGroupId: NullableId,
    enabled: Type.Boolean(),
  }),
)
export type InboxPatch = Static<typeof InboxPatch>

/** A plugin as the admin sees it. */
export const PluginInfo = Type.Object({
  id: Type.String(),
  version: Type.String(),
  label: Type.Object({ zh: Type.String(), en: Type.String() }),
  description: Type.Union([Type.Object({ zh: Type.String(), en: Type.String() }), Type.Null()]),
  enabled: Type.Boolean(),
  state: Type.Union([Type.Literal('running'), Type.Literal('off'), Type.Literal('broken')]),
  error: Type.Union([Type.Object({ code: Type.String(), message: Type.String() }), Type.Null()]),
  /** A start that failed is tried again then. */
  retryAt: NullableInstant,
  /** It runs, but this hook of it, or what listens to this event, failed when it was called last. */
  fault: Type.Union([Type.Object({ what: Type.String(), message: Type.String(), at: Instant }), Type.Null()]),
  settingsSchema: Type.Union([Type.Unknown(), Type.Null()]),
  settings: Type.Record(Type.String(), Type.Unknown()),
  channel: Type.Boolean(),
  adminUi: Type.Union([Type.String(), Type.Null()]),
})
export type PluginInfo = Static<typeof PluginInfo>
