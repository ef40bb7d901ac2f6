/** What could not be asked is asked again: on news of whatever conversation, and when the line is back. */
/// <reference types="node" />
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { marksOf, rowKinds, start } from './facts.ts'

test('what failed is asked for again with news and with a resync', async () => {
  const asked: { conversations: string[]; messages: string[] }[] = []
  let up = false
  globalThis.fetch = async (_url, init) => {
    const body = JSON.parse(String(init?.body))
    asked.push(body)
    return up
      ? Response.json({ rows: Object.fromEntries(body.conversations.map((id: string) => [id, ['phone']])), marks: {} })
      : new Response('', { status: 503 })
  }
  let [news, resync]: [(id: string) => void, () => void] = [() => {}, () => {}]
  const stop = start({
    onNews: (handler) => {
      news = handler
    },
    onResync: (handler) => {
      resync = handler
    },
  })
  const soon = () => sleep(80)
  const seen = () => asked.splice(0).map(({ conversations, messages }) => [...conversations, ...messages].join(' '))
  rowKinds('c1')
  marksOf('m1', 'c1')
  await soon()
  assert.deepEqual(seen(), ['c1 m1'])
  // Of another conversation: c1 is waiting all the same.
  news('c2')
  await soon()
  assert.deepEqual(seen(), ['c1 m1'])
  up = true
  resync()
  await soon()
  assert.deepEqual([seen(), rowKinds('c1')], [['c1 m1'], ['phone']])
  // Known now: news of another asks nothing.
  news('c2')
  await soon()
  assert.deepEqual(seen(), [])
  stop()
})
