/** Pictures in a letter's size for the page: looked at by their bytes, never by what they call themselves. */
import type { RecordFile } from '@huike/core/sdk/records.ts'

/** As the hub takes them in. */
const mostBytes = 20 * 1_024 * 1_024
const mostPixels = 50_000_000
/** Enough for print at the width they are shown in. */
const longestSide = 900

export interface Picture {
  width: number
  height: number
  grey: boolean
  jpeg: Buffer
}

/** Of the kinds that a reader of pictures may be given: SVG and others can name files of this machine. */
function isPicture(bytes: Buffer): boolean {
  const begins = (hex: string, at = 0) => bytes.subarray(at, at + hex.length / 2).equals(Buffer.from(hex, 'hex'))
  return begins('ffd8ff') || begins('89504e470d0a1a0a') || begins('47494638') || (begins('52494646') && begins('57454250', 8))
}

/** Undefined for what is no picture, is broken, too large or gone: it is named then. */
export async function readPicture(file: RecordFile): Promise<Picture | undefined> {
  if (!file.mime.startsWith('image/')) return undefined
  const bytes = await bytesOf(file)
  if (!bytes || !isPicture(bytes)) return undefined
  const { default: sharp } = await import('sharp')
  sharp.cache(false)
  try {
    const { data, info } = await sharp(bytes, { limitInputPixels: mostPixels, sequentialRead: true })
      .timeout({ seconds: 20 })
      .rotate()
      .resize(longestSide, longestSide, { fit: 'inside', withoutEnlargement: true })
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .jpeg({ quality: 75, progressive: false })
      .toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, grey: info.channels === 1, jpeg: data }
  } catch {
    return undefined
  }
}

async function bytesOf(file: RecordFile): Promise<Buffer | undefined> {
  const stream = await file.open()
  if (!stream) return undefined
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    length += (chunk as Buffer).length
    if (length > mostBytes) return undefined
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}
