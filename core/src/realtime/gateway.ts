/**
 * Agents' sockets. What a socket hears is decided here, by the same ability that decides the routes: who may read
 * the conversation as it is now gets it, who could before and no longer may is told it is gone, others hear nothing.
 */
import { parseCookie } from 'cookie'
import type { Namespace, Server, Socket } from 'socket.io'
import type { ConversationPush } from '../../sdk/wire/conversation.ts'
import { may } from '../access/ability.ts'
import type { Access } from '../access/access-cache.ts'
import { stayAlive } from '../domain/agent/set-presence.ts'
import { Contact } from '../domain/contact/contact.entity.ts'
import { type Visibility, visibilityOf } from '../domain/conversation/change.ts'
import { Conversation } from '../domain/conversation/conversation.entity.ts'
import { type ContactNames, conversationJson, presentBrief, presentMessage } from '../domain/conversation/conversation.present.ts'
import { type Actor, identify, identifyAgain } from '../http/auth.ts'
import type { Hub } from '../hub.ts'
import type { ConversationChanged, Ephemeral } from './announce.ts'
import { startCatchUp, ToldRevisions } from './catch-up.ts'
import { clientAddress } from './client-address.ts'
import { notifyCustomer } from './notify-customer.ts'
import { showTyping } from './show-typing.ts'

const aliveEveryMs = 15_000
const recheckEveryMs = 5_000
const namesKept = 5_000
/** News of another name may be lost with Redis: the old one is not kept longer than this. */
const nameTtlMs = 30_000

/** One agent's sockets, which hear the same. A preview and an API token hear something else: each is a seat of its own. */
interface Seat {
  access: Actor
  sockets: Set<Socket>
}

const seatOf = ({ agent, preview, sessionId, tokenId }: Actor): string => (preview ? `preview:${sessionId}` : tokenId ? `token:${tokenId}` : agent.id)
/** Somebody is there, ready to be given conversations. */
const present = ({ preview, tokenId }: Actor): boolean => !preview && !tokenId
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
      const ip = clientAddress(hub, socket)
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
    if (present(actor))
      void stayAlive(hub, [id])
        .then(() => hub.bus.publish('agent.presence', { agentId: id }))
        .catch((error) => hub.log.warn({ err: error }, 'presence could not be kept'))
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
      if (present(actor)) hub.bus.publish('agent.presence', { agentId: id })
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
    const row = await hub.em().findOne(Contact, { id: contactId }, { fields: ['id', 'number', 'nickname', 'name'], disableIdentityMap: true })
    if (!row) return undefined
    if (names.size >= namesKept) names.delete(names.keys().next().value ?? '')
    const found = { id: row.id, number: row.number, nickname: row.nickname, name: row.name }
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
      for (const seat of seats.values()) {
        if (canRead(seat.access, changed.conversation)) {
          const push: ConversationPush = {
            conversation: { ...changed.conversation, contact: presentBrief(seat.access.ability, contact) },
            messages: changed.messages,
          }
          for (const socket of seat.sockets) socket.emit('conversation', push)
        } else if (before === 'unknown' || (before && canRead(seat.access, before))) {
          for (const socket of seat.sockets) socket.emit('conversation.gone', { id })
        }
      }
    })
  }

  listen('viewing.asked', ({ conversationId }: { conversationId: string }) => tellViewing(conversationId))
  listen('conversation.changed', (changed: ConversationChanged) => {
    const { id } = changed.conversation
    for (const one of viewed.values()) if (one.conversation.id === id) one.conversation = { id, ...visibilityOf(changed.conversation) }
    // Transferred out of somebody's sight: they do not look at it any more.
    if (changed.before && changed.before.assigneeId !== changed.conversation.assigneeId) tellViewing(id)
    if (seats.size > 0) tell(changed)
    else told.told(changed.conversation.id, changed.conversation.rev)
  })
  undo.push(
    startCatchUp(hub, {
      needed: () => io.engine.clientsCount > 0,
      agents: told,
      tell: (conversation, messages) =>
        tell({ before: 'unknown', conversation: conversationJson(conversation), contactId: conversation.contactId, messages: messages.map(presentMessage) }),
    }),
  )

  listen('ephemeral', ({ visibility, ...event }: Ephemeral & { visibility: Visibility }) => {
    for (const seat of seats.values())
      if (seat.access.agent.id !== event.agentId && canRead(seat.access, visibility)) for (const socket of seat.sockets) socket.emit('ephemeral', event)
  })

  listen('contact.changed', ({ contactId }: { contactId: string }) => {
    names.delete(contactId)
    // An id alone tells nothing; who may see the contact fetches it.
    agents.emit('contact.changed', { contactId })
  })
  listen('agent.presence', (data: { agentId: string }) => void agents.emit('agent.presence', data))
  listen('plugin.switched', (data: { id: string; enabled: boolean }) => void agents.emit('plugin.switched', data))
  listen('visitors.changed', () => {
    for (const seat of seats.values()) if (seat.access.ability.can('read', 'visitor')) for (const socket of seat.sockets) socket.emit('visitors.changed')
  })
  listen('inbox.health', (data: { inboxId: string; state: string; bad: boolean }) => {
    for (const seat of seats.values()) if (seat.access.ability.can('manage', 'inbox')) for (const socket of seat.sockets) socket.emit('inbox.health', data)
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

  /** Roles, departments or accounts changed, a preview's time is up, a token is gone: every seat is looked up anew. */
  async function recheck(): Promise<void> {
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
          [...seats.values()].filter(({ access }) => present(access)).map(({ access }) => access.agent.id),
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
      for (const stop of undo) stop()
    },
  }
}

const signature = ({ ability, agent }: Actor): string => JSON.stringify([ability.rules, agent.departmentId])
