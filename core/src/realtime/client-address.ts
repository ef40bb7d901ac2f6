/** Whose address a socket has: behind a trusted proxy the first one it names is the client's. */
import type { Socket } from 'socket.io'
import type { Hub } from '../hub.ts'

export function clientAddress(hub: Hub, { handshake }: Socket): string {
  if (hub.env.trustProxy === false) return handshake.address
  const forwarded = handshake.headers['x-forwarded-for']
  return (Array.isArray(forwarded) ? forwarded[0] : forwarded)?.split(',')[0]?.trim() || handshake.address
}
