import type { FastifyRequest } from 'fastify'

/** Does the browser say that it has this very answer? A proxy that compressed it on its way has made the mark a weak one. */
export const knownAlready = (request: FastifyRequest, etag: string): boolean =>
  request.headers['if-none-match']?.split(',').some((known) => known.trim().replace(/^W\//, '') === etag) ?? false
