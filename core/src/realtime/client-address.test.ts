import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { clientAddress } from './client-address.ts'

const from = (remoteAddress: string, forwarded?: string) =>
  ({ socket: { remoteAddress }, connection: { remoteAddress }, headers: forwarded ? { 'x-forwarded-for': forwarded } : {} }) as unknown as IncomingMessage

test('the address of a socket is the last one that no trusted proxy vouches for', () => {
  const said = '1.2.3.4, 203.0.113.9'
  assert.equal(clientAddress({ trustProxy: false }, from('198.51.100.7', said)), '198.51.100.7')
  // Who comes directly is believed nothing.
  assert.equal(clientAddress({ trustProxy: 'loopback, uniquelocal' }, from('198.51.100.7', said)), '198.51.100.7')
  // A proxy appends whom it saw; what stands before is the client's own word.
  assert.equal(clientAddress({ trustProxy: 'loopback, uniquelocal' }, from('10.0.0.2', said)), '203.0.113.9')
  assert.equal(clientAddress({ trustProxy: true }, from('10.0.0.2', said)), '1.2.3.4')
  assert.equal(clientAddress({ trustProxy: true }, from('10.0.0.2')), '10.0.0.2')
})
