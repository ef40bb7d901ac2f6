/** How long a voice lasts, counted frame by frame: WeChat takes a minute and refuses more only after the upload. */
import { isAmr } from './decode-voice.ts'

/** Bytes of a frame's speech by its type (3GPP TS 26.101, 26.201); each lasts 20 ms. */
const narrow = [12, 13, 15, 17, 19, 20, 26, 31, 5]
const wide = [17, 23, 32, 36, 40, 46, 50, 58, 60, 5]

/** Milliseconds; undefined when nothing in it can be counted. */
export function voiceLengthMs(bytes: Buffer): number | undefined {
  const ms = isAmr(bytes) ? amrMs(bytes) : mp3Ms(bytes)
  return ms > 0 ? ms : undefined
}

function amrMs(bytes: Buffer): number {
  const isWide = bytes.subarray(0, 9).toString('latin1') === '#!AMR-WB\n'
  const sizes = isWide ? wide : narrow
  let frames = 0
  for (let at = isWide ? 9 : 6; at < bytes.length; frames++) at += 1 + (sizes[((bytes[at] as number) >> 3) & 15] ?? 0)
  return frames * 20
}

/** Kilobits a second of layer III: MPEG 1, and MPEG 2 and 2.5. */
const rates = [
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
] as const
const samplings = [44_100, 48_000, 32_000]

function mp3Ms(bytes: Buffer): number {
  let at = 0
  // A tag in front names its own length, seven bits a byte.
  if (bytes.subarray(0, 3).toString('latin1') === 'ID3' && bytes.length > 10)
    at = 10 + (((bytes[6] as number) << 21) | ((bytes[7] as number) << 14) | ((bytes[8] as number) << 7) | (bytes[9] as number))
  let ms = 0
  while (at + 4 <= bytes.length) {
    const frame = frameAt(bytes.readUInt32BE(at))
    if (frame) {
      ms += frame.ms
      at += frame.size
    } else at++
  }
  return ms
}

function frameAt(header: number): { size: number; ms: number } | undefined {
  const [version, layer, rate, sampling, padding] = [(header >>> 19) & 3, (header >>> 17) & 3, (header >>> 12) & 15, (header >>> 10) & 3, (header >>> 9) & 1]
  if (header >>> 21 !== 0x7ff || version === 1 || layer !== 1 || rate === 0 || rate === 15 || sampling === 3) return undefined
  const first = version === 3
  const hertz = (samplings[sampling] as number) / (first ? 1 : version === 2 ? 2 : 4)
  const samples = first ? 1_152 : 576
  const kilobits = rates[first ? 0 : 1][rate] as number
  return { size: Math.floor((samples / 8) * ((kilobits * 1_000) / hertz)) + padding, ms: (samples / hertz) * 1_000 }
}
