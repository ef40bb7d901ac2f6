/** A voice's length by its frames: AMR of both kinds, MP3 with and without a tag, and what is neither. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { voiceLengthMs } from './voice-length.ts'

const amr = (seconds: number) =>
  Buffer.concat([Buffer.from('#!AMR\n'), ...Array.from({ length: seconds * 50 }, () => Buffer.concat([Buffer.from([0x3c]), Buffer.alloc(31)]))])
const wide = (seconds: number) =>
  Buffer.concat([Buffer.from('#!AMR-WB\n'), ...Array.from({ length: seconds * 50 }, () => Buffer.concat([Buffer.from([0x04]), Buffer.alloc(17)]))])
/** MPEG 1 layer III, 128 kbit/s at 44.1 kHz: 417 bytes a frame, 26.1 ms. */
const mp3 = (frames: number) => Buffer.concat(Array.from({ length: frames }, () => Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x00]), Buffer.alloc(413)])))

test('frames are counted', () => {
  assert.equal(voiceLengthMs(amr(3)), 3_000)
  assert.equal(voiceLengthMs(wide(61)), 61_000)
  assert.equal(Math.round(voiceLengthMs(mp3(100)) ?? 0), 2_612)
  const tag = Buffer.from([0x49, 0x44, 0x33, 3, 0, 0, 0, 0, 1, 0])
  assert.equal(Math.round(voiceLengthMs(Buffer.concat([tag, Buffer.alloc(128, 0xff), mp3(100)])) ?? 0), 2_612)
})

test('what holds no frame has no length, and nothing hangs', () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from('#!AMR\n'), Buffer.from('ID3'), Buffer.alloc(100_000, 0xff), Buffer.from('no voice at all')])
    assert.equal(voiceLengthMs(bytes), undefined)
})
