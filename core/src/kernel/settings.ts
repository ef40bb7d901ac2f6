/** Settings by schema: checked on save, defaults filled, secrets encrypted at rest and never read back. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { HubError } from '../../sdk/errors.ts'
import { faultsOf, type RawFault } from '../../sdk/faults.ts'

type Values = Record<string, unknown>

const propertiesOf = (schema: TSchema | undefined): Record<string, TSchema & { format?: string }> =>
  ((schema as { properties?: Record<string, TSchema> } | undefined)?.properties ?? {}) as Record<string, TSchema & { format?: string }>

/** Fills defaults, drops what the schema does not know, checks. Throws HUB_SETTINGS_INVALID naming every field; `part` is where in the request they stood. */
export function parseSettings(schema: TSchema | undefined, input: Values, part = ''): Values {
  if (!schema) return {}
  const value = Value.Clean(schema, Value.Default(schema, Value.Clone(input))) as Values
  const faults = faultsOf(Value.Errors(schema, value) as RawFault[], part)
  if (faults.length > 0) throw new HubError('HUB_SETTINGS_INVALID', 'Some settings are not valid', { faults })
  return value
}

/** AES-256-GCM with a key of the hub's secret. */
export class Vault {
  readonly #key: Buffer
  constructor(secret: string, purpose = 'settings') {
    this.#key = Buffer.from(hkdfSync('sha256', secret, 'huike', purpose, 32))
  }
  seal(text: string): string {
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv)
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return `sealed:${Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64')}`
  }
  open(sealed: string): string {
    const bytes = Buffer.from(sealed.slice('sealed:'.length), 'base64')
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, 12))
    decipher.setAuthTag(bytes.subarray(12, 28))
    return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
  }
}

const secretsOf = (schema: TSchema | undefined): string[] =>
  Object.entries(propertiesOf(schema))
    .filter(([, property]) => property.format === 'secret')
    .map(([name]) => name)

/** As they are stored. */
export function sealSettings(schema: TSchema | undefined, values: Values, vault: Vault): Values {
  const sealed = { ...values }
  for (const name of secretsOf(schema)) if (typeof sealed[name] === 'string' && sealed[name] !== '') sealed[name] = vault.seal(sealed[name] as string)
  return sealed
}

/** As the plugin reads them. */
export function openSettings(schema: TSchema | undefined, stored: Values, vault: Vault): Values {
  const values = { ...stored }
  for (const name of secretsOf(schema)) {
    const value = values[name]
    if (typeof value === 'string' && value.startsWith('sealed:')) values[name] = vault.open(value)
  }
  return schema ? (Value.Default(schema, values) as Values) : values
}

/** As the admin reads them: a secret that is set reads `true`. */
export function redactSettings(schema: TSchema | undefined, stored: Values): Values {
  const values = (schema ? Value.Default(schema, Value.Clone(stored)) : { ...stored }) as Values
  for (const name of secretsOf(schema)) if (name in values) values[name] = values[name] ? true : ''
  return values
}

/** A form sends `true` for a secret it did not touch: keep the old one. */
export function mergeSecrets(schema: TSchema | undefined, input: Values, opened: Values): Values {
  const merged = { ...input }
  for (const name of secretsOf(schema)) if (merged[name] === true) merged[name] = opened[name]
  return merged
}
