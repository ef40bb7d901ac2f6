import assert from 'node:assert/strict'
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
