/** Settings by schema: checked on save, defaults filled, secrets encrypted at rest and never read back. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { HubError } from '../../sdk/errors.ts'
import '../../sdk/formats.ts'
import { faultsOf, type RawFault } from '../../sdk/faults.ts'
import { isShown, shownOnly } from '../../sdk/shown-fields.ts'
import { at, counterpart, mapSecrets, pointer, secretsIn } from '../access/secrets.ts'

type Values = Record<string, unknown>

/**
 * Fills defaults, drops what the schema does not know, checks what is shown. What is not shown (`x-when`) keeps its value for
 * the day it is shown again, unless that is none the plugin could read. Throws HUB_SETTINGS_INVALID naming every field; `part`
 * is where in the request they stood.
 */
export function parseSettings(schema: TSchema | undefined, input: Values, part = ''): Values {
  if (!schema) return {}
  const value = Value.Clean(schema, Value.Default(schema, Value.Clone(input))) as Values
  mendHidden(schema, value)
  const shown = shownOnly(schema, value)
  const faults = faultsOf(Value.Errors(shown.schema, shown.values) as RawFault[], part)
  if (faults.length > 0) throw new HubError('HUB_SETTINGS_INVALID', 'Some settings are not valid', { faults })
  return value
}

/** What is not shown and does not fit becomes its default, or goes: nobody is asked for it. */
function mendHidden(schema: TSchema, values: Values): void {
  const { properties = {} } = schema as unknown as { properties?: Record<string, TSchema> }
  for (const [name, field] of Object.entries(properties)) {
    const value = values[name]
    if (isShown(schema, name, values)) {
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) mendHidden(field, value as Values)
      // What is sealed with another key is not ours to judge.
    } else if (value !== undefined && !isSealed(value) && !Value.Check(field, value)) {
      delete values[name]
      if ('default' in field) values[name] = structuredClone(field.default)
    }
  }
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

const isSealed = (value: unknown): value is string => typeof value === 'string' && /^sealed:[A-Za-z0-9+/]{38,}=*$/.test(value)

/** As they are stored. What is sealed already (`openMost`) stays as it is. */
export const sealSettings = (schema: TSchema | undefined, values: Values, vault: Vault): Values =>
  mapSecrets(schema, values, (secret) => (typeof secret === 'string' && secret !== '' && !isSealed(secret) ? vault.seal(secret) : secret))

/** As the plugin reads them. Throws HUB_SETTINGS_SEALED when a secret was sealed with another key than the hub has now. */
export function openSettings(schema: TSchema | undefined, stored: Values, vault: Vault): Values {
  const values = openMost(schema, stored, vault)
  const paths = secretsIn(schema, values).filter((path) => isSealed(at(values, path)))
  if (paths.length > 0)
    throw new HubError('HUB_SETTINGS_SEALED', 'Secrets were sealed with another HUB_SECRET: put it back, or enter them again', { paths: paths.map(pointer) })
  return schema ? (Value.Default(schema, values) as Values) : values
}

/** Like `openSettings`, but what cannot be opened stays sealed: saved again it is as it was, for the day the old key comes back. */
export const openMost = (schema: TSchema | undefined, stored: Values, vault: Vault): Values =>
  mapSecrets(schema, stored, (secret) => {
    if (!isSealed(secret)) return secret
    try {
      return vault.open(secret)
    } catch {
      return secret
    }
  })

/** Can all of its secrets be opened? */
export function canOpen(schema: TSchema | undefined, stored: Values, vault: Vault): boolean {
  const values = openMost(schema, stored, vault)
  return !secretsIn(schema, values).some((path) => isSealed(at(values, path)))
}

/** As the admin reads them: a secret that is set reads `true`. */
export const redactSettings = (schema: TSchema | undefined, stored: Values): Values =>
  mapSecrets(schema, (schema ? Value.Default(schema, Value.Clone(stored)) : stored) as Values, (secret) => (secret ? true : ''))

/**
 * A form sends `true` for a secret it did not touch: keep the old one. In a list it is the one of the entry that is
 * equal but for its secrets, or of the entry in the same place. A test of a form does so for
 * an empty one too. Throws HUB_SETTINGS_INVALID where it cannot be told.
 */
export function mergeSecrets(schema: TSchema | undefined, input: Values, opened: Values, alike?: 'empty'): Values {
  const bare = (values: Values) => mapSecrets(schema, values, () => null)
  const [asked, known] = [bare(input), bare(opened)]
  const faults: { path: string; message: string }[] = []
  const merged = mapSecrets(schema, input, (secret, path) => {
    if (secret !== true && !(alike && !secret)) return secret
    const from = counterpart(path, asked, known)
    if (!from) faults.push({ path: pointer(path), message: 'must be given again' })
    return from && at(opened, from)
  })
  if (faults.length > 0) throw new HubError('HUB_SETTINGS_INVALID', 'Some secrets must be given again', { faults })
  return merged
}
