/** What was written here and the hub has not confirmed: shown at once, sent in order, kept by the tab over a reload, joined to the stored message by its client id. */
import { reactive, watch } from 'vue'
import type { ComposablePart } from '../../../core/sdk/message-parts.ts'
import type { ComposedLetter, Message } from '../../../core/sdk/wire/conversation.ts'
import { ApiError, api, newClientId } from '../../../core/ui-kit/api.ts'

export interface Pending {
  clientId: string
  conversationId: string
  parts: ComposablePart[]
  note: boolean
  replyToId: string | null
  letter: ComposedLetter | undefined
  /** `waiting`: the hub was not reached; it goes out by itself. `failed`: the hub refused it. */
  state: 'sending' | 'waiting' | 'failed'
  error: unknown
  at: string
}

/** As the tab keeps it: the hub's refusal, where it did refuse. */
type Kept = Omit<Pending, 'state' | 'error'> & { refusal?: Pick<ApiError, 'status' | 'code' | 'message' | 'details'> }
function asKept({ state, error, ...message }: Pending): Kept {
  if (state !== 'failed') return message
  const { status = 0, code = 'HUB_INTERNAL', message: words = '', details } = (error ?? {}) as Partial<ApiError>
  return { ...message, refusal: { status, code, message: words, details } }
}

/** Under the name of who wrote it: whoever signs in next in this tab sends nothing of theirs. */
const keyOf = (agentId: string) => `huike.unsent.${agentId}`

/** The hub was not reached: no line, or a proxy whose hub restarts. A plugin that holds messages up is another matter: the agent must know. */
const isOffline = (error: unknown): boolean =>
  error instanceof ApiError && (error.code === 'HUB_OFFLINE' || ([502, 503, 504].includes(error.status) && error.code !== 'HUB_PLUGIN_BROKEN'))

/** @param stored told of each message once the hub has it */
export function createOutbox(stored: (message: Message) => void) {
  const pending = reactive(new Map<string, Pending[]>())

  function send(
    conversationId: string,
    parts: ComposablePart[],
    options: { note?: boolean; replyToId?: string | null; letter?: ComposedLetter | undefined } = {},
  ): void {
    enqueue({
      clientId: newClientId(),
      conversationId,
      parts,
      note: options.note ?? false,
      replyToId: options.replyToId ?? null,
      letter: options.letter,
      state: 'sending',
      error: undefined,
      at: new Date().toISOString(),
    })
  }

  function enqueue(message: Pending): void {
    const waiting = pending.get(message.conversationId) ?? []
    waiting.push(message)
    pending.set(message.conversationId, waiting)
    void drain(message.conversationId)
  }

  /** Conversations whose messages are on their way; true: asked for once more meanwhile. */
  const draining = new Map<string, boolean>()
  /** One after the other, as they were written. What the hub refuses holds nothing up; without a line all that is left waits for it. */
  async function drain(conversationId: string): Promise<void> {
    if (draining.has(conversationId)) return void draining.set(conversationId, true)
    do {
      draining.set(conversationId, false)
      for (let next = first(); next && (await post(next)); ) next = first()
    } while (draining.get(conversationId))
    draining.delete(conversationId)

    function first(): Pending | undefined {
      return pending.get(conversationId)?.find(({ state }) => state !== 'failed')
    }
  }

  /** False: there is no line, and what waits behind it need not be tried. */
  async function post(message: Pending): Promise<boolean> {
    try {
      const { conversationId, clientId, parts, note, replyToId, letter } = message
      const answer = await api<Message>('POST', `/conversations/${conversationId}/messages`, {
        clientId,
        parts,
        note,
        replyToId,
        ...(letter ? { meta: letter } : {}),
      })
      // The push may have come first; either way it is shown once.
      discard(message)
      stored(answer)
      return true
    } catch (error) {
      if (!isOffline(error)) return !!Object.assign(message, { error, state: 'failed' })
      for (const one of pending.get(message.conversationId) ?? []) if (one.state === 'sending') one.state = 'waiting'
      return false
    }
  }

  /** After every connect: what was written while the line was down goes out now, under the same client id. */
  function drainAll(): void {
    for (const id of pending.keys()) void drain(id)
  }

  /** A network that was away for a blink, or a proxy whose hub restarts, need not break the live line: then no reconnect says that it is over. */
  function retryWaiting(): void {
    for (const [id, unsent] of pending) if (unsent.some(({ state }) => state === 'waiting')) void drain(id)
  }

  async function transmit(message: Pending): Promise<void> {
    Object.assign(message, { state: 'sending', error: undefined })
    await drain(message.conversationId)
  }

  function confirm(conversationId: string, clientId: string): void {
    const waiting = pending.get(conversationId)
    const at = waiting?.findIndex((p) => p.clientId === clientId) ?? -1
    if (at >= 0) waiting?.splice(at, 1)
  }

  const discard = ({ conversationId, clientId }: Pending): void => confirm(conversationId, clientId)

  /** Takes up what this agent left unsent in this tab, and keeps it from now on; returns its own undo. What was refused goes out again only by hand. */
  function keep(agentId: string): () => void {
    const kept = JSON.parse(sessionStorage.getItem(keyOf(agentId)) ?? '[]') as Kept[]
    for (const { refusal, ...message } of kept)
      enqueue({ ...message, ...(refusal ? { state: 'failed', error: new ApiError(refusal.status, refusal) } : { state: 'sending', error: undefined }) })
    return watch(
      () => JSON.stringify([...pending.values()].flat().map(asKept)),
      (unsent) => sessionStorage.setItem(keyOf(agentId), unsent),
      { flush: 'sync' },
    )
  }

  return { pending, send, transmit, discard, confirm, drainAll, retryWaiting, keep }
}
