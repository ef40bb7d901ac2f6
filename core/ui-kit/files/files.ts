/** Files of messages: what can be looked at here, and how. Everything else is a download. */
import { inlineTypes } from '../../sdk/inline-types.ts'
import type { MessagePart } from '../../sdk/message-parts.ts'

export type CarriedFile = Extract<MessagePart, { fileId: string }>
export type Look = 'image' | 'audio' | 'video' | 'pdf' | 'text' | 'none'

const textNames = /\.(txt|log|csv|tsv|md|json|xml|ya?ml|ini|conf|srt|vcf|ics)$/i
/** More than a person reads in a window; the rest is for an editor. */
const mostText = 512 * 1024

export const fileUrl = (id: string, thumbnail = false): string => `/api/files/${id}${thumbnail ? '/thumbnail' : ''}`
export const isFile = (part: MessagePart): part is CarriedFile => 'fileId' in part

/**
 * The hub has looked into the bytes for every kind but text, which has no mark of its own: there the name decides, and
 * it is shown as letters only. A PDF is drawn by the browser's own viewer, apart from our page; where there is none
 * (phones), it is downloaded.
 */
export function lookOf(part: CarriedFile): Look {
  if (part.type === 'image') return 'image'
  // AMR, AVI: a player that plays nothing is worse than none.
  if (part.type !== 'file') return inlineTypes.has(part.mime) ? part.type : 'none'
  if (part.mime === 'application/pdf') return navigator.pdfViewerEnabled ? 'pdf' : 'none'
  return part.mime === 'application/octet-stream' && textNames.test(part.name) && part.size <= mostText ? 'text' : 'none'
}

/** UTF-8, or what Chinese Windows writes. */
export async function readText(id: string): Promise<string> {
  const response = await fetch(fileUrl(id), { credentials: 'same-origin' })
  if (!response.ok) throw new Error(String(response.status))
  const bytes = await response.arrayBuffer()
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return new TextDecoder('gb18030').decode(bytes)
  }
}

export const sizeOf = (bytes: number): string =>
  bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`
