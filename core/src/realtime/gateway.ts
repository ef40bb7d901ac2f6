/**
 * Agents' sockets. What a socket hears is decided here, by the same ability that decides the routes: who may read
 * the conversation as it is now gets it, who could before and no longer may is told it is gone, others hear nothing.
 */
import { subject } from '@casl/ability'
import { parseCookie } from 'cookie'
import type { Namespace, Server, Socket } from 'socket.io'
import type { ConversationPush } from '../../sdk/wire/conversation.ts'
import type { Access } from '../access/access-cache.ts'
import { stayAlive } from '../domain/agent/set-presence.ts'
import { Contact } from '../domain/contact/contact.entity.ts'
import type { Visibility } from '../domain/conversation/change.ts'
import { Conversation } from '../domain/conversation/conversation.entity.ts'
import { type ContactNames, conversationJson, presentBrief, presentMessage } from '../domain/conversation/conversation.present.ts'
import { identify } from '../http/auth.ts'
import type { Hub } from '../hub.ts'
import type { ConversationChanged, Ephemeral } from './announce.ts'
import { startCatchUp, ToldRevisions } from './catch-up.ts'
import { notifyCustomer } from './notify-customer.ts'
import { showTyping } from './show-typing.ts'

const aliveEveryMs = 15_000
const recheckEveryMs = 5_000
const namesKept = 5_000

interface Seat {
  access: Access
  sessionId: string | null
  sockets: Set<Socket>
}

export function startGateway(hub: Hub, io: Server): { close(): void; connected(): number } {
  const agents: Namespace = io.of('/')
  const seats = new Map<string, Seat>()
  const undo: (() => void)[] = []

  agents.use(async (socket, next) => {
    try {
      const { headers } = socket.handshake
      const origin = headers.origin && URL.parse(headers.origin)
      if (origin && origin.host !== headers.host && origin.origin !== hub.env.publicUrl) throw new Error('HUB_REQUEST_ORIGIN')
      const actor = await identify(hub, { headers, cookies: parseCookie(headers.cookie ?? '') as Record<string, string> })
      if (!actor) throw new Error('HUB_AUTH_REQUIRED')
      socket.data.actor = actor
      next()
    } catch (error) {
      next(error as Error)
    }
  })

  agents.on('connection', (socket) => {
    const actor = socket.data.actor as Access & { sessionId: string | null }
    const { id } = actor.agent
    const seat = seats.get(id) ?? { access: actor, sessionId: actor.sessionId, sockets: new Set() }
    seat.access = actor
    seat.sockets.add(socket)
    seats.set(id, seat)
    hub.metrics.sockets.set({ namespace: 'agent' }, agents.sockets.size)
    void stayAlive(hub, [id])
      .then(() => hub.bus.publish('agent.presence', { agentId: id }))
      .catch((error) => hub.log.warn({ err: error }, 'presence could not be kept'))
    socket.emit('ready', { serverTime: new Date().toISOString() })

    socket.on('typing', (data: unknown) => void ephemeral(seat, data, 'typing'))
    socket.on('viewing', (data: unknown) => void ephemeral(seat, data, 'viewing'))
    socket.on('disconnect', () => {
      seat.sockets.delete(socket)
      if (seat.sockets.size === 0) seats.delete(id)
      hub.metrics.sockets.set({ namespace: 'agent' }, agents.sockets.size)
      hub.bus.publish('agent.presence', { agentId: id })
    })
  })

  async function ephemeral(seat: Seat, data: unknown, kind: 'typing' | 'viewing'): Promise<void> {
    const { conversationId, active } = (data ?? {}) as { conversationId?: unknown; active?: unknown }
    if (typeof conversationId !== 'string' || conversationId.length !== 26) return
    try {
      const conversation = await hub.em().findOne(Conversation, { id: conversationId }, { disableIdentityMap: true })
      if (!conversation || !canRead(seat.access, conversation)) return
      const { assigneeId, departmentId, status } = conversation
      hub.bus.publish('ephemeral', {
        conversationId,
        visibility: { assigneeId, departmentId, status },
        kind,
        agentId: seat.access.agent.id,
        active: active === true,
      })
      if (kind === 'typing' && seat.access.ability.can('reply', subject('conversation', { ...conversation }) as unknown as 'conversation')) {
        notifyCustomer(hub, conversation, { kind: 'typing', active: active === true })
        showTyping(hub, conversation, active === true)
      }
    } catch (error) {
      hub.log.warn({ err: error }, 'an ephemeral event was dropped')
    }
  }

  const canRead = ({ ability }: Access, visibility: Visibility): boolean =>
    ability.can('read', subject('conversation', { ...visibility }) as unknown as 'conversation')

  const names = new Map<string, ContactNames>()
  async function namesOf(contactId: string): Promise<ContactNames | undefined> {
    const known = names.get(contactId)
    if (known) return known
    const row = await hub.em().findOne(Contact, { id: contactId }, { fields: ['id', 'number', 'nickname', 'name'], disableIdentityMap: true })
    if (!row) return undefined
    if (names.size >= namesKept) names.delete(names.keys().next().value ?? '')
    const found = { id: row.id, number: row.number, nickname: row.nickname, name: row.name }
    names.set(contactId, found)
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

  listen('conversation.changed', (changed: ConversationChanged) => {
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
  listen('session.ended', ({ sessionId }: { sessionId: string | null }) => {
    for (const seat of seats.values())
      for (const socket of seat.sockets) if (sessionId && (socket.data.actor as { sessionId: string | null }).sessionId === sessionId) socket.disconnect(true)
  })

  /** Roles, departments or accounts changed: every seat is looked up anew. */
  async function recheck(): Promise<void> {
    for (const [id, seat] of seats) {
      const access = await hub.access.of(id)
      if (!access) {
        for (const socket of seat.sockets) socket.disconnect(true)
      } else if (signature(access) !== signature(seat.access)) {
        seat.access = access
        for (const socket of seat.sockets) socket.emit('access.changed')
      }
    }
  }
  listen('access.changed', () => {
    hub.access.clear()
    inTurn(recheck)
  })

  const timers = [
    setInterval(() => void stayAlive(hub, [...seats.keys()]).catch((error) => hub.log.warn({ err: error }, 'presence could not be kept')), aliveEveryMs),
    setInterval(() => inTurn(recheck), recheckEveryMs),
  ]

  return {
    connected: () => seats.size,
    close() {
      for (const timer of timers) clearInterval(timer)
      for (const stop of undo) stop()
    },
  }
}

const signature = ({ grants, treeIds, owner, agent }: Access): string => JSON.stringify([grants, treeIds, owner, agent.departmentId])
