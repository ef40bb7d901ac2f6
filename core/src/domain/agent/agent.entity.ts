import { defineEntity, p } from '@mikro-orm/core'
import { idColumn, instant } from '../../db/types.ts'

export type Presence = 'online' | 'busy' | 'away' | 'offline'

const AgentSchema = defineEntity({
  name: 'Agent',
  tableName: 'agent',
  properties: {
    id: idColumn().primary(),
    email: p.string().length(190),
    name: p.string().length(60),
    /** What customers see; empty = the name. */
    displayName: p.string().length(60).default(''),
    passwordHash: p.string().length(255).nullable(),
    totpSecret: p.string().length(255).nullable(),
    /** The 30 seconds whose code was used last: a code counts once. */
    totpStep: p.integer().nullable(),
    departmentId: idColumn().nullable(),
    /** What the agent chose. Without a live connection (`seenAt`) it counts as offline all the same. */
    presence: p.string().length(10).$type<Presence>().default('offline'),
    seenAt: instant().nullable(),
    /** Conversations open at once before routing passes over this agent. */
    capacity: p.integer().default(10),
    /** Open conversations now; kept by assign and close in their own transactions. */
    openCount: p.integer().default(0),
    lastAssignedAt: instant().nullable(),
    active: p.boolean().default(true),
    locale: p.string().length(8).default('zh'),
    /** Bumped when roles, department or activity change: sockets rebuild their ability. */
    accessVersion: p.integer().default(0),
    createdAt: instant(),
  },
  uniques: [{ properties: ['email'], name: 'agent_email_unique' }],
  indexes: [{ properties: ['departmentId'], name: 'agent_department' }],
})
export class Agent extends AgentSchema.class {}
AgentSchema.setClass(Agent)

const AgentRoleSchema = defineEntity({
  name: 'AgentRole',
  tableName: 'agent_role',
  properties: { agentId: idColumn().primary(), roleId: idColumn().primary() },
  indexes: [{ properties: ['roleId'], name: 'agent_role_role' }],
})
export class AgentRole extends AgentRoleSchema.class {}
AgentRoleSchema.setClass(AgentRole)

const InvitationSchema = defineEntity({
  name: 'Invitation',
  tableName: 'invitation',
  properties: {
    id: idColumn().primary(),
    agentId: idColumn(),
    /** SHA-256 of the token in the link, hex. */
    tokenHash: p.string().length(64),
    createdAt: instant(),
    expiresAt: instant(),
    usedAt: instant().nullable(),
  },
  uniques: [{ properties: ['tokenHash'], name: 'invitation_token_unique' }],
})
export class Invitation extends InvitationSchema.class {}
InvitationSchema.setClass(Invitation)

export const agentEntities = [AgentSchema, AgentRoleSchema, InvitationSchema]
