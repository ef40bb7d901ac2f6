import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { Errors } from 'typebox/schema'
import { faultsOf, type RawFault } from './faults.ts'

const Place = Type.Union([
  Type.Object({ kind: Type.Literal('folder'), path: Type.String({ pattern: '^[a-z]+$' }) }),
  Type.Object({ kind: Type.Literal('bucket'), endpoint: Type.String(), region: Type.String({ minLength: 1 }) }),
])
const Input = Type.Object({ place: Place, parentId: Type.Union([Type.String({ minLength: 3 }), Type.Null()]) })
const paths = (values: unknown) => faultsOf(Errors(Input, values)[1] as unknown as RawFault[], 'body').map(({ path, rule }) => `${path} ${rule}`)

test('of a union the branch that was meant is told of, not the others', () => {
  assert.deepEqual(paths({ place: { kind: 'folder', path: '../etc' }, parentId: null }), ['body/place/path pattern'])
  assert.deepEqual(paths({ place: { kind: 'bucket', endpoint: 'e', region: '' }, parentId: null }), ['body/place/region required'])
  assert.deepEqual(paths({ place: { kind: 'folder', path: 'a' }, parentId: 'x' })[0], 'body/parentId minLength')
})
