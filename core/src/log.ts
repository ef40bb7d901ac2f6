/** The hub's log: JSON lines for operators, with the request's id and without anybody's personal data. */
import { DriverException } from '@mikro-orm/core'
import { type DestinationStream, type Logger as Pino, pino } from 'pino'
import { HubError } from '../sdk/errors.ts'
import { starred } from './access/mask-text.ts'
import type { Env } from './config/env.ts'

/** Longest message of an error that is not ours. */
const maxMessage = 300

export interface LoggedError {
  type: string
  code?: string
  status?: number
  message?: string
  /** Where it happened: the lines of the stack, without its first one, which repeats the message. */
  stack?: string
  cause?: LoggedError
}

/**
 * What may be written down of an error. A database quotes the values of the statement that failed, a parser the text
 * that it could not read, a mail server the address that it refused: of those only the kind, the code and the place are kept.
 */
export function loggedError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error }
  const { code, status, statusCode, errno, cause } = error as Error & Record<string, unknown>
  const message = messageOf(error)
  const stack = error.stack
    ?.split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n')
  const codeText = [code, errno].find((value) => (typeof value === 'string' && /^[\w.-]{1,60}$/.test(value)) || typeof value === 'number')
  const statusNumber = [status, statusCode].find((value) => typeof value === 'number') as number | undefined
  return {
    type: error.constructor.name,
    ...(codeText === undefined ? {} : { code: String(codeText) }),
    ...(statusNumber === undefined ? {} : { status: statusNumber }),
    ...(message ? { message } : {}),
    ...(stack ? { stack } : {}),
    ...(cause !== undefined && depth < 3 ? { cause: loggedError(cause, depth + 1) } : {}),
  }
}

/** The same in a few words, for a column: at most `max` characters. */
export function shortly(error: unknown, max = 500): string {
  const { type, code, message } = loggedError(error)
  return (message || [type, code].filter(Boolean).join(' ')).slice(0, max)
}

function messageOf(error: Error): string {
  if (error instanceof HubError) return error.message
  if (error instanceof DriverException || 'sql' in error || 'sqlMessage' in error || error instanceof SyntaxError) return ''
  // Our own sentences are English and quote names of the program only: what is quoted, an address, a number or in
  // Chinese came from outside, and with it all that follows.
  const end = error.message.search(error instanceof TypeError ? /["`<@]|\d{5}|[\u3400-\u9fff\uf900-\ufaff]/ : /["'`<@]|\d{5}|[\u3400-\u9fff\uf900-\ufaff]/)
  const kept = starred(error.message).slice(0, end < 0 ? maxMessage : Math.min(end, maxMessage))
  return end < 0 ? kept : `${kept.replace(/\S*$/, '')}…`
}

/** `to`: elsewhere than to the standard output. */
export function createLog(env: Pick<Env, 'logLevel'>, to?: DestinationStream): Pino {
  const options = {
    level: env.logLevel,
    redact: { paths: ['req.headers.cookie', 'req.headers.authorization', '*.password', '*.token'], remove: true },
    serializers: { err: (error: unknown) => loggedError(error) },
  }
  if (to) return pino(options, to)
  return pino({
    ...options,
    ...(process.stdout.isTTY ? { transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname', translateTime: 'HH:MM:ss' } } } : {}),
  })
}
