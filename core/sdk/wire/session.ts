/** Signing in, one's own account, API tokens: what the forms send. */
import { type Static, Type } from 'typebox'
import { Id, Instant, Name, NullableInstant } from './common.ts'

const Email = Type.String({ format: 'email', maxLength: 190 })
/** A password that is there already: what it must be was asked when it was chosen. */
const Password = Type.String({ minLength: 1, maxLength: 200 })
/** The rest of the rules (`domain/session/password.ts`) need the address. */
const NewPassword = Type.String({ minLength: 10, maxLength: 200 })
export const Locale = Type.Union([Type.Literal('zh'), Type.Literal('en')])

export const LoginInput = Type.Object({
  email: Email,
  password: Password,
  /** Of the authenticator, or a recovery code. */
  code: Type.Optional(Type.String({ minLength: 1, maxLength: 40 })),
})

export const SetupInput = Type.Object({ name: Name(60), email: Email, password: NewPassword, locale: Type.Optional(Locale) })
export const JoinInput = Type.Object({ password: NewPassword })

export const PasswordChange = Type.Object({ current: Password, next: NewPassword })
export const MePatch = Type.Partial(Type.Object({ name: Name(60), displayName: Type.String({ maxLength: 60 }), locale: Locale, password: PasswordChange }))

export const TotpInput = Type.Object({
  secret: Type.String({ pattern: '^[A-Z2-7]{16,64}$' }),
  code: Type.String({ minLength: 6, maxLength: 10 }),
  password: Password,
})
export const PasswordProof = Type.Object({ password: Password })
export const RecoveryCodes = Type.Object({ recoveryCodes: Type.Array(Type.String()) })

export const SessionInfo = Type.Object({
  id: Id,
  ip: Type.String(),
  userAgent: Type.String(),
  createdAt: Instant,
  seenAt: Instant,
  current: Type.Boolean(),
})
export type SessionInfo = Static<typeof SessionInfo>

export const TokenInput = Type.Object({
  name: Name(60),
  permissions: Type.Array(Type.String({ maxLength: 80 }), { minItems: 1, maxItems: 100, uniqueItems: true }),
  /** Days from now; absent = until it is revoked. Not null: a 0 would be coerced to it, and never end. */
  expiresInDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 3650 })),
})
export type TokenInput = Static<typeof TokenInput>

export const ApiToken = Type.Object({
  id: Id,
  name: Type.String(),
  agentId: Id,
  agentName: Type.String(),
  permissions: Type.Array(Type.String()),
  createdAt: Instant,
  usedAt: NullableInstant,
  usedIp: Type.Union([Type.String(), Type.Null()]),
  expiresAt: NullableInstant,
  /** It opens nothing because of who made it: they are switched off, or may have no tokens any more. */
  stopped: Type.Union([Type.Literal('makerOff'), Type.Literal('makerMayNot'), Type.Null()]),
})
export type ApiToken = Static<typeof ApiToken>

/** The hub as a role would see it, until then. */
export const PreviewInfo = Type.Object({ roleId: Id, builtin: Type.Union([Type.String(), Type.Null()]), name: Type.String(), until: Instant })
export type PreviewInfo = Static<typeof PreviewInfo>
export const PreviewInput = Type.Object({ roleId: Id })
