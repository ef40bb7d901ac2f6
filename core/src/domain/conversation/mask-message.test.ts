import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '../../../sdk/wire/conversation.ts'
import { sightOf } from '../../access/mask.ts'
import { shownFacts } from '../contact/labelled-facts.ts'
import { maskMessage } from './mask-message.ts'

/** Sees no personal data at all. */
const ability = sightOf([])

test('a system line says what it is to who sees no names; what it tells is masked', () => {
  const parts: Message['parts'] = [{ type: 'event', name: 'assigned', params: { toAgentId: '01h', note: '回电 13812345678' } }]
  const message = { authorId: null, parts, meta: null, failure: null, failureText: null } as unknown as Message
  const shown = maskMessage({ ability, agent: { id: '01a' } }, message)
  assert.deepEqual(shown.parts, [{ type: 'event', name: 'assigned', params: { toAgentId: '01h', note: '回电 138****5678' } }])
})

test('what a channel tells keeps what it is called; its value is masked', () => {
  const label = { zh: '来源', en: 'Source' }
  const facts = [
    { name: 'scene', label, value: '13812345678' },
    { name: 'video', label, value: { zh: '视频 13812345678', en: 'video 13812345678' } },
  ]
  assert.deepEqual(shownFacts(ability, facts), [
    { name: 'scene', label, value: '138****5678' },
    { name: 'video', label, value: { zh: '视频 138****5678', en: 'video 138****5678' } },
  ])
})
