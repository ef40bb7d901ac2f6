/**
 * Voices are AMR narrow-band, which no browser plays; decoded they are WAV, which all play. The decoder is opencore-amr as
 * recorder-core carries it, run in a thread of its own: what a stranger recorded can neither hold up nor harm the hub.
 */
import { Worker } from 'node:worker_threads'

/** A minute of speech is 100 KB and takes a tenth of a second. */
const maxBytes = 2 * 1024 * 1024
const maxMs = 20_000

const isNarrowBand = (bytes: Buffer): boolean => bytes.subarray(0, 6).toString('latin1') === '#!AMR\n'
export const isAmr = (bytes: Buffer): boolean => isNarrowBand(bytes) || bytes.subarray(0, 9).toString('latin1') === '#!AMR-WB\n'

/** The same words as WAV. Throws when they cannot be decoded. */
export async function decodeVoice(amr: Buffer): Promise<Buffer> {
  if (!isNarrowBand(amr)) throw new Error('this is no narrow-band AMR')
  if (amr.length > maxBytes) throw new Error('this voice is too long')
  const worker = new Worker(new URL('./decode-voice.worker.ts', import.meta.url), {
    workerData: new Uint8Array(amr.subarray(6)),
    // Its heap for asm.js is an array buffer of 16 MB, beside these.
    resourceLimits: { maxOldGenerationSizeMb: 128 },
    // Says nothing of ours: neither environment nor console.
    env: {},
    stdout: true,
    stderr: true,
  })
  try {
    const samples = await new Promise<Int16Array>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('decoding took too long')), maxMs)
      timer.unref()
      worker.once('message', resolve)
      worker.once('error', reject)
      worker.once('exit', (code) => reject(new Error(`the decoder ended (${code})`)))
      worker.once('exit', () => clearTimeout(timer))
    })
    if (samples.length === 0) throw new Error('there is no sound in it')
    return wav(samples)
  } finally {
    await worker.terminate()
  }
}

/** 16 bits, one channel, 8 000 a second. */
function wav(samples: Int16Array): Buffer {
  const head = Buffer.alloc(44)
  const size = samples.byteLength
  head.write('RIFF', 0, 'latin1')
  head.writeUInt32LE(36 + size, 4)
  head.write('WAVEfmt ', 8, 'latin1')
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(8_000, 24)
  head.writeUInt32LE(16_000, 28)
  head.writeUInt16LE(2, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36, 'latin1')
  head.writeUInt32LE(size, 40)
  return Buffer.concat([head, Buffer.from(samples.buffer, samples.byteOffset, size)])
}
