import { type Static, Type } from 'typebox'
import { Id, Name } from './common.ts'

export const Scope = Type.Union([Type.Literal('own'), Type.Literal('department'), Type.Literal('tree'), Type.Literal('all')])
export type Scope = Static<typeof Scope>

/** One permission a role holds, how far it reaches, in which inboxes, and which personal fields it opens. */
export const Grant = Type.Object({
  permission: Type.String({ maxLength: 80 }),
  scope: Type.Optional(Scope),
  fields: Type.Optional(Type.Array(Type.String({ maxLength: 40 }), { maxItems: 20 })),
  /** A business line: it holds within these inboxes only. */
  inboxIds: Type.Optional(Type.Array(Id, { maxItems: 100 })),
})
export type Grant = Static<typeof Grant>

export const Role = Type.Object({
  id: Id,
  builtin: Type.Union([Type.String(), Type.Null()]),
  name: Type.String(),
  grants: Type.Array(Grant),
  agentCount: Type.Integer(),
})
export type Role = Static<typeof Role>

export const RoleInput = Type.Object({
  name: Name(60),
  grants: Type.Array(Grant, { maxItems: 200 }),
})
export type RoleInput = Static<typeof RoleInput>
/** `was`: what the fields held when they were read; where one holds something else now, nothing is changed. */
export const RolePatch = Type.Partial(Type.Object({ ...RoleInput.properties, was: Type.Partial(Type.Object({ grants: Role.properties.grants })) }))

/** Open conversations that would go back into the queue. */
export const Returning = Type.Object({ count: Type.Integer() })
export type Returning = Static<typeof Returning>

export const Permission = Type.Object({
  name: Type.String(),
  /** Plugin id, or null for the core's own. */
  plugin: Type.Union([Type.String(), Type.Null()]),
  /** What people call that plugin. */
  pluginLabel: Type.Union([Type.Object({ zh: Type.String(), en: Type.String() }), Type.Null()]),
  label: Type.Object({ zh: Type.String(), en: Type.String() }),
  /** Scopes that can be chosen; empty = it has none. */
  scopes: Type.Array(Scope),
  /** Personal fields that can be opened; empty = it has none. */
  fields: Type.Array(Type.String()),
  /** It can be held within some inboxes only. */
  inboxes: Type.Boolean(),
})
export type Permission = Static<typeof Permission>
