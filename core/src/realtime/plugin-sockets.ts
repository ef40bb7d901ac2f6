/** Sockets of plugins' own clients: one namespace a plugin, gone when it is switched off. */
import type { Server, Socket } from 'socket.io'
import { HubError } from '../../sdk/errors.ts'
import type { PluginContext, SocketDeclaration, SocketPrincipal } from '../../sdk/plugin.ts'
import type { Hub } from '../hub.ts'
import type { Undo } from '../kernel/kernel.ts'
import type { LoadedPlugin } from '../kernel/load.ts'
import { clientAddress } from './client-address.ts'

interface Push {
  plugin: string
  room: string
  event: string
  data: unknown
}

/** Delivers what plugins push, to the sockets of this process. */
export function startPluginPushes(hub: Hub, io: Server): () => void {
  return hub.bus.subscribe('plugin.push', (data) => {
    const { plugin, room, event, data: payload } = data as Push
    if (hub.kernel.isRunning(plugin)) io.of(`/x/${plugin}`).to(room).emit(event, payload)
  })
}

/** Most that a timer can wait. */
const longestMs = 2 ** 31 - 1

function hangUpAt(socket: Socket, until: Date | undefined): NodeJS.Timeout | undefined {
  return until && setTimeout(() => socket.disconnect(true), Math.min(Math.max(until.getTime() - Date.now(), 0), longestMs)).unref()
}

export function installSockets(hub: Hub, io: Server, { manifest }: LoadedPlugin, ctx: PluginContext): Undo {
  const sockets = manifest.sockets as SocketDeclaration<unknown>
  const namespace = io.of(`/x/${manifest.id}`)
  let on = true
  const authenticate = async (socket: Socket, next: (error?: Error) => void) => {
    try {
      if (!on) throw new HubError('HUB_NOT_FOUND', 'There is nothing here')
      const { auth, headers } = socket.handshake
      const handshake = { auth, origin: headers.origin, host: headers.host, ip: clientAddress(hub.env, socket.request) }
      const principal = await sockets.authenticate(handshake, ctx as PluginContext<unknown>)
      // Switched off while it was asked who it is.
      if (!on) throw new HubError('HUB_NOT_FOUND', 'There is nothing here')
      socket.data.principal = principal
      await socket.join(principal.rooms)
      next()
    } catch (error) {
      if (!(error instanceof HubError)) hub.log.warn({ plugin: manifest.id, err: error }, 'a socket was refused')
      next(new Error(error instanceof HubError ? error.code : 'HUB_INTERNAL'))
    }
  }
  const connected = (socket: Socket) => {
    const principal = socket.data.principal as SocketPrincipal
    hub.metrics.sockets.set({ namespace: manifest.id }, namespace.sockets.size)
    const end = hangUpAt(socket, principal.until)
    const guarded = async (work: () => unknown, done?: (answer: unknown) => void) => {
      try {
        const answer = await work()
        done?.(answer ?? { ok: true })
      } catch (error) {
        if (!(error instanceof HubError)) hub.log.error({ plugin: manifest.id, err: error }, 'a socket event failed')
        done?.({ error: error instanceof HubError ? error.code : 'HUB_INTERNAL' })
      }
    }
    for (const [event, handler] of Object.entries(sockets.on ?? {}))
      socket.on(event, (data: unknown, done?: unknown) =>
        guarded(() => handler(data, principal, ctx as PluginContext<unknown>), typeof done === 'function' ? (done as (answer: unknown) => void) : undefined),
      )
    void guarded(() => sockets.connected?.(principal, ctx as PluginContext<unknown>))
    socket.on('disconnect', () => {
      clearTimeout(end)
      hub.metrics.sockets.set({ namespace: manifest.id }, namespace.sockets.size)
      void guarded(() => sockets.disconnected?.(principal, ctx as PluginContext<unknown>))
    })
  }
  // `use` cannot be taken back, so it is added once and asks whether the plugin is on.
  const marked = namespace as typeof namespace & { huike?: { authenticate: typeof authenticate } }
  if (marked.huike) marked.huike.authenticate = authenticate
  else {
    const slot = { authenticate }
    marked.huike = slot
    namespace.use((socket, next) => void slot.authenticate(socket, next))
  }
  namespace.on('connection', connected)
  return () => {
    on = false
    namespace.off('connection', connected)
    namespace.disconnectSockets(true)
  }
}
