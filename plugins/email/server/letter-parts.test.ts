import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { partsOf } from './letter-parts.ts'
import { readMail } from './read-mail.ts'

const partsOfText = (text: string) =>
  partsOf({} as PluginContext, 'inbox', readMail(Buffer.from(`From: a@b.example\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${text}`)))
/** What it says of what is not shown. */
const limits = (parts: Awaited<ReturnType<typeof partsOf>>) =>
  parts.flatMap((part) => (part.type === 'card' && part.kind === 'letter-limits' ? [part.data] : []))

test('a quotation that is too long is cut, and the letter says so', async () => {
  const quotation = (lines: number) => `收到，谢谢。\n\n在 2024年3月1日，客服 <s@shop.example> 写道：\n${'> 每套九十九元，量大从优。\n'.repeat(lines)}`
  const [whole, cut] = [await partsOfText(quotation(1_000)), await partsOfText(quotation(20_000))]
  assert.deepEqual([limits(whole), limits(cut)], [[], [{ exceeded: ['text'] }]])
  const [part] = cut
  assert.ok(part?.type === 'html' && part.text === '收到，谢谢。' && part.quoted?.length === 200_000)
})

/** A hub that keeps every file. */
const keeping = {
  storeFile: async (_inboxId: string, { name, bytes, as }: { name: string; bytes: Buffer; as?: string }) => ({
    type: as ?? 'image',
    fileId: `file-${bytes.length}`,
    name,
    size: bytes.length,
    mime: 'image/png',
  }),
} as unknown as PluginContext
const partsOfMarkup = (html: string) =>
  partsOf(keeping, 'inbox', readMail(Buffer.from(`From: a@b.example\r\nSubject: 截图\r\nContent-Type: text/html; charset=utf-8\r\n\r\n${html}`)))
const pasted = (bytes: number, letter = 'x') => `data:image/png;base64,${Buffer.from(letter.repeat(bytes)).toString('base64').replace(/.{76}/g, '$&\r\n')}`

test('pictures pasted into the markup are files that it shows, however large, each once, and none of it is words', async () => {
  for (const size of [300, 10_000, 3_000_000]) {
    const parts = await partsOfMarkup(`<p><img alt="a" src="${pasted(size)}"></p>`)
    const [part, ...more] = parts
    assert.ok(part?.type === 'html' && more.length === 0, `${size}: ${JSON.stringify(parts).slice(0, 300)}`)
    assert.deepEqual([part.text, part.inline?.length, part.inline?.[0]?.fileId], ['', 1, `file-${size}`])
    assert.ok(part.html.includes(`cid:${encodeURIComponent(part.inline?.[0]?.cid ?? '-')}`))
  }
  const twice = await partsOfMarkup(`<div>请看</div><img src='${pasted(500)}'><img src="${pasted(500)}"><img src="${pasted(500, 'y')}"><div>谢谢</div>`)
  assert.ok(twice.length === 1 && twice[0]?.type === 'html' && /^请看\n+谢谢$/.test(twice[0].text) && twice[0].inline?.length === 2)
})

test('a letter is the same letter as before its pictures were taken out', () => {
  const raw = (html: string) => Buffer.from(`From: a@b.example\r\nContent-Type: text/html; charset=utf-8\r\n\r\n${html}`)
  const letter = readMail(raw(`<img src="${pasted(50)}"><p>请看</p>`))
  // As a hub of before counted it, over the markup as it came.
  const head = `<img src="${pasted(50).replace(/\r\n/g, '\n')}"><p>请看</p>`.replace(/\s+/g, ' ').trim().slice(0, 500)
  assert.equal(letter.fingerprint, createHash('sha256').update(['', 'a@b.example', '', '', head].join('\n')).digest('base64url'))
})

test('markup that is too deep to be shown leaves its words, without a tag of any length among them', async () => {
  const [part] = await partsOfMarkup(`${'<div>'.repeat(300)}<a title="${'x'.repeat(20_000)}">看这里</a>${'</div>'.repeat(300)}`)
  assert.deepEqual(part, { type: 'text', text: '看这里' })
})
