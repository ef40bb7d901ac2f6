/**
 * Agents' sockets. What a socket hears is decided here, by the same ability that decides the routes: who may read
 * the conversation as it is now gets it, who could before and no longer may is told it is gone, others hear nothing.
 */
import { parseCookie } from 'cookie'
import type { Namespace, Server, Socket } from 'socket.io'
import type { ConversationPush } from '../../sdk/wire/conversation.ts'
import { may } from '../access/ability.ts'
import type { Access } from '../access/access-cache.ts'
import { hiddenFrom } from '../access/mask.ts'
import { readRows, sql } from '../db/statements.ts'
import { stayAlive, takeSeat } from '../domain/agent/set-presence.ts'
import { Contact } from '../domain/contact/contact.entity.ts'
import { Conversation } from '../domain/conversation/conversation.entity.ts'
import { type ContactNames, conversationJson, messageJson, shownTo } from '../domain/conversation/conversation.present.ts'
import { maskMessage } from '../domain/conversation/mask-message.ts'
import { type Visibility, visibilityOf } from '../domain/conversation/visibility.ts'
import { isFor } from '../domain/notice/raise-notice.ts'
import { Session } from '../domain/session/session.entity.ts'
import { type Actor, identify, identifyAgain } from '../http/auth.ts'
import type { Hub } from '../hub.ts'
import type { ConversationChanged, Ephemeral } from './announce.ts'
import { awaitReceipts } from './await-receipts.ts'
import { startCatchUp, ToldRevisions } from './catch-up.ts'
import { clientAddress } from './client-address.ts'
import { notifyCustomer } from './notify-customer.ts'
import { showTyping } from './show-typing.ts'

const aliveEveryMs = 15_000
const recheckEveryMs = 5_000
const sessionsAtOnce = 500
const namesKept = 5_000
/** News of another name may be lost with Redis: the old one is not kept longer than this. */
const nameTtlMs = 30_000

/** One agent's sockets, which hear the same. A preview and an API token hear something else: each is a seat of its own. */
interface Seat {
  access: Actor
  sockets: Set<Socket>
}

const seatOf = ({ agent, preview, sessionId, tokenId }: Actor): string => (preview ? `preview:${sessionId}` : tokenId ? `token:${tokenId}` : agent.id)
/** It is the agent's own. */
const present = ({ preview, tokenId }: Actor): boolean => !preview && !tokenId
/** Somebody is there, ready to be given conversations: an app that only listens (`aside`) is not where they sit. */
const sits = (socket: Socket): boolean => present(actorOfSocket(socket)) && socket.handshake.auth.aside !== true
const actorOfSocket = (socket: Socket): Actor => socket.data.actor as Actor

export function startGateway(hub: Hub, io: Server): { close(): void; connected(): number } {
  const agents: Namespace = io.of('/')
  const seats = new Map<string, Seat>()
  const undo: (() => void)[] = []

  agents.use(async (socket, next) => {
    try {
      const { headers } = socket.handshake
      const origin = headers.origin && URL.parse(headers.origin)
      if (origin && origin.host !== headers.host && origin.origin !== hub.env.publicUrl) throw new Error('HUB_REQUEST_ORIGIN')
      const ip = clientAddress(hub.env, socket.request)
      const actor = await identify(hub, { headers, cookies: parseCookie(headers.cookie ?? ''), ip })
      if (!actor) throw new Error('HUB_AUTH_REQUIRED')
      if (actor.preview?.over) throw new Error('HUB_PREVIEW_OVER')
      socket.data.actor = actor
      next()
    } catch (error) {
      next(error as Error)
    }
  })

  agents.on('connection', (socket) => {
    const actor = actorOfSocket(socket)
    const { id } = actor.agent
    const key = seatOf(actor)
    const seat = seats.get(key) ?? { access: actor, sockets: new Set() }
    seat.access = actor
    seat.sockets.add(socket)
    seats.set(key, seat)
    hub.metrics.sockets.set({ namespace: 'agent' }, agents.sockets.size)
    if (sits(socket)) void takeSeat(hub, id).catch((error) => hub.log.warn({ err: error }, 'presence could not be kept'))
    socket.emit('ready', { serverTime: new Date().toISOString() })

    // A preview changes nothing, and nobody sees it typing or looking.
    if (!actor.preview) {
      // One after the other: an end that overtakes its beginning would stay on the screens.
      let typed = Promise.resolve()
      socket.on('typing', (data: unknown) => {
        typed = typed.then(() => typing(seat, data))
      })
      socket.on('viewing', (data: unknown) => void view(seat, socket, data))
    }
    socket.on('disconnect', () => {
      seat.sockets.delete(socket)
      leave(seat, socket)
      if (seat.sockets.size === 0 && seats.get(key) === seat) seats.delete(key)
      hub.metrics.sockets.set({ namespace: 'agent' }, agents.sockets.size)
      if (sits(socket)) hub.bus.publish('agent.presence', { agentId: id })
    })
  })

  async function typing(seat: Seat, data: unknown): Promise<void> {
    const { conversationId, active } = (data ?? {}) as { conversationId?: unknown; active?: unknown }
    if (typeof conversationId !== 'string' || conversationId.length !== 26) return
    try {
      const conversation = await hub.em().findOne(Conversation, { id: conversationId }, { disableIdentityMap: true })
      if (!conversation || !canRead(seat.access, conversation)) return
      // Who may only look is not answering, whatever their keyboard does.
      if (!may(seat.access.ability, 'reply', conversation)) return
      publish(seat.access.agent.id, conversation, 'typing', active === true)
      notifyCustomer(hub, conversation, { kind: 'typing', active: active === true })
      showTyping(hub, conversation, active === true)
    } catch (error) {
      hub.log.warn({ err: error }, 'an ephemeral event was dropped')
    }
  }

  const publish = (agentId: string, conversation: Visibility & { id: string }, kind: Ephemeral['kind'], active: boolean): void =>
    hub.bus.publish('ephemeral', { conversationId: conversation.id, visibility: visibilityOf(conversation), kind, agentId, active })

  /** Which conversation each socket has open; told to those who look at the same one, and again with every sign of life. */
  const viewed = new Map<Socket, { seat: Seat; conversation: Visibility & { id: string } }>()

  async function view(seat: Seat, socket: Socket, data: unknown): Promise<void> {
    const { conversationId, active } = (data ?? {}) as { conversationId?: unknown; active?: unknown }
    if (viewed.get(socket)?.conversation.id !== conversationId || active !== true) leave(seat, socket)
    if (active !== true || typeof conversationId !== 'string' || conversationId.length !== 26) return
    try {
      const conversation = await hub.em().findOne(Conversation, { id: conversationId }, { disableIdentityMap: true })
      if (!conversation || !canRead(seat.access, conversation) || !socket.connected) return
      viewed.set(socket, { seat, conversation: { id: conversationId, ...visibilityOf(conversation) } })
      publish(seat.access.agent.id, conversation, 'viewing', true)
      // Who was there before answers, so that the newcomer knows of them.
      hub.bus.publish('viewing.asked', { conversationId })
    } catch (error) {
      hub.log.warn({ err: error }, 'an ephemeral event was dropped')
    }
  }

  /** Gone from the conversation, unless another window of the same agent still shows it. */
  function leave(seat: Seat, socket: Socket): void {
    const conversation = viewed.get(socket)?.conversation
    viewed.delete(socket)
    if (conversation && ![...viewed.values()].some((other) => other.seat.access.agent.id === seat.access.agent.id && other.conversation.id === conversation.id))
      publish(seat.access.agent.id, conversation, 'viewing', false)
  }

  function tellViewing(conversationId?: string): void {
    for (const [socket, { seat, conversation }] of viewed) {
      if (conversationId && conversation.id !== conversationId) continue
      if (canRead(seat.access, conversation)) publish(seat.access.agent.id, conversation, 'viewing', true)
      else leave(seat, socket)
    }
  }

  const canRead = ({ ability }: Pick<Access, 'ability'>, visibility: Visibility): boolean => may(ability, 'read', visibility)

  const names = new Map<string, { at: number; names: ContactNames }>()
  async function namesOf(contactId: string): Promise<ContactNames | undefined> {
    const known = names.get(contactId)
    if (known && Date.now() - known.at < nameTtlMs) return known.names
    // By the entity: the name lies sealed.
    const [row] = await readRows(hub.em(), Contact, sql`where id = ${contactId}`)
    if (!row) return undefined
    const found = { id: row.id, number: row.number, nickname: row.nickname, name: row.name, attributes: row.attributes }
    if (names.size >= namesKept) names.delete(names.keys().next().value ?? '')
    names.set(contactId, { at: Date.now(), names: found })
    return found
  }

  // One after the other, so that nobody hears of a later change first.
  let turn: Promise<void> = Promise.resolve()
  const inTurn = (work: () => Promise<void>): void => {
    turn = turn.then(work).catch((error) => hub.log.error({ err: error }, 'a push was lost'))
  }

  const listen = (topic: string, handler: (data: never) => void) => undo.push(hub.bus.subscribe(topic, handler as (data: unknown) => void))

  const told = new ToldRevisions()
  const receipts = awaitReceipts<{ id: string; channel: string; seq: number }>((got) => hub.delivered.note(got, got.seq))
  /** `before` unknown: whoever may not see it is told that it is gone; an id alone tells nothing. */
  function tell(changed: Omit<ConversationChanged, 'before'> & { before: Visibility | null | 'unknown' }): void {
    inTurn(async () => {
      const { id, rev } = changed.conversation
      const known = told.of(id)
      // Overtaken by a later one: who missed this sees the gap.
      if (rev <= known) return
      // One in between was not heard here: it may have taken the conversation from somebody's sight.
      const before = rev === known + 1 ? changed.before : 'unknown'
      const contact = await namesOf(changed.contactId)
      if (!contact) return
      told.told(id, rev)
      const { channel } = changed.conversation
      const newest = hub.delivered.shownOn(channel) ? Math.max(0, ...changed.messages.map(({ direction, seq }) => (direction === 'in' ? seq : 0))) : 0
      for (const seat of seats.values()) {
        if (canRead(seat.access, changed.after)) {
          const push: ConversationPush = {
            conversation: shownTo(seat.access.ability, changed.conversation, contact),
            messages: changed.messages.map((message) => maskMessage(seat.access, message)),
          }
          for (const socket of seat.sockets) {
            socket.emit('conversation', push)
            if (newest > 0 && sits(socket)) receipts.pushed(socket, id, { id, channel, seq: newest })
          }
        } else if (before === 'unknown' || (before && canRead(seat.access, before))) {
          for (const socket of seat.sockets) socket.emit('conversation.gone', { id })
        }
      }
    })
  }

  listen('viewing.asked', ({ conversationId }: { conversationId: string }) => tellViewing(conversationId))
  listen('conversation.changed', (changed: ConversationChanged) => {
    const { id } = changed.conversation
    for (const one of viewed.values()) if (one.conversation.id === id) one.conversation = { id, ...changed.after }
    // Transferred out of somebody's sight: they do not look at it any more.
    if (changed.before && (changed.before.assigneeId !== changed.after.assigneeId || changed.after.deletedAt)) tellViewing(id)
    if (seats.size > 0) tell(changed)
    else told.told(changed.conversation.id, changed.conversation.rev)
  })
  undo.push(
    startCatchUp(hub, {
      needed: () => io.engine.clientsCount > 0,
      agents: told,
      tell: (conversation, messages) =>
        tell({
          before: 'unknown',
          after: visibilityOf(conversation),
          conversation: conversationJson(conversation),
          contactId: conversation.contactId,
          messages: messages.map(messageJson),
        }),
    }),
  )

  listen('ephemeral', ({ visibility, ...event }: Ephemeral & { visibility: Visibility }) => {
    for (const seat of seats.values()) {
      if (seat.access.agent.id === event.agentId || !canRead(seat.access, visibility)) continue
      // Half a number is no number yet: who may not see numbers sees that somebody types, not what.
      const { text, ...silent } = event
      for (const socket of seat.sockets) socket.emit('ephemeral', hiddenFrom(seat.access.ability) ? silent : event)
    }
  })

  // Of whom and what is asked of the plugin itself, with the asker's ability; here only that there is something.
  listen('plugin.news', async ({ plugin, conversationId }: { plugin: string; conversationId: string }) => {
    if (seats.size === 0) return
    try {
      const conversation = await hub.em().findOne(Conversation, { id: conversationId }, { disableIdentityMap: true })
      if (!conversation) return
      for (const seat of seats.values())
        if (canRead(seat.access, conversation)) for (const socket of seat.sockets) socket.emit('plugin.news', { plugin, conversationId })
    } catch (error) {
      hub.log.warn({ err: error }, 'news of a plugin was lost')
    }
  })
  listen('contact.changed', ({ contactId }: { contactId: string }) => {
    names.delete(contactId)
    // An id alone tells nothing; who may see the contact fetches it.
    agents.emit('contact.changed', { contactId })
  })
  listen('agent.presence', (data: { agentId: string }) => void agents.emit('agent.presence', data))
  listen('plugin.running', (data: { id: string; running: boolean }) => void agents.emit('plugin.switched', data))
  listen('visitors.changed', () => {
    for (const seat of seats.values()) if (seat.access.ability.can('read', 'visitor')) for (const socket of seat.sockets) socket.emit('visitors.changed')
  })
  listen('inbox.health', (data: { inboxId: string; state: string; bad: boolean }) => {
    for (const seat of seats.values()) if (seat.access.ability.can('manage', 'inbox')) for (const socket of seat.sockets) socket.emit('inbox.health', data)
  })
  // An id alone: who shows what it is called or can carry fetches that.
  listen('inbox.changed', ({ id }: { id: string }) => void agents.emit('inbox.changed', { id }))
  listen('notices.changed', ({ audiences }: { audiences: string[] }) => {
    for (const { access, sockets } of seats.values())
      if (audiences.some((audience) => isFor(access, audience))) for (const socket of sockets) socket.emit('notices.changed')
  })
  const socketsWhere = (matches: (actor: Actor) => boolean): Socket[] => [...agents.sockets.values()].filter((socket) => matches(actorOfSocket(socket)))
  listen('session.ended', ({ sessionId = null, tokenId = null }: { sessionId?: string | null; tokenId?: string | null }) => {
    for (const socket of socketsWhere((actor) => (sessionId !== null && actor.sessionId === sessionId) || (tokenId !== null && actor.tokenId === tokenId)))
      socket.disconnect(true)
  })
  // A preview began or ended: what the session may see is another thing now, and its pages start anew.
  listen('session.changed', ({ sessionId }: { sessionId: string }) => {
    for (const socket of socketsWhere((actor) => actor.sessionId === sessionId)) sendAway(socket)
  })
  const sendAway = (socket: Socket): void => {
    socket.emit('access.changed')
    socket.disconnect(true)
  }

  /** News of a session's end may be lost, and of one that runs out there is none. */
  async function endSessionless(): Promise<void> {
    const own = new Map(
      [...seats.values()].flatMap(({ access, sockets }) =>
        present(access) ? [...sockets].map((socket) => [socket, actorOfSocket(socket).sessionId] as const) : [],
      ),
    )
    const wanted = [...new Set(own.values())].filter((id) => id !== null)
    const lasting = new Set<string | null>()
    for (let at = 0; at < wanted.length; at += sessionsAtOnce) {
      const where = { id: { $in: wanted.slice(at, at + sessionsAtOnce) }, expiresAt: { $gt: new Date() } }
      for (const { id } of await hub.em().find(Session, where, { fields: ['id'], disableIdentityMap: true })) lasting.add(id)
    }
    for (const [socket, sessionId] of own) if (!lasting.has(sessionId)) sendAway(socket)
  }

  /** Roles, departments or accounts changed, a preview's time is up, a token is gone: every seat is looked up anew. */
  async function recheck(): Promise<void> {
    await endSessionless()
    for (const seat of seats.values()) {
      const was = seat.access
      const access = present(was) ? await hub.access.of(was.agent.id) : await identifyAgain(hub, was)
      const actor = access && { ...was, ...access }
      if (!actor || actor.preview?.over || seatOf(actor) !== seatOf(was)) {
        for (const socket of seat.sockets) sendAway(socket)
      } else if (signature(actor) !== signature(was)) {
        seat.access = actor
        for (const socket of seat.sockets) socket.emit('access.changed')
      }
    }
  }
  listen('access.changed', () => {
    hub.access.clear()
    inTurn(recheck)
  })

  const timers = [
    setInterval(
      () =>
        void stayAlive(
          hub,
          [...seats.values()].filter(({ sockets }) => [...sockets].some(sits)).map(({ access }) => access.agent.id),
        ).catch((error) => hub.log.warn({ err: error }, 'presence could not be kept')),
      aliveEveryMs,
    ),
    setInterval(() => inTurn(recheck), recheckEveryMs),
    setInterval(() => tellViewing(), aliveEveryMs),
  ]

  return {
    connected: () => seats.size,
    close() {
      for (const timer of timers) clearInterval(timer)
      receipts.close()
      for (const stop of undo) stop()
    },
  }
}

const signature = ({ ability, agent }: Actor): string => JSON.stringify([ability.rules, agent.departmentId])
