import assert from 'node:assert/strict'
import { test } from 'node:test'
import { together } from './together.ts'

test('what is readable in either of two views is read in both', () => {
  const phone = {
    parts: [{ type: 'text', text: '王小明 13812345678 a****@example.com' }],
    meta: { from: { name: '王**', address: 'a***@example.com' } },
    lat: 30.27,
  }
  const email = {
    parts: [{ type: 'text', text: '王小明 138****5678 alice@example.com' }],
    meta: { from: { name: '王**', address: 'alice@example.com' } },
    lat: 30.27,
  }
  assert.deepEqual(together(phone, email), {
    parts: [{ type: 'text', text: '王小明 13812345678 alice@example.com' }],
    meta: { from: { name: '王**', address: 'alice@example.com' } },
    lat: 30.27,
  })
  assert.deepEqual(together(email, phone), together(phone, email))
})

test('a place that is told exactly stays so, and what only one of them has is kept', () => {
  assert.deepEqual(together({ lat: 30.274512, name: '西湖****' }, { lat: 30.27, name: '西湖****', note: null }), {
    lat: 30.274512,
    name: '西湖****',
    note: null,
  })
})
