/**
 * The contract. A plugin is one manifest: it declares all that it touches, and reading it runs nothing.
 * Its id prefixes its tables (`shop_order`), routes (`/api/x/shop`), sockets (`/x/shop`), permissions
 * (`shop.order.read`), jobs (`shop.sync`), settings and log lines. Whatever a clause adds is removed when the
 * plugin is switched off, while the hub runs.
 */

import type { Readable } from 'node:stream'
import type { EntityManager, EntitySchema } from '@mikro-orm/core'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import type { Accepted, ChannelAdapter, ChannelInbox, InboundEvent, InboxHealth, LocalText } from './channel.ts'
import type { Asker, ContactFieldDeclaration, ContactHand } from './contacts.ts'
import type { Desk } from './desk.ts'
import type { HubEvent, HubEventName, HubHookName, HubHooks, MessageFacts } from './events.ts'
import type { MessagePart } from './message-parts.ts'
import type { Outlet, OutletTarget } from './outlets.ts'
import type { RecordReader, Records } from './records.ts'
import type { TableDeclaration, Tables } from './tables.ts'

/** One step of a plugin's (or the core's) schema history; one intent each, since MySQL cannot roll DDL back. */
export interface Migration {
  /** Sortable and never changed once released: `0001-orders`. */
  name: string
  mysql: readonly string[]
  sqlite: readonly string[]
}

export type PermissionScope = 'own' | 'department' | 'tree' | 'all'

export interface PermissionDeclaration {
  /** With the plugin's id in front it is the permission's name: `order.read` → `shop.order.read`. */
  name: string
  label: LocalText
  /** Built-in roles that have it from the start; owner always has everything. */
  grantTo?: readonly BuiltinRole[]
  /** It is about conversations and can be given as far as these reach (`ctx.records`); how far the roles have it. In place of `grantTo`. */
  reach?: { [R in BuiltinRole]?: PermissionScope }
}
type BuiltinRole = 'admin' | 'supervisor' | 'agent'

/** Bytes that a plugin keeps for itself in the hub's storage (a folder or a bucket). */
export interface Blobs {
  /**
   * Durable when it resolves. The name is made by the hub, or it is yours (32 hex digits, new each time), written down before
   * the bytes are, so that what a crash leaves is found. Memory stays flat.
   * They are sealed as they come (AES-256-GCM), and lie nowhere in the clear. Throws HUB_STORAGE_UNAVAILABLE, and what `chunks` throws.
   */
  put(chunks: AsyncIterable<Uint8Array>, name?: string): Promise<{ name: string; size: number }>
  /** Undefined when there is no such thing. */
  read(name: string): Promise<Readable | undefined>
  remove(name: string): Promise<void>
}

export interface Logger {
  debug(data: object, message?: string): void
  info(data: object, message?: string): void
  warn(data: object, message?: string): void
  error(data: object, message?: string): void
}

/** Something people ought to know, shown by the bell of both apps. */
export interface NoticeInput {
  /** All who hold a permission (by its full name: `inbox.manage`, `shop.order.read`), asked when it is read; or these agents. */
  to: { permission: string } | { agentIds: readonly string[] }
  /** What it is, for machines: `export.ready`. A plugin's gets its id in front. */
  kind: string
  /** With it the notice is raised once until `endNotice`: again, only its words change. Letters, digits, `_ . : -`. */
  key?: string
  /** `problem` is coloured; default `info`. */
  level?: 'info' | 'problem'
  title: LocalText
  body?: LocalText
  /** A path of this site: `/admin/inboxes/…`, `/workbench/x/shop/orders`. */
  link?: string
}

/** What a running plugin holds in its hand. */
export interface PluginContext<S = Record<string, unknown>> {
  readonly id: string
  /** The settings as they are now: read again each time, an admin may have changed them. */
  readonly settings: S
  readonly log: Logger
  /** Address customers and platforms reach the hub at, no slash at the end. */
  readonly publicUrl: string
  /** A fresh unit of work; never share one between requests. */
  em(): EntityManager
  /** Writes events down and processes them; resolves when they are safe. The only door for customers' words. */
  accept(inboxId: string, events: InboundEvent[]): Promise<Accepted[]>
  /** The inbox of this plugin's channel, or undefined when it is missing or disabled. */
  inbox(inboxId: string): Promise<ChannelInbox | undefined>
  /** The enabled inboxes of this plugin's channel. */
  inboxes(): Promise<ChannelInbox[]>
  /** Hurries data to the sockets in a room of this plugin's namespace, on every node. May be lost: clients fetch. */
  push(room: string, event: string, data: unknown): void
  /** Asks for a job of this plugin to run. `key` makes a repeat join the one that waits. */
  enqueue(job: string, data: unknown, options?: { key?: string; delayMs?: number }): Promise<void>
  /** HMAC-SHA256 with a key only this plugin on this hub has; base64url. */
  sign(text: string): string
  /** Seals text with the hub's key (AES-256-GCM), for credentials a plugin keeps in tables of its own. */
  seal(text: string): string
  /** Opens what `seal` made; undefined when the key has changed since. */
  unseal(sealed: string): string | undefined
  /**
   * Does `work` while no other process does work of this name (a token refresh). Waits for its turn; the lock ends by
   * itself after `ms` should this process die. Throws HUB_CONFLICT when no turn comes within `ms`.
   */
  lock<T>(name: string, ms: number, work: () => Promise<T>): Promise<T>
  /** Tells how an inbox is; turning bad raises a notice to admins, once. */
  health(inboxId: string, health: InboxHealth): Promise<void>
  /** Tells people something, now and when they come later. Throws HUB_REQUEST_INVALID. */
  notify(notice: NoticeInput): Promise<void>
  /** What a notice of this kind and key was about has mended: it is shown as over, to everybody it went to. */
  endNotice(kind: string, key: string): Promise<void>
  /**
   * Tells an event of this plugin's own, `<id>.<name>`, to all who listen, after what is told of was committed. Who did it
   * is known in a request; from a job say `byAgentId` in the data. Resolves when it is owed. Throws HUB_REQUEST_INVALID.
   */
  tell(name: string, data: Record<string, unknown>): Promise<void>
  /** A stored file, for sending it on: of any conversation in this plugin's inboxes. */
  file(fileId: string): Promise<{ name: string; mime: string; size: number; open(): Promise<Readable> } | undefined>
  /** Takes bytes in, at most 32 MB, as a file of an inbox of this plugin; the returned part goes into an event of that inbox. Throws HUB_REQUEST_TOO_LARGE. */
  storeFile(inboxId: string, upload: { name: string; bytes: Buffer; as?: 'image' | 'audio' | 'video' | 'file' }): Promise<MessagePart>
  /** Fields and tags of contacts; a person's hand always wins. */
  readonly contacts: ContactHand
  /** How personal data is shown to who reads in the background, as `records` shows it. Throws HUB_FORBIDDEN for one who is gone. */
  masksFor(reader: RecordReader): Promise<Pick<Asker, 'maySee' | 'mask' | 'maskText'>>
  /** Who asks one of the plugin's routes. Throws HUB_AUTH_REQUIRED on a public one. */
  asker(request: FastifyRequest): Asker
  /** Messages of a conversation up to `upToSeq`, oldest first, at most `limit` (50) and none from before `since`. What was taken back is not among them. */
  recent(conversationId: string, options: { upToSeq: number; limit: number; since?: Date }): Promise<MessageFacts[]>
  /** Where a customer's message that was accepted is by now, by the name its event had; undefined while it waits, or when it was refused. */
  whereIs(inboxId: string, externalId: string): Promise<{ conversationId: string; messageId: string; seq: number } | undefined>
  /** Tells the plugin's interfaces of whoever may read this conversation that there is news of it (`UiHost.onNews`). May be lost. */
  news(conversationId: string): void
  /** May this agent now? By the permission's full name; false for one who is gone. */
  may(agentId: string, permission: string): Promise<boolean>
  /** Records as an agent may see them, page after page. */
  readonly records: Records
  /** Lists that the core and the running plugins offer, as an agent may see them. */
  readonly tables: Tables
  readonly blobs: Blobs
  /** A place outside of the hub to put files to. Nothing is asked before it is used. */
  outlet(target: OutletTarget): Outlet
  /** The customer's side of the hub, for channels with a client of their own. */
  readonly desk: Desk
}

/** What a command holds in its hand: the database and the plugin's own key, no running hub. */
export interface CommandContext extends Pick<PluginContext, 'id' | 'em' | 'sign' | 'log'> {
  print(line: string): void
}

export interface JobDeclaration<S> {
  run(data: unknown, ctx: PluginContext<S>): Promise<void>
  /** Tries before it is given up and shown in the admin; default 5. */
  attempts?: number
  /** Runs by itself every so many milliseconds, on one process at a time. */
  every?: number
}

export interface SocketPrincipal {
  rooms: string[]
  data: Record<string, unknown>
  /** Who they are is known until then: the hub hangs up, and they may come again. */
  until?: Date
}

/** Sockets of a plugin's own clients, in the namespace `/x/<id>`. */
export interface SocketDeclaration<S> {
  /** Who is it? Throw to refuse. `origin` is the page that asks, `host` the hub's name as that page knows it. */
  authenticate(
    handshake: { auth: Record<string, unknown>; origin: string | undefined; host: string | undefined; ip: string },
    ctx: PluginContext<S>,
  ): Promise<SocketPrincipal>
  /** Messages from the client; the returned value is the acknowledgement. */
  on?: Record<string, (data: unknown, principal: SocketPrincipal, ctx: PluginContext<S>) => unknown>
  connected?(principal: SocketPrincipal, ctx: PluginContext<S>): void | Promise<void>
  disconnected?(principal: SocketPrincipal, ctx: PluginContext<S>): void | Promise<void>
}

/** What a schema's settings look like; a plugin without settings has an empty record. */
export type SettingsOf<T extends TSchema> = unknown extends Static<T> ? Record<string, unknown> : Static<T>

export interface PluginManifest<T extends TSchema = TSchema, S = SettingsOf<T>> {
  id: string
  version: string
  label: LocalText
  description?: LocalText
  /** Semver ranges: of the hub, and of plugins that must be loaded, migrated and started before. */
  requires?: { hub?: string; plugins?: Record<string, string> }
  settings?: T
  permissions?: readonly PermissionDeclaration[]
  entities?: readonly EntitySchema[]
  migrations?: readonly Migration[]
  /** Fields of contacts besides the core's own. */
  contactFields?: readonly ContactFieldDeclaration[]
  routes?: (app: FastifyInstance, ctx: PluginContext<S>) => void | Promise<void>
  /** Files served at stable addresses of the site (`/widget.js`), from the plugin's folder. */
  assets?: readonly { path: string; file: string; type: string; embeddable?: boolean; maxAgeSeconds?: number }[]
  sockets?: SocketDeclaration<S>
  channel?: ChannelAdapter | ((ctx: PluginContext<S>) => ChannelAdapter)
  /**
   * The external ids of the channel's senders are personal data (an address, a telephone number): the hub keeps them sealed and
   * finds them by a keyed hash, which costs a little with each message. A word that is not taken back.
   */
  personalIds?: true
  hooks?: {
    [K in HubHookName]?: (input: HubHooks[K], ctx: PluginContext<S>) => HubHooks[K] | undefined | void | Promise<HubHooks[K] | undefined | void>
  }
  /** A listener has 45 seconds; one that fails or takes longer is told again. `*` hears all but what is `false`: say it of what comes with every message and is no news here, it costs a row each. */
  on?: { [K in HubEventName]?: false | ((event: HubEvent<K>, ctx: PluginContext<S>) => void | Promise<void>) } & {
    '*'?: (event: HubEvent, ctx: PluginContext<S>) => void | Promise<void>
  }
  jobs?: Record<string, JobDeclaration<S>>
  /** Lists of this plugin's that others may take out of the hub (`ctx.tables`), each as `<id>.<name>`. */
  tables?: Record<string, TableDeclaration<PluginContext<S>>>
  /** For operators: `npm run plugin -- <id> <command> [argument …]`, beside a hub that runs or not. Returns the exit code. */
  commands?: Record<string, (args: readonly string[], ctx: CommandContext) => Promise<number>>
  /** Prebuilt ES modules, relative to the plugin's folder, whose default export is `defineUi(…)`. */
  ui?: { admin?: string; workbench?: string }
  /** For what must run as long as the plugin does. Returns its own undo, which has ten seconds. */
  start?: (ctx: PluginContext<S>) => void | (() => void | Promise<void>) | Promise<void | (() => void | Promise<void>)>
}

/** Checks nothing and runs nothing: it gives the manifest its types. */
export function definePlugin<T extends TSchema>(manifest: PluginManifest<T>): PluginManifest<T> {
  return manifest
}
