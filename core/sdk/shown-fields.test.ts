import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { isShown, shownOnly } from './shown-fields.ts'

const schema = Type.Object({
  kind: Type.String({ default: 'a' }),
  inner: Type.Object({ on: Type.Boolean(), why: Type.String({ 'x-when': { field: 'on', is: [true] } }) }, { 'x-when': { field: 'kind', is: ['a', 'b'] } }),
  one: Type.String({ 'x-when': { field: 'two', is: ['x'] } }),
  two: Type.String({ 'x-when': { field: 'one', is: ['x'] } }),
})

test('a field waits for another, by its default where that says nothing; fields that wait for each other are shown', () => {
  assert.deepEqual(
    [{}, { kind: 'b' }, { kind: 'c' }].map((values) => isShown(schema, 'inner', values)),
    [true, true, false],
  )
  assert.equal(isShown(schema, 'one', { one: 'x', two: 'x' }), true)
  assert.equal(isShown(schema, 'unknown', {}), true)
})

test('what is not shown is out of the schema and of the values, at any depth; what depends on nothing is the same object', () => {
  const hidden = shownOnly(schema, { kind: 'c', inner: { on: true }, one: 'x', two: 'x', more: 1 })
  assert.deepEqual(Object.keys(hidden.schema.properties), ['kind', 'one', 'two'])
  assert.deepEqual((hidden.schema as { required?: string[] }).required, ['kind', 'one', 'two'])
  assert.deepEqual(hidden.values, { kind: 'c', one: 'x', two: 'x', more: 1 })
  const deep = shownOnly(schema, { kind: 'a', inner: { on: false, why: 7 } })
  assert.deepEqual(deep.values, { kind: 'a', inner: { on: false } })
  const plain = Type.Object({ a: Type.String() })
  const values = { a: 'x' }
  assert.deepEqual([shownOnly(plain, values).schema === plain, shownOnly(plain, values).values === values], [true, true])
})
