/** Whose address a socket has: as Fastify finds it for requests, the last one on the way that no trusted proxy vouches for. */
import type { IncomingMessage } from 'node:http'
import proxyAddr from '@fastify/proxy-addr'
import type { Env } from '../config/env.ts'

export function clientAddress({ trustProxy }: Pick<Env, 'trustProxy'>, handshake: IncomingMessage): string {
  if (trustProxy === false) return handshake.socket.remoteAddress ?? ''
  return proxyAddr(handshake, trustProxy === true ? () => true : proxyAddr.compile(trustProxy.split(',').map((one) => one.trim())))
}
