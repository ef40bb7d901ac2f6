import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fittedId } from '../../../core/src/domain/contact/external-id.ts'
import { fillerId, fillerOf } from './inbox-settings.ts'

test('an answer goes to who filled in an honest form, and by itself to nobody whose form is forged, however long the names', () => {
  for (let length = 5; length < 200; length++) {
    const address = `${'a'.repeat(length)}@b.test`
    for (const site of ['site.test', `${'s'.repeat(180)}.test`]) {
      assert.equal(fillerOf(fittedId(fillerId(address, site, true))), undefined)
      const answered = fillerOf(fittedId(fillerId(address, site, false)))
      assert.ok(answered === address || (answered === undefined && length > 90), `${length} ${answered}`)
    }
  }
  assert.equal(fillerOf('unverified:boss@bank.test'), undefined)
  assert.equal(fillerOf('boss@bank.test'), undefined)
})
