import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SendError } from '@huike/core/sdk/channel.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'
import fc from 'fast-check'
import { countDrafts, encodeParts, maxTextBytes, splitByBytes } from './encode.ts'

const official = { kind: 'official', appId: 'wx1234567890', cardThumbMediaId: '' } as const
const mini = { ...official, kind: 'mini' } as const
const file = { fileId: 'f1', name: '报价.mp4', mime: 'video/mp4', size: 10 }

test('a text that fits is one message, byte for byte', () => {
  const text = '好'.repeat(682)
  assert.deepEqual(encodeParts([{ type: 'text', text }], official), [{ msgtype: 'text', text: { content: text } }])
})

test('nothing goes out that JSON would escape: controls and half characters are taken out, breaks of a word processor are line breaks', () => {
  const text = '一\v二\f三\r\n四\r五\u0000\u0007\u001f六\ud83d七\udf89\t🎉\n八'
  const dirty = (words: string) => `${words}\u0001\udc00`
  const drafts = encodeParts(
    [
      { type: 'text', text },
      { type: 'link', url: 'https://shop.example.com/7', title: dirty('跑鞋'), description: dirty('42 码') },
      { type: 'card', kind: 'miniprogram', title: dirty('订单'), data: { thumbMediaId: 'm1' } },
    ],
    official,
  )
  assert.deepEqual(drafts[0], { msgtype: 'text', text: { content: '一\n二\n三\n四\n五六七\t🎉\n八' } })
  assert.doesNotMatch(JSON.stringify(drafts), /\\u/)
  assert.equal(countDrafts([{ type: 'text', text: '\u0000 \ud83d' }]), 0)
})

test('pieces fit, and together they are the text', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '好', '🎉', '👨‍👩‍👧', 'é', '。', ' ', '\n', '🇨🇳'), minLength: 1, maxLength: 400 }),
      fc.integer({ min: 30, max: 200 }),
      (text, max) => {
        const pieces = splitByBytes(text, max)
        for (const piece of pieces) assert.ok(Buffer.byteLength(piece) <= max && piece.trim() !== '')
        assert.equal(pieces.join('').replace(/\s/g, ''), text.replace(/\s/g, ''))
      },
    ),
    { seed: 7, numRuns: 300 },
  )
})

test('no character, no emoji of several, no flag is cut', () => {
  for (const unit of ['好', '🎉', '👨‍👩‍👧‍👦', 'e\u0301', '🇨🇳']) {
    const pieces = splitByBytes(unit.repeat(400), 100)
    assert.ok(pieces.length > 1)
    for (const piece of pieces) assert.equal(piece.replaceAll(unit, ''), '', `${unit} stays whole`)
  }
})

test('a single letter under a thousand accents is cut between code points', () => {
  const zalgo = `e${'\u0301'.repeat(2_000)}`
  const pieces = splitByBytes(zalgo, maxTextBytes)
  assert.equal(pieces.join(''), zalgo)
  assert.ok(pieces.length === 2 && pieces.every((piece) => Buffer.byteLength(piece) <= maxTextBytes))
})

test('a piece rather ends with a line or a sentence', () => {
  const [first] = splitByBytes(`${'一二三四五六七八九十'.repeat(8)}。${'后面的话'.repeat(30)}`, 300)
  assert.ok(first?.endsWith('。'))
})

test('an article for an official account, a link for a mini-program', () => {
  const link: MessagePart = { type: 'link', url: 'https://shop.example.com/7', title: '跑鞋', description: '42 码' }
  assert.deepEqual(encodeParts([link], official), [
    { msgtype: 'news', news: { articles: [{ title: '跑鞋', description: '42 码', url: link.url, picurl: '' }] } },
  ])
  assert.deepEqual(encodeParts([link], mini), [{ msgtype: 'link', link: { title: '跑鞋', description: '42 码', url: link.url, thumb_url: '' } }])
})

test('a card names its mini-program, its page and its cover', () => {
  const card: MessagePart = { type: 'card', kind: 'miniprogram', title: '订单', data: { appId: 'wxaaa', pagePath: 'pages/order', thumbMediaId: 'm1' } }
  assert.deepEqual(encodeParts([card], official), [
    { msgtype: 'miniprogrampage', page: { title: '订单', appid: 'wxaaa', pagepath: 'pages/order' }, thumb: { mediaId: 'm1' } },
  ])
  assert.deepEqual(encodeParts([card], mini), [{ msgtype: 'miniprogrampage', page: { title: '订单', pagepath: 'pages/order' }, thumb: { mediaId: 'm1' } }])
  assert.deepEqual(encodeParts([{ ...card, cover: 'f1' }], mini), [
    { msgtype: 'miniprogrampage', page: { title: '订单', pagepath: 'pages/order' }, thumb: { file: 'f1' } },
  ])
  const bare: MessagePart = { ...card, data: {} }
  assert.deepEqual(encodeParts([bare], { ...official, cardThumbMediaId: 'cover' }), [
    { msgtype: 'miniprogrampage', page: { title: '订单', appid: official.appId, pagepath: '' }, thumb: { mediaId: 'cover' } },
  ])
})

test('what WeChat cannot carry is refused for good, in words of both languages', () => {
  const cases: [MessagePart, typeof official | typeof mini][] = [
    [{ type: 'file', ...file }, official],
    [{ type: 'location', lat: 1, lng: 2 }, official],
    [{ type: 'audio', ...file }, mini],
    [{ type: 'video', ...file }, mini],
    [{ type: 'card', kind: 'lead-form', title: 'x' }, official],
    [{ type: 'card', kind: 'miniprogram', title: 'x' }, official],
  ]
  for (const [part, settings] of cases)
    assert.throws(
      () => encodeParts([part], settings),
      (error) => error instanceof SendError && error.retry === false && Boolean(error.sentence?.zh && error.sentence.en),
      part.type,
    )
})
