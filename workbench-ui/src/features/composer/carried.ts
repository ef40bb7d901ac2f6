/** Which files the inbox's channel carries: asked before a file is uploaded, and again when the hub has looked into it. */
import type { ChannelCapabilities, FileKind } from '../../../../core/sdk/channel.ts'
import { sizeOf } from '../../../../core/ui-kit/files/files.ts'

export const fileKinds: readonly FileKind[] = ['image', 'video', 'audio', 'file']
const pictures = ['image/png', 'image/jpeg', 'image/gif', 'image/webp']
/** Types as people call them. */
const names: Record<string, string> = { 'audio/mpeg': 'MP3', 'image/jpeg': 'JPG' }
const nameOf = (mime: string): string => names[mime] ?? mime.slice(mime.indexOf('/') + 1).toUpperCase()

/** What a browser makes of the name; some know no AMR. */
const mimeOf = (file: Pick<File, 'type' | 'name'>): string => file.type || (/\.amr$/i.test(file.name) ? 'audio/amr' : '')
/** As the hub will most likely take it: by its bytes, which nobody has read yet. */
const kindOf = (mime: string): FileKind =>
  pictures.includes(mime) ? 'image' : mime.startsWith('audio/') ? 'audio' : mime.startsWith('video/') ? 'video' : 'file'

/** For the file dialog of one kind. */
export function acceptOf(kind: FileKind, capabilities: ChannelCapabilities | undefined): string {
  const types = capabilities?.files?.[kind]?.types
  if (types) return types.flatMap((mime) => [mime, `.${nameOf(mime).toLowerCase()}`]).join()
  return { image: pictures.join(), audio: 'audio/*', video: 'video/*', file: '' }[kind]
}

/** The first of these that the channel takes as a voice. */
export const voiceType = (types: readonly string[], capabilities: ChannelCapabilities | undefined): string | undefined =>
  types.find((type) => capabilities?.files?.audio?.types?.includes(type) ?? true)

/** A sentence of the composer's, with what it names; undefined where the channel carries it. */
export type Refusal = { key: 'kind'; kind: FileKind } | { key: 'type'; kind: FileKind; types: string } | { key: 'size'; kind: FileKind; size: string }

export function refusalOf(
  { send, files, maxFileSize }: ChannelCapabilities,
  file: Pick<File, 'type' | 'name' | 'size'>,
  kind = kindOf(mimeOf(file)),
): Refusal | undefined {
  if (!send.includes(kind)) return { key: 'kind', kind }
  const { types, maxSize = maxFileSize } = files?.[kind] ?? {}
  if (types && !types.includes(mimeOf(file))) return { key: 'type', kind, types: types.map(nameOf).join('、') }
  return maxSize !== undefined && file.size > maxSize ? { key: 'size', kind, size: sizeOf(maxSize) } : undefined
}

/** The size up to which the platform surely takes such a file, where this one is larger. */
export function doubtfulSize({ files }: ChannelCapabilities, file: Pick<File, 'type' | 'name' | 'size'>): string | undefined {
  const sureSize = files?.[kindOf(mimeOf(file))]?.sureSize
  return sureSize !== undefined && file.size > sureSize ? sizeOf(sureSize) : undefined
}
