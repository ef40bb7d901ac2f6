import { defineEntity, p } from '@mikro-orm/core'
import { idColumn, instant, json } from '../../db/types.ts'

const SessionSchema = defineEntity({
  name: 'Session',
  tableName: 'session',
  properties: {
    id: idColumn().primary(),
    agentId: idColumn(),
    /** SHA-256 of the cookie's token, hex: a stolen table opens nothing. */
    tokenHash: p.string().length(64),
    ip: p.string().length(45),
    userAgent: p.string().length(255),
    createdAt: instant(),
    seenAt: instant(),
    expiresAt: instant(),
    /** While set, this session sees the hub as the role would, and changes nothing. */
    previewRoleId: idColumn().nullable(),
    previewUntil: instant().nullable(),
  },
  uniques: [{ properties: ['tokenHash'], name: 'session_token_unique' }],
  indexes: [
    { properties: ['agentId'], name: 'session_agent' },
    { properties: ['expiresAt'], name: 'session_expires' },
  ],
})
export class Session extends SessionSchema.class {}
SessionSchema.setClass(Session)

const ApiTokenSchema = defineEntity({
  name: 'ApiToken',
  tableName: 'api_token',
  properties: {
    id: idColumn().primary(),
    agentId: idColumn(),
    name: p.string().length(60),
    tokenHash: p.string().length(64),
    /** Permissions it may use, of those its owner has. */
    permissions: json<string[]>(),
    createdAt: instant(),
    usedAt: instant().nullable(),
    usedIp: p.string().length(45).nullable(),
    expiresAt: instant().nullable(),
  },
  uniques: [{ properties: ['tokenHash'], name: 'api_token_token_unique' }],
  indexes: [{ properties: ['agentId'], name: 'api_token_agent' }],
})
export class ApiToken extends ApiTokenSchema.class {}
ApiTokenSchema.setClass(ApiToken)

/** For who has lost their authenticator: each opens the door once. */
const RecoveryCodeSchema = defineEntity({
  name: 'RecoveryCode',
  tableName: 'recovery_code',
  properties: {
    /** SHA-256, hex. A code has 80 random bits. */
    codeHash: p.string().length(64).primary(),
    agentId: idColumn(),
    usedAt: instant().nullable(),
  },
  indexes: [{ properties: ['agentId'], name: 'recovery_code_agent' }],
})
export class RecoveryCode extends RecoveryCodeSchema.class {}
RecoveryCodeSchema.setClass(RecoveryCode)

/** Failed logins per account and per address, counted in windows. */
const LoginThrottleSchema = defineEntity({
  name: 'LoginThrottle',
  tableName: 'login_throttle',
  properties: {
    key: p.string().length(100).primary(),
    failures: p.integer().default(0),
    windowStartedAt: instant(),
  },
  indexes: [{ properties: ['windowStartedAt'], name: 'login_throttle_window' }],
})
export class LoginThrottle extends LoginThrottleSchema.class {}
LoginThrottleSchema.setClass(LoginThrottle)

export const sessionEntities = [SessionSchema, ApiTokenSchema, RecoveryCodeSchema, LoginThrottleSchema]
