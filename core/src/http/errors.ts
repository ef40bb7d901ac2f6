/** Whatever goes wrong becomes `{ code, message, requestId, details }`; nothing of the inside goes on the wire. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { errorKinds, HubError, type WireError } from '../../sdk/errors.ts'
import { faultsOf } from '../../sdk/faults.ts'

export function toHubError(error: unknown): HubError {
  if (error instanceof HubError) return error
  const known = error as Partial<FastifyError>
  if (known.validation)
    return new HubError('HUB_REQUEST_INVALID', 'The request is not valid', {
      faults: faultsOf(known.validation, known.validationContext),
    })
  if (known.statusCode === 413) return new HubError('HUB_REQUEST_TOO_LARGE', 'The request is too large')
  if (known.statusCode === 429) return new HubError('HUB_RATE_LIMITED', 'Too many requests')
  if (known.statusCode && known.statusCode >= 400 && known.statusCode < 500)
    return new HubError('HUB_REQUEST_INVALID', known.message ?? 'The request is not valid')
  if (isUnavailable(error)) return new HubError('HUB_UNAVAILABLE', 'The hub cannot reach its database now')
  return new HubError('HUB_INTERNAL', 'Something went wrong')
}

const gone = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'PROTOCOL_CONNECTION_LOST', 'ER_SERVER_SHUTDOWN', 'ENOTFOUND', 'POOL_CLOSED'])

function isUnavailable(error: unknown): boolean {
  const { code, name } = error as { code?: string; name?: string }
  return (code !== undefined && gone.has(code)) || name === 'ConnectionException'
}

export function errorHandler(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const refusal = toHubError(error)
  if (refusal.kind.status >= 500) request.log.error({ err: error }, 'request failed')
  const body: WireError = { code: refusal.code, message: refusal.message, requestId: request.id }
  if (refusal.details !== undefined) body.details = refusal.details
  if (refusal.kind.status === 429) {
    const wait = (refusal.details as { retryAfterSeconds?: number } | undefined)?.retryAfterSeconds
    if (wait) reply.header('retry-after', wait)
  }
  if (refusal.code === 'HUB_RANGE_INVALID') reply.header('content-range', `bytes */${(refusal.details as { size: number }).size}`)
  reply.status(refusal.kind.status).send(body)
}

export const notFound = (request: FastifyRequest, reply: FastifyReply): void => {
  const body: WireError = { code: 'HUB_NOT_FOUND', message: 'There is nothing here', requestId: request.id }
  reply.status(errorKinds.HUB_NOT_FOUND.status).send(body)
}
