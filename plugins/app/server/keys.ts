/** Keys that open one inbox's outbox: random, told once, and kept as a hash only. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { HubError } from '@huike/core/sdk/errors.ts'
import { Key } from './app.entity.ts'
import { type Ctx, isFetched } from './settings.ts'

/** Two are good while one is changed. */
const mostKeys = 2

const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest()
const keysOf = (ctx: Ctx, inboxId: string): Promise<Key[]> =>
  ctx.em().find(Key, { inboxId }, { orderBy: { createdAt: 'asc', id: 'asc' }, limit: mostKeys + 1, disableIdentityMap: true })

export interface ShownKey {
  id: string
  hint: string
  createdAt: string
  usedAt: string | null
}

export async function listKeys(ctx: Ctx, inboxId: string): Promise<ShownKey[]> {
  return (await keysOf(ctx, inboxId)).map(({ id, hint, createdAt, usedAt }) => ({
    id,
    hint,
    createdAt: createdAt.toISOString(),
    usedAt: usedAt?.toISOString() ?? null,
  }))
}

/** Throws APP_KEYS_FULL. */
export function makeKey(ctx: Ctx, inboxId: string): Promise<string> {
  return ctx.lock(`keys:${inboxId}`, 10_000, async () => {
    if ((await keysOf(ctx, inboxId)).length >= mostKeys)
      throw new HubError('APP_KEYS_FULL', 'An inbox has two keys at most: revoke one first', { most: mostKeys }, { status: 409, reader: 'user', retry: false })
    const key = `hkf_${randomBytes(32).toString('base64url')}`
    const id = randomBytes(13).toString('hex')
    await ctx.em().insert(Key, { id, inboxId, hash: hashOf(key).toString('hex'), hint: key.slice(-4), createdAt: new Date(), usedAt: null })
    return key
  })
}

/** From now on it opens nothing. Throws HUB_NOT_FOUND. */
export async function revokeKey(ctx: Ctx, inboxId: string, id: string): Promise<void> {
  if ((await ctx.em().nativeDelete(Key, { inboxId, id })) === 0) throw new HubError('HUB_NOT_FOUND', 'There is no such key')
}

/** What is compared where there is no key. */
const nothing = Buffer.alloc(32)

/**
 * Whose key it is. An inbox that is not there, one without keys and one with others refuse alike: as many comparisons, the same
 * answer. Throws APP_KEY_REFUSED.
 */
export async function openWith(ctx: Ctx, inboxId: string, authorization: string | undefined): Promise<Key> {
  const given = hashOf(/^Bearer +(\S{1,200})$/i.exec(authorization ?? '')?.[1] ?? '')
  const keys = await keysOf(ctx, inboxId)
  let found: Key | undefined
  for (let i = 0; i < mostKeys; i++) {
    const key = keys[i]
    if (timingSafeEqual(given, key ? Buffer.from(key.hash, 'hex') : nothing) && key) found = key
  }
  if (!found) throw new HubError('APP_KEY_REFUSED', 'This key does not open this outbox', undefined, { status: 401, reader: 'author', retry: false })
  return found
}

/** The inbox, for who holds a key of it. Throws HUB_CHANNEL_DISABLED while it is switched off, APP_NOT_FETCHED where it pushes. */
export async function fetchedInbox(ctx: Ctx, inboxId: string) {
  const inbox = await ctx.inbox(inboxId)
  if (!inbox) throw new HubError('HUB_CHANNEL_DISABLED', 'This inbox is switched off')
  if (!isFetched(inbox))
    throw new HubError('APP_NOT_FETCHED', 'This inbox sends to an address: nothing is fetched here', undefined, { status: 409, reader: 'author', retry: false })
  return inbox
}
