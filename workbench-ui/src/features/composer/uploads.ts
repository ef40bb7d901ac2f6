/** Files on their way, by conversation: they go on while another one is on the screen, and what did not get through is there when one comes back. */
import { type ShallowReactive, shallowReactive } from 'vue'
import type { ComposedLetter } from '../../../../core/sdk/wire/conversation.ts'
import type { Refusal } from './carried.ts'

/** For whom a file is, whatever one writes by the time it leaves. */
export interface Target {
  note: boolean
  replyToId: string | null
  letter: ComposedLetter | undefined
}

/** A file on its way, one that did not get through, or one that the channel does not carry. */
export interface Upload {
  file: File
  voice: boolean
  to: Target
  /** The same again may help. */
  error?: unknown
  /** It would not. */
  refusal?: Refusal
}

const all = new Map<string, ShallowReactive<Map<number, Upload>>>()
let count = 0

export const nextUpload = (): number => ++count

export function uploadsOf(conversationId: string): ShallowReactive<Map<number, Upload>> {
  const known = all.get(conversationId) ?? shallowReactive(new Map<number, Upload>())
  all.set(conversationId, known)
  return known
}

/** Whoever signs in next is somebody else. */
export const forgetUploads = (): void => all.clear()
