import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { checkedUrl, download, guardedFetch, isPrivateAddress, requestRemote } from './remote.ts'

test('addresses that lead inside, in every dress', () => {
  for (const inside of [
    '127.0.0.1',
    '127.8.8.8',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    'fd12::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:a9fe:a9fe',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'not-an-address',
  ])
    assert.equal(isPrivateAddress(inside), true, inside)
  for (const outside of ['1.1.1.1', '172.32.0.1', '100.128.0.1', '223.5.5.5', '2400:3200::1', '::ffff:1.1.1.1', '64:ff9b::101:101'])
    assert.equal(isPrivateAddress(outside), false, outside)
})

test('an address is refused before anything is asked', () => {
  for (const bad of ['http://example.com', 'ftp://example.com', 'file:///etc/passwd', 'https://u:p@example.com', 'nonsense', ''])
    assert.throws(() => checkedUrl(bad), { reason: 'address' }, bad)
  for (const bad of [
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://[::ffff:127.0.0.1]/',
    'https://169.254.169.254/latest/meta-data',
  ])
    assert.throws(() => checkedUrl(bad), { reason: 'private-address' }, bad)
  assert.equal(checkedUrl('http://127.0.0.1:1', true).port, '1')
})

test('a name that leads inside is refused when it is resolved', async () => {
  await assert.rejects(requestRemote('https://localhost:1/'), { reason: 'private-address', sent: false })
})

test('redirects are followed for files only, answers have an end, silence too', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/file' }).end()
    else if (request.url === '/circle') response.writeHead(302, { location: '/circle' }).end()
    else if (request.url === '/elsewhere') response.writeHead(302, { location: 'file:///etc/passwd' }).end()
    else if (request.url === '/large') response.end(Buffer.alloc(2_000))
    else if (request.url === '/file') response.writeHead(200, { 'content-type': 'image/png; x=y' }).end('bytes')
    else if (request.url === '/gone') response.writeHead(410).end()
    // Anything else never answers.
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = (path: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`
  try {
    const options = { allowPrivate: true }
    assert.deepEqual(await download(at('/moved'), options), { bytes: Buffer.from('bytes'), mime: 'image/png' })
    assert.equal((await requestRemote(at('/moved'), options)).status, 302)
    await assert.rejects(download(at('/circle'), options), { reason: 'redirect' })
    await assert.rejects(download(at('/elsewhere'), options), { reason: 'address' })
    await assert.rejects(download(at('/gone'), options), { reason: 'status' })
    await assert.rejects(download(at('/large'), { ...options, maxBytes: 1_000 }), { reason: 'too-large' })
    await assert.rejects(requestRemote(at('/silence'), { ...options, timeoutMs: 100 }), { reason: 'timeout', sent: true })
    await assert.rejects(requestRemote('http://127.0.0.1:1/', options), { reason: 'unreachable', sent: false })
    await assert.rejects(download(at('/file')), { reason: 'address' })
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('as fetch, guarded: a body of known length goes as it is read, no redirect is followed, inner addresses are refused', async () => {
  const heard: { length: string | undefined; body: string }[] = []
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await Array.fromAsync(request)).toString()
    heard.push({ length: request.headers['content-length'], body })
    if (request.url === '/moved') response.writeHead(302, { location: '/', 'x-said': 'moved' }).end('elsewhere')
    else
      response
        .writeHead(request.method === 'HEAD' ? 200 : 201, { 'content-length': request.method === 'HEAD' ? 7 : 2 })
        .end(request.method === 'HEAD' ? '' : 'ok')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const ask = (path: string, method: string, body?: Buffer | Blob) =>
    guardedFetch(base + path, { method, headers: new Headers({ 'x-a': 'b' }), signal: AbortSignal.timeout(5_000), ...(body ? { body } : {}) }, true)
  try {
    const put = await ask('/', 'PUT', new Blob(['一', '二']))
    assert.deepEqual([put.status, await put.text(), heard[0]], [201, 'ok', { length: '6', body: '一二' }])
    assert.equal((await ask('/', 'PUT', Buffer.from('x'))).status, 201)
    const head = await ask('/', 'HEAD')
    assert.deepEqual([head.status, head.headers.get('content-length'), await head.text()], [200, '7', ''])
    const moved = await ask('/moved', 'GET')
    assert.deepEqual([moved.status, moved.headers.get('x-said'), await moved.text()], [302, 'moved', 'elsewhere'])
    const asking = { method: 'GET', headers: new Headers(), signal: AbortSignal.timeout(5_000) }
    await assert.rejects(guardedFetch(base, asking), { reason: 'address' })
    await assert.rejects(guardedFetch('https://localhost:1/', asking), { reason: 'private-address' })
    await assert.rejects(guardedFetch(new URL('https://169.254.169.254/'), asking), { reason: 'private-address' })
  } finally {
    server.close()
  }
})
