import { type Static, Type } from 'typebox'
import { Id, Name, NullableId } from './common.ts'

export const Inbox = Type.Object({
  id: Id,
  channel: Type.String(),
  name: Type.String(),
  /** Secrets are never read back: a set one reads `true`. */
  settings: Type.Record(Type.String(), Type.Unknown()),
  departmentId: NullableId,
  skillGroupId: NullableId,
  enabled: Type.Boolean(),
})
export type Inbox = Static<typeof Inbox>

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
  settingsSchema: Type.Union([Type.Unknown(), Type.Null()]),
  settings: Type.Record(Type.String(), Type.Unknown()),
  channel: Type.Boolean(),
  adminUi: Type.Union([Type.String(), Type.Null()]),
})
export type PluginInfo = Static<typeof PluginInfo>
