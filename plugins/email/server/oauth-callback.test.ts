/** The way back from the provider's consent, where the provider is not there. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePort } from '../../../tests/support/free-port.ts'
import { found, onEveryProfile } from '../../../tests/support/world.ts'
import email from '../plugin.ts'
import { presets } from './presets.ts'

await onEveryProfile('the consent of a mail provider', [found(email, join(import.meta.dirname, '..'))], (world) => {
  test('a provider that does not answer is told as that, and nothing is kept', async () => {
    const oauth = presets.microsoft365.oauth as { token: string }
    const usual = oauth.token
    oauth.token = `http://127.0.0.1:${await freePort()}/token`
    try {
      const settings = { provider: 'microsoft365', address: 'desk@shop.example', login: 'oauth', oauthClientId: 'id', oauthClientSecret: 'geheim' }
      const { id } = await world().inbox('email', settings)
      const admin = await world().person('小管', 'admin')
      const { url } = (await admin.call('GET', `/api/x/email/inboxes/${id}/oauth`)).body
      const state = new URL(url).searchParams.get('state') ?? ''
      const back = await admin.call('GET', `/api/x/email/oauth/callback?${new URLSearchParams({ code: 'a-code', state })}`)
      assert.deepEqual([back.status, back.body.code], [502, 'HUB_CHANNEL_SEND_FAILED'])
      assert.equal((await admin.call('GET', `/api/x/email/inboxes/${id}/oauth`)).body.authorisedAt, null)
    } finally {
      oauth.token = usual
    }
  })
})
