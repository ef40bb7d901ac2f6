import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessOf, summaryOf, tagOf } from './describe-api.ts'

test('a summary is made of method and path', () => {
  const said = (line: string) => summaryOf(...(line.split(' ') as [string, string]))
  for (const [line, summary] of [
    ['GET /api/conversations', 'List conversations'],
    ['GET /api/conversations/:id', 'Read a conversation'],
    ['GET /api/conversations/:id/messages', 'List messages of a conversation'],
    ['GET /api/conversations/:id/draft', 'Read the draft of a conversation'],
    ['GET /api/records/:id/attachments.zip', 'List attachments of a record as ZIP'],
    ['GET /api/retention/trials/:id', 'Read a retention trial'],
    ['POST /api/skill-groups', 'Create a skill group'],
    ['POST /api/categories', 'Create a category'],
    ['POST /api/conversations/:id/transfer', 'Transfer a conversation'],
    ['PUT /api/records/:id/tags/:tagId', 'Set a tag of a record'],
    ['PATCH /api/agents/:id', 'Change an agent'],
    ['DELETE /api/inboxes/:id', 'Delete an inbox'],
    ['PATCH /api/me', 'Change your account'],
    ['GET /api/me/sessions', 'List your sessions'],
    ['POST /api/x/any/inboxes/:id/uploads', 'Create an upload of an inbox'],
    ['GET /api/x/any', 'GET'],
  ] as const)
    assert.equal(said(line), summary, line)
})

test('a tag is the first noun, a plugin’s its id', () => {
  assert.deepEqual(['/api/skill-groups/:id', '/api/x/any/inboxes/:id'].map(tagOf), ['skill groups', 'plugin: any'])
})

test('who may use a route is said for every kind of access', () => {
  assert.match(accessOf('public'), /public, without signing in/)
  assert.match(accessOf('agent'), /any agent who is signed in;/)
  assert.match(accessOf('person'), /not with an API token/)
  assert.equal(accessOf({ permission: 'role.manage' }), '**Access:** the permission `role.manage`.')
  assert.equal(accessOf({ permission: ['a.b', 'c.d'], person: true }), '**Access:** one of the permissions `a.b`, `c.d`, in person: not with an API token.')
})
