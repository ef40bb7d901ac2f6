/** A plugin's context without a hub around it, over a database of its own tables: for unit tests beside a plugin's source. */
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Accepted, ChannelInbox, InboundEvent, InboxHealth } from '../../core/sdk/channel.ts'
import { HubError } from '../../core/sdk/errors.ts'
import type { PluginContext, PluginManifest } from '../../core/sdk/plugin.ts'
import { openOrm } from '../../core/src/db/open-orm.ts'
import { Vault } from '../../core/src/kernel/settings.ts'
import { silent } from './world.ts'

export interface FakeContext<C> {
  ctx: C
  accepted: { inboxId: string; event: InboundEvent }[]
  healths: { inboxId: string; health: InboxHealth }[]
  enqueued: { job: string; data: unknown; options: { key?: string; delayMs?: number } | undefined }[]
  close(): Promise<void>
}

/** `files`: what `ctx.file` finds. */
export async function fakeContext<C = PluginContext>(
  manifest: PluginManifest<any, any>,
  options: { settings?: Record<string, unknown>; inboxes?: ChannelInbox[]; files?: Record<string, { name: string; mime: string; bytes: Buffer }> } = {},
): Promise<FakeContext<C>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'huike-plugin-'))
  const orm = await openOrm({ databaseUrl: '', dataDir }, manifest.entities)
  for (const statement of (manifest.migrations ?? []).flatMap(({ sqlite }) => sqlite)) await orm.em.getConnection().execute(statement)
  const vault = new Vault('a-secret-of-the-tests-that-is-long-enough', 'fake')
  const accepted: FakeContext<C>['accepted'] = []
  const healths: FakeContext<C>['healths'] = []
  const enqueued: FakeContext<C>['enqueued'] = []
  const seen = new Set<string>()
  const turns = new Map<string, Promise<unknown>>()
  const refused = (): never => {
    throw new HubError('HUB_INTERNAL', 'the fake context has no such thing')
  }
  const ctx: PluginContext = {
    id: manifest.id,
    settings: options.settings ?? {},
    log: silent,
    publicUrl: 'https://hub.test',
    em: () => orm.em.fork(),
    async accept(inboxId, events) {
      return events.map((event): Accepted => {
        const key = `${inboxId}\n${event.externalId}`
        const duplicate = seen.has(key)
        seen.add(key)
        if (!duplicate) accepted.push({ inboxId, event })
        return {
          externalId: event.externalId,
          duplicate,
          ...(event.kind === 'message' ? { messageId: `m-${event.externalId}`, conversationId: `c-${event.from.externalId}`, seq: 1 } : {}),
        }
      })
    },
    inbox: async (id) => options.inboxes?.find((inbox) => inbox.id === id),
    inboxes: async () => options.inboxes ?? [],
    push: () => undefined,
    enqueue: async (job, data, more) => void enqueued.push({ job, data, options: more }),
    sign: (text) => createHmac('sha256', 'key').update(text).digest('base64url'),
    seal: (text) => vault.seal(text),
    unseal(sealed) {
      try {
        return vault.open(sealed)
      } catch {
        return undefined
      }
    },
    lock(name, _ms, work) {
      const turn = (turns.get(name) ?? Promise.resolve()).then(work, work)
      turns.set(
        name,
        turn.catch(() => undefined),
      )
      return turn as never
    },
    health: async (inboxId, health) => void healths.push({ inboxId, health }),
    notify: async () => undefined,
    endNotice: async () => undefined,
    may: refused,
    records: { contactFields: async () => [], view: async () => undefined, matching: refused, check: refused, read: refused, messages: refused },
    tables: { list: refused, keys: refused, read: refused },
    outlet: refused,
    blobs: { put: refused, read: refused, remove: refused },
    tell: async () => undefined,
    async file(id) {
      const file = options.files?.[id]
      return file && { name: file.name, mime: file.mime, size: file.bytes.length, open: async () => Readable.from([file.bytes]) }
    },
    storeFile: async (_inboxId, { name, bytes, as = 'file' }) =>
      ({ type: as, fileId: `f${bytes.length}`.padEnd(26, '0'), name, mime: 'application/octet-stream', size: bytes.length }) as never,
    contacts: new Proxy({} as PluginContext['contacts'], { get: () => refused }),
    asker: refused,
    masksFor: async () => ({ maySee: () => true, mask: (_field, value) => value, maskText: (text) => text }),
    recent: async () => [],
    whereIs: async () => undefined,
    news: () => undefined,
    desk: new Proxy({} as PluginContext['desk'], { get: () => refused }),
  }
  return {
    ctx: ctx as C,
    accepted,
    healths,
    enqueued,
    close: async () => {
      await orm.close(true)
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
