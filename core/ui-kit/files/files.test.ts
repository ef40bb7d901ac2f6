import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CarriedFile, lookOf } from './files.ts'

test('a recording or film that no browser plays is a download, not a player', () => {
  const look = (type: 'audio' | 'video' | 'image', mime: string) => lookOf({ type, fileId: 'f', name: 'x', mime, size: 1 } as CarriedFile)
  assert.deepEqual([look('audio', 'audio/mpeg'), look('video', 'video/mp4'), look('image', 'image/png')], ['audio', 'video', 'image'])
  assert.deepEqual([look('audio', 'audio/amr'), look('audio', 'audio/amr-wb'), look('video', 'video/vnd.avi')], ['none', 'none', 'none'])
})
