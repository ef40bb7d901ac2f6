/**
 * Personal fields and files at rest: AES-256-GCM under the first of the hub's data keys, opened with whichever of them
 * sealed it. Exact look-ups go by a keyed hash (blind index) whose key is the hub's own and outlives rotations.
 */
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Platform } from '@mikro-orm/core'
import { HubError } from '../../sdk/errors.ts'
import { bindSealer } from '../../sdk/sealed.ts'

export interface DataKey {
  id: string
  /** 32 bytes. */
  key: Buffer
}

/** `e1.<blind index>.<key id>.<base64url of iv, tag, body>` */
const form = /^e1\.[0-9a-f]{32}\.([a-z0-9-]{1,12})\.([\w-]{38,})$/
const noBlind = '0'.repeat(32)
/** The key that sealed it; undefined for what is in the clear. */
export const sealedWith = (text: string): string | undefined => form.exec(text)?.[1]

const derived = (from: Buffer | string, purpose: string): Buffer => Buffer.from(hkdfSync('sha256', from, 'huike', purpose, 32))

export class Keyring {
  readonly #keys: readonly { id: string; fields: KeyObject; files: KeyObject }[]
  #index: KeyObject | undefined
  /** The places' names as bytes: a dozen. */
  readonly #places = new Map<string, Buffer>()

  /** The first seals. */
  constructor(keys: readonly DataKey[]) {
    // Made into the engine's own form once: a message does not pay for it.
    this.#keys = keys.map(({ id, key }) => ({ id, fields: createSecretKey(derived(key, 'fields')), files: createSecretKey(derived(key, 'files')) }))
  }

  get ids(): string[] {
    return this.#keys.map(({ id }) => id)
  }
  /** The one that seals. */
  get first(): string {
    return this.#first().id
  }
  #first() {
    const [first] = this.#keys
    if (!first) throw new HubError('HUB_DATA_SEALED', 'There is no data key: set HUB_DATA_KEY or HUB_SECRET')
    return first
  }

  /** The key of the blind index: 32 bytes that the database keeps, sealed. */
  useIndex(key: Buffer): void {
    this.#index = createSecretKey(key)
  }

  #place(name: string): Buffer {
    const known = this.#places.get(name) ?? Buffer.from(name)
    this.#places.set(name, known)
    return known
  }

  /** `place` is the table and column: a text moved elsewhere does not open. */
  seal(place: string, text: string, blind: string = noBlind): string {
    const { id, fields } = this.#first()
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', fields, iv).setAAD(this.#place(place))
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return `e1.${blind}.${id}.${Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url')}`
  }

  /** What is in the clear stays as it is. Throws HUB_DATA_SEALED when the key is missing or the text was changed. */
  open(place: string, sealed: string): string {
    const found = form.exec(sealed)
    if (!found) return sealed
    const [, id, rest] = found as unknown as [string, string, string]
    const key = this.#keys.find((one) => one.id === id)
    if (!key) throw missing(id)
    const bytes = Buffer.from(rest, 'base64url')
    try {
      const decipher = createDecipheriv('aes-256-gcm', key.fields, bytes.subarray(0, 12)).setAAD(this.#place(place)).setAuthTag(bytes.subarray(12, 28))
      return decipher.update(bytes.subarray(28), undefined, 'utf8') + decipher.final('utf8')
    } catch {
      throw new HubError('HUB_DATA_SEALED', `What the key "${id}" sealed does not open: is it another key of that name?`, { key: id })
    }
  }

  /** 32 hex digits: equal for equal values of a kind, and nothing else can be told from them without the key. */
  blind(kind: string, value: string): string {
    if (!this.#index) throw new HubError('HUB_DATA_SEALED', 'The index key is sealed with a data key that the hub does not have')
    return createHmac('sha256', this.#index).update(`${kind}\0${value}`).digest('hex').slice(0, 32)
  }

  /** The name under which the storage holds a file: it does not tell which known file it is. */
  fileName(key: string): string {
    if (!this.#index) throw new HubError('HUB_DATA_SEALED', 'The index key is sealed with a data key that the hub does not have')
    return createHmac('sha256', this.#index).update(`file\0${key}`).digest('hex')
  }

  /** The key of one file. Throws HUB_DATA_SEALED when its data key is missing. */
  fileKey(id: string, salt: Buffer): Buffer {
    const key = this.#keys.find((one) => one.id === id)
    if (!key) throw missing(id)
    return Buffer.from(hkdfSync('sha256', key.files, salt, 'file', 32))
  }
}

const missing = (id: string): HubError =>
  new HubError('HUB_DATA_SEALED', `It was sealed with the data key "${id}", which the hub does not have: put it back into HUB_DATA_KEY`, { key: id })

/** `id:key,id:key` or one a line; a key is 32 bytes in hex or base64. Throws with what is wrong, in words that follow the variable's name. */
export function parseDataKeys(text: string): DataKey[] {
  const keys = text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((one) => {
      const [, id, written] = /^([a-z0-9-]{1,12}):([\w+/=-]+)$/.exec(one) ?? []
      const key = written === undefined ? undefined : Buffer.from(written, /^[0-9a-f]{64}$/i.test(written) ? 'hex' : 'base64')
      if (!id || key?.length !== 32) throw new Error('must be id:key, keys of 32 bytes in base64 or hex, ids of up to 12 small letters, digits and -')
      return { id, key }
    })
  if (keys.some(({ id }) => id === ownId)) throw new Error(`may not call a key "${ownId}": that is the one derived from HUB_SECRET`)
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw new Error('has two keys of one id')
  return keys
}
/** The key that comes of the hub's secret: it seals where there is no other, and goes on opening what it sealed. */
const ownId = 'hub'

/** The keys of the environment, then the one of the hub's secret. */
export function keyringOf(env: { dataDir: string; dataKeys?: readonly DataKey[]; secret?: string }): Keyring {
  const kept = join(env.dataDir, 'secret.key')
  const secret = env.secret || (existsSync(kept) ? readFileSync(kept, 'utf8').trim() : '')
  return new Keyring([...(env.dataKeys ?? []), ...(secret ? [{ id: ownId, key: derived(secret, 'data') }] : [])])
}

const keyrings = new WeakMap<object, Keyring>()
/** Columns find the keys by their database. */
export function bindKeyring(platform: Platform, keyring: Keyring): void {
  keyrings.set(platform, keyring)
  bindSealer(platform, keyring)
}
export function keyringFor(platform: object): Keyring {
  const keyring = keyrings.get(platform)
  if (!keyring) throw new Error('this database has no keyring')
  return keyring
}
