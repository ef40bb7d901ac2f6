/** Talks to the hub. Every refusal becomes an {@link ApiError} with the code of the errors' table. */
import type { WireError } from '../sdk/errors.ts'

export class ApiError extends Error {
  readonly code: string
  readonly status: number
  readonly details: unknown
  constructor(status: number, body: Partial<WireError>) {
    super(body.message ?? `HTTP ${status}`)
    this.code = body.code ?? 'HUB_INTERNAL'
    this.status = status
    this.details = body.details
  }
}

/** Asked when the session is gone; set by the app. */
let onSignedOut: () => void = () => undefined
export const whenSignedOut = (handler: () => void): void => {
  onSignedOut = handler
}

/** `path` begins after `/api`. Throws {@link ApiError}; without an answer its code is HUB_OFFLINE. */
export async function api<T>(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
  options: { /** Goes out although the page is being left. */ keepalive?: boolean } = {},
): Promise<T> {
  const form = body instanceof FormData
  let response: Response
  try {
    response = await fetch(`/api${path}`, {
      method,
      credentials: 'same-origin',
      keepalive: options.keepalive ?? false,
      ...(body === undefined ? {} : { body: form ? body : JSON.stringify(body), headers: form ? {} : { 'content-type': 'application/json' } }),
    })
  } catch {
    throw new ApiError(0, { code: 'HUB_OFFLINE', message: 'The hub does not answer' })
  }
  const json = response.headers.get('content-type')?.includes('json') ? await response.json().catch(() => ({})) : {}
  if (response.ok) return json as T
  const error = new ApiError(response.status, json as WireError)
  if (error.code === 'HUB_AUTH_REQUIRED') onSignedOut()
  // The page starts anew and asks who it is (`session.store.ts`), which ends the preview.
  if (error.code === 'HUB_PREVIEW_OVER' && path !== '/me') location.reload()
  throw error
}

export const get = <T>(path: string): Promise<T> => api<T>('GET', path)

/** A name for what is sent, so that a repeat is recognised. `crypto.randomUUID` is not there on plain HTTP. */
export const newClientId = (): string => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')

export const query = (values: Record<string, string | number | undefined>): string => {
  const given = Object.entries(values).filter((entry): entry is [string, string | number] => entry[1] !== undefined && entry[1] !== '')
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
}
