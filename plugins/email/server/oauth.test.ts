import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { Value } from 'typebox/value'
import { inboxSettings, mailboxOf } from './inbox-settings.ts'
import type { Token } from './letter.entity.ts'
import { accessToken, authoriseUrl, type OAuthContext, redeemCode } from './oauth.ts'

const mailbox = mailboxOf({
  id: 'inbox',
  name: 'x',
  settings: {
    ...(Value.Default(inboxSettings, {}) as object),
    provider: 'microsoft365',
    address: 'a@corp.cn',
    login: 'oauth',
    oauthClientId: 'id',
    oauthClientSecret: 'geheim',
    oauthTenant: 'corp.cn',
  },
})

/** A provider that rotates: each refresh token is good once. */
async function provider() {
  const asked: URLSearchParams[] = []
  let generation = 0
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const form = new URLSearchParams(body)
    asked.push(form)
    const good = form.get('grant_type') === 'authorization_code' ? form.get('code') === 'code' : form.get('refresh_token') === `refresh-${generation}`
    response.writeHead(good ? 200 : 400, { 'content-type': 'application/json' })
    if (good) generation++
    response.end(
      JSON.stringify(good ? { access_token: `access-${generation}`, refresh_token: `refresh-${generation}`, expires_in: 3600 } : { error: 'invalid_grant' }),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return { asked, url: `http://127.0.0.1:${(server.address() as { port: number }).port}/token`, close: () => server.close() }
}

/** One table and one lock, as two processes share them. */
function hub() {
  let row: Token | undefined
  let turn: Promise<unknown> = Promise.resolve()
  const process = (): OAuthContext =>
    ({
      em: () => ({ findOne: async () => (row ? { ...row } : null), upsert: async (_: unknown, data: Token) => void (row = { ...data }) }),
      seal: (text: string) => `sealed:${text}`,
      unseal: (text: string) => text.replace(/^sealed:/, ''),
      lock: <T>(_name: string, _ms: number, work: () => Promise<T>) => {
        const mine = turn.then(work)
        turn = mine.catch(() => undefined)
        return mine
      },
      log: console,
    }) as unknown as OAuthContext
  return { process, row: () => row as Token, expire: () => void (row = { ...(row as Token), expiresAt: new Date(0) }) }
}

test('two processes refresh once; the rotated token is kept, sealed; a refused one is renewed, a dead grant is said', async () => {
  const server = await provider()
  const shared = hub()
  const [one, two] = [shared.process(), shared.process()]
  await assert.rejects(accessToken(one, mailbox, undefined, server.url), { code: 'needs-oauth' })
  await redeemCode(one, mailbox, 'code', 'https://hub.cn/cb', server.url)
  assert.equal(await accessToken(two, mailbox, undefined, server.url), 'access-1')
  shared.expire()
  assert.deepEqual(await Promise.all([accessToken(one, mailbox, undefined, server.url), accessToken(two, mailbox, undefined, server.url)]), [
    'access-2',
    'access-2',
  ])
  assert.deepEqual([server.asked.length, shared.row().refresh], [2, 'sealed:refresh-2'])
  // The server refused access-2 to both: one asks for another, the other finds it.
  assert.deepEqual(await Promise.all([accessToken(one, mailbox, 'access-2', server.url), accessToken(two, mailbox, 'access-2', server.url)]), [
    'access-3',
    'access-3',
  ])
  assert.equal(server.asked.length, 3)
  await assert.rejects(redeemCode(one, mailbox, 'wrong', 'https://hub.cn/cb', server.url), { code: 'needs-oauth' })
  server.close()
})

test('the way to the provider carries tenant, scope and state, never the secret', () => {
  const url = new URL(authoriseUrl(mailbox, 'https://hub.cn/cb', 'state'))
  assert.equal(url.pathname, '/corp.cn/oauth2/v2.0/authorize')
  assert.match(url.searchParams.get('scope') ?? '', /IMAP\.AccessAsUser\.All .*offline_access/)
  assert.ok(!url.href.includes('geheim'))
})
