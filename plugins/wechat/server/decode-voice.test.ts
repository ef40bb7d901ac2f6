import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { speech } from '../../../tests/support/amr.ts'
import { decodeVoice, isAmr } from './decode-voice.ts'

/** Loudness of one pitch in 16-bit samples (Goertzel). */
function power(samples: Int16Array, hertz: number): number {
  const k = 2 * Math.cos((2 * Math.PI * hertz) / 8_000)
  let [a, b] = [0, 0]
  for (const sample of samples) [a, b] = [sample + k * a - b, a]
  return a * a + b * b - k * a * b
}

test('a voice becomes a WAV of the same length and the same sound', async () => {
  const wav = await decodeVoice(speech(2))
  assert.deepEqual([wav.toString('latin1', 0, 4), wav.toString('latin1', 8, 16), wav.readUInt32LE(24), wav.readUInt16LE(34)], ['RIFF', 'WAVEfmt ', 8_000, 16])
  assert.equal(wav.readUInt32LE(4), wav.length - 8)
  assert.equal(wav.readUInt32LE(40), wav.length - 44)
  const samples = new Int16Array(wav.buffer.slice(wav.byteOffset + 44, wav.byteOffset + wav.length))
  assert.ok(Math.abs(samples.length - 16_000) <= 320, `${samples.length} samples`)
  assert.ok(power(samples, 440) > 50 * power(samples, 1_300), 'the pitch that was spoken is heard')
})

test('what is no narrow-band AMR is refused, and harms nothing', async () => {
  const broken = {
    'wide band': Buffer.from('#!AMR-WB\n0000'),
    nothing: Buffer.alloc(0),
    'a head alone': Buffer.from('#!AMR\n'),
    'a frame cut off': speech(1).subarray(0, 10),
    'a kind of frame that does not exist': Buffer.concat([Buffer.from('#!AMR\n'), Buffer.alloc(400, 0x74)]),
    'too much': Buffer.concat([Buffer.from('#!AMR\n'), Buffer.alloc(3 * 1024 * 1024)]),
  }
  for (const [what, bytes] of Object.entries(broken)) await assert.rejects(decodeVoice(bytes), Error, what)
})

test('noise behind the head is decoded or refused, within its time and memory', async () => {
  const outcome = await decodeVoice(Buffer.concat([Buffer.from('#!AMR\n'), randomBytes(50_000)])).then(
    (wav) => wav.length < 50_000 * 400,
    (error) => error instanceof Error,
  )
  assert.equal(outcome, true)
})

test('both kinds of AMR are known by their first bytes', () => {
  assert.deepEqual([isAmr(speech(1)), isAmr(Buffer.from('#!AMR-WB\n')), isAmr(Buffer.from('RIFF')), isAmr(Buffer.alloc(0))], [true, true, false, false])
})
