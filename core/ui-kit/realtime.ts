/**
 * The live line of an app: live, catching up, offline. Pushes may be lost; whoever listens to `onResync` fetches
 * what changed since, and is called after every connect.
 */
import { io, type Socket } from 'socket.io-client'
import { ref, shallowRef } from 'vue'
import { get } from './api.ts'

/** `connecting`: for the first time, or for so short a time that nobody need know. */
export type LineState = 'connecting' | 'live' | 'catching-up' | 'offline'

const state = ref<LineState>('connecting')
const socket = shallowRef<Socket>()
const resyncs = new Set<() => Promise<void>>()
const handlers = new Map<string, Set<(data: never) => void>>()

async function resync(): Promise<void> {
  state.value = 'catching-up'
  try {
    await Promise.all([...resyncs].map((work) => work()))
    if (socket.value?.connected) state.value = 'live'
  } catch {
    // The line is up but the hub did not answer: once more, a little later.
    if (socket.value?.connected) setTimeout(() => socket.value?.connected && void resync(), 2_000)
  }
}

export function useRealtime() {
  return {
    state,
    /** `aside`: hears the news, but nobody sits here ready to be given conversations. */
    connect(options: { aside?: boolean } = {}): void {
      if (socket.value) return
      // Polls where a proxy on the way refuses the WebSocket.
      const made = io({
        path: '/socket',
        auth: { aside: options.aside ?? false },
        transports: ['websocket', 'polling'],
        tryAllTransports: true,
        reconnectionDelayMax: 5_000,
      })
      socket.value = made
      made.on('connect', () => void resync())
      // Behind the pushes that it asks about: these are here (`await-receipts.ts`).
      made.on('received', (answer: () => void) => answer())
      // socket.io does not come back by itself where the hub has hung up, as it does when it restarts, or refused the line.
      const reopen = () => {
        state.value = 'offline'
        if (!made.active) setTimeout(() => socket.value === made && made.connect(), 1_000 + Math.random() * 2_000)
      }
      made.on('disconnect', reopen)
      made.on('connect_error', ({ message }) => {
        reopen()
        // The session may be over: asked for who it is, the hub says so, which leads to the login (`whenSignedOut`).
        if (message === 'HUB_AUTH_REQUIRED') void get('/me').catch(() => undefined)
      })
      made.onAny((event: string, data: unknown) => {
        for (const handler of handlers.get(event) ?? []) handler(data as never)
      })
    },
    disconnect(): void {
      socket.value?.disconnect()
      socket.value = undefined
      state.value = 'connecting'
    },
    /** Returns its own undo. */
    on<T>(event: string, handler: (data: T) => void): () => void {
      const set = handlers.get(event) ?? new Set()
      handlers.set(event, set.add(handler as (data: never) => void))
      return () => void set.delete(handler as (data: never) => void)
    },
    onResync(work: () => Promise<void>): () => void {
      resyncs.add(work)
      return () => void resyncs.delete(work)
    },
    emit(event: string, data: unknown): void {
      if (socket.value?.connected) socket.value.emit(event, data)
    },
  }
}
