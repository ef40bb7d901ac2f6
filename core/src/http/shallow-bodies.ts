/**
 * Nobody means a body of thousands of levels: text of any depth is parsed, but what walks it afterwards (a check, the way to the
 * database, writing it out) calls itself for each level and falls over.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { HubError } from '../../sdk/errors.ts'

const mostLevels = 20

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** Level by level, so that it can be as deep as it likes. */
function goesBeyond(value: unknown, levels: number): boolean {
  let level = [value].filter(isObject)
  for (let left = levels; level.length > 0; left--) {
    if (left === 0) return true
    level = level.flatMap((one) => Object.values(one).filter(isObject))
  }
  return false
}

/** For `preValidation`; raw bytes are their reader's matter. */
export function refuseDeep({ body }: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  const deep = isObject(body) && !Buffer.isBuffer(body) && goesBeyond(body, mostLevels)
  const faults = [{ path: 'body', rule: 'depth', message: `must NOT have more than ${mostLevels} levels` }]
  done(deep ? new HubError('HUB_REQUEST_INVALID', 'The request is nested too deep', { faults }) : undefined)
}
