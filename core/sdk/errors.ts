/**
 * Every refusal of the hub: a code, a reader and a document. The table is the truth; `core/docs/errors.md`
 * and the UIs' locales are held to it by a test, both ways.
 */
export interface ErrorKind {
  /** HTTP status on the wire. */
  status: number
  /** Who should act: the person at the screen, the operator of the hub, or the author of a plugin. */
  reader: 'user' | 'operator' | 'author'
  /** May the same request be sent again, unchanged? */
  retry: boolean
}

const user = (status: number, retry = false): ErrorKind => ({ status, reader: 'user', retry })
const operator = (status: number, retry = false): ErrorKind => ({ status, reader: 'operator', retry })
const author = (status = 500): ErrorKind => ({ status, reader: 'author', retry: false })

export const errorKinds = {
  HUB_REQUEST_INVALID: user(400),
  HUB_REQUEST_TOO_LARGE: user(413),
  HUB_RESULT_TOO_LARGE: user(422),
  HUB_REQUEST_ORIGIN: user(403),
  HUB_AUTH_REQUIRED: user(401),
  HUB_AUTH_FAILED: user(401),
  HUB_AUTH_TOTP_REQUIRED: user(401),
  HUB_AUTH_THROTTLED: user(429, true),
  HUB_PASSWORD_WEAK: user(422),
  HUB_FORBIDDEN: user(403),
  HUB_PREVIEW_READ_ONLY: user(403),
  HUB_PREVIEW_OVER: user(409),
  HUB_NOT_FOUND: user(404),
  HUB_CONFLICT: user(409),
  HUB_LIST_FULL: user(409),
  HUB_RATE_LIMITED: user(429, true),
  HUB_SETUP_DONE: user(409),
  HUB_RECORD_OPEN: user(409),
  HUB_CONVERSATION_CLOSED: user(409),
  HUB_AGENT_UNAVAILABLE: user(409),
  HUB_AGENT_CANNOT_SERVE: user(409),
  HUB_AGENT_LAST_OWNER: user(409),
  HUB_ROLE_BUILTIN: user(409),
  HUB_ROLE_IN_USE: user(409),
  HUB_TAG_SYSTEM: user(409),
  HUB_DEPARTMENT_IN_USE: user(409),
  HUB_MESSAGE_NOT_RECALLABLE: user(409),
  HUB_MESSAGE_REFUSED: user(422),
  HUB_REPLY_WINDOW: user(409),
  HUB_RANGE_INVALID: user(416),
  HUB_IDENTITY_BLOCKED: user(403),
  HUB_CHANNEL_DISABLED: user(403),
  HUB_CHANNEL_UNVERIFIED: user(401),
  HUB_CHANNEL_SEND_FAILED: operator(502, true),
  HUB_SETTINGS_INVALID: user(422),
  HUB_SETTINGS_SEALED: operator(409),
  HUB_DATA_SEALED: operator(503),
  HUB_PLUGIN_VERSION: operator(409),
  HUB_PLUGIN_MISSING: operator(409),
  HUB_PLUGIN_CYCLE: author(409),
  HUB_PLUGIN_TABLE: author(409),
  HUB_PLUGIN_DUPLICATE: operator(409),
  HUB_PLUGIN_INVALID: author(409),
  HUB_PLUGIN_BROKEN: operator(503),
  HUB_STORAGE_UNAVAILABLE: operator(503, true),
  HUB_UNAVAILABLE: operator(503, true),
  HUB_INTERNAL: operator(500, true),
} as const satisfies Record<string, ErrorKind>

export type HubErrorCode = keyof typeof errorKinds

/** What goes on the wire when a request is refused. */
export interface WireError {
  code: string
  message: string
  requestId: string
  details?: unknown
}

/**
 * The one error that routes, hooks and adapters throw on purpose. Plugins may use codes of their own
 * (`SHOP_COUPON_USED`): those carry their kind with them.
 */
export class HubError extends Error {
  readonly code: string
  readonly kind: ErrorKind
  readonly details: unknown

  constructor(code: HubErrorCode, message: string, details?: unknown)
  constructor(code: string, message: string, details: unknown, kind: ErrorKind)
  constructor(code: string, message: string, details?: unknown, kind?: ErrorKind) {
    super(message)
    this.name = 'HubError'
    this.code = code
    this.kind = kind ?? errorKinds[code as HubErrorCode] ?? errorKinds.HUB_INTERNAL
    this.details = details
  }
}
