import { type Static, Type } from 'typebox'
import { Id, Instant, Name, NullableId } from './common.ts'
import { PreviewInfo } from './session.ts'

export const Presence = Type.Union([Type.Literal('online'), Type.Literal('busy'), Type.Literal('away'), Type.Literal('offline')])
export type Presence = Static<typeof Presence>

/** A colleague, as everyone in the workbench may see them. */
export const Colleague = Type.Object({
  id: Id,
  name: Type.String(),
  departmentId: NullableId,
  presence: Presence,
  openCount: Type.Integer(),
})
export type Colleague = Static<typeof Colleague>

export const Agent = Type.Object({
  id: Id,
  email: Type.String(),
  name: Type.String(),
  displayName: Type.String(),
  departmentId: NullableId,
  presence: Presence,
  capacity: Type.Integer(),
  openCount: Type.Integer(),
  active: Type.Boolean(),
  pending: Type.Boolean(),
  totp: Type.Boolean(),
  roleIds: Type.Array(Id),
  skillGroupIds: Type.Array(Id),
  createdAt: Instant,
})
export type Agent = Static<typeof Agent>

/** One account, as who changes it or switches it off must know it. `workingTokens`: those it made that open something today. */
export const AgentAccount = Type.Object({ ...Agent.properties, workingTokens: Type.Integer() })
export type AgentAccount = Static<typeof AgentAccount>

export const AgentInput = Type.Object({
  email: Type.String({ format: 'email', maxLength: 190 }),
  name: Name(60),
  displayName: Type.Optional(Type.String({ maxLength: 60 })),
  departmentId: Type.Optional(NullableId),
  capacity: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
  roleIds: Type.Array(Id, { minItems: 1, maxItems: 20 }),
  skillGroupIds: Type.Optional(Type.Array(Id, { maxItems: 50 })),
})
export type AgentInput = Static<typeof AgentInput>
const { email, name, displayName, departmentId, capacity, roleIds, skillGroupIds } = Agent.properties
/** `was`: what the fields held when they were read; where one holds something else now, nothing is changed. */
export const AgentPatch = Type.Partial(
  Type.Object({
    ...AgentInput.properties,
    active: Type.Boolean(),
    was: Type.Partial(Type.Object({ email, name, displayName, departmentId, capacity, roleIds, skillGroupIds })),
  }),
)
export type AgentPatch = Static<typeof AgentPatch>

/** Packed CASL rules and who they are for: what the UI builds its ability from. */
export const Me = Type.Object({
  agent: Agent,
  rules: Type.Array(Type.Unknown()),
  plugins: Type.Array(Type.Object({ id: Type.String(), workbench: Type.Union([Type.String(), Type.Null()]), admin: Type.Union([Type.String(), Type.Null()]) })),
  channels: Type.Array(
    Type.Object({
      id: Type.String(),
      label: Type.Object({ zh: Type.String(), en: Type.String() }),
      icon: Type.Union([Type.String(), Type.Null()]),
      capabilities: Type.Unknown(),
    }),
  ),
  /** Set while this session sees the hub as a role would. */
  preview: Type.Union([PreviewInfo, Type.Null()]),
  serverTime: Instant,
  version: Type.String(),
})
export type Me = Static<typeof Me>

export const Department = Type.Object({ id: Id, parentId: NullableId, name: Type.String() })
export type Department = Static<typeof Department>
export const DepartmentInput = Type.Object({
  name: Name(60),
  parentId: Type.Optional(NullableId),
})
export type DepartmentInput = Static<typeof DepartmentInput>
export const SkillGroup = Type.Object({ id: Id, name: Type.String(), agentIds: Type.Array(Id) })
export type SkillGroup = Static<typeof SkillGroup>
export const SkillGroupInput = Type.Object({
  name: Name(60),
  agentIds: Type.Optional(Type.Array(Id, { maxItems: 500 })),
})
