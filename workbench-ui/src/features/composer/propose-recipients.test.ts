import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countOf, proposeRecipients } from './propose-recipients.ts'

const at = (...names: string[]) => names.map((name) => ({ address: `${name}@customer.test` }))
const others = (count: number) => at(...Array.from({ length: count }, (_, i) => `other${i}`))
const [wang, desk, office] = ['wang@customer.test', 'desk@shop.test', 'office@customer.test'].map((address) => ({ address })) as [One, One, One]
type One = { address: string }
const own = [desk.address]

test('an answer goes to everybody who had the letter, each once, but ourselves', () => {
  const { to, cc } = proposeRecipients({ from: wang, to: [{ address: 'Desk@Shop.test' }, ...at('li', 'Wang')], cc: at('LI', 'zhou') }, own)
  assert.deepEqual([to, cc], [[wang], at('li', 'zhou')])
  // Who we are is not known yet.
  assert.deepEqual(proposeRecipients({ from: wang, to: [desk, ...at('li')], cc: at('zhou') }, undefined).cc, at('zhou'))
})

test('nobody is in copy of an answer to a form, and nobody gets one to a forged letter', () => {
  const letter = { from: wang, to: [desk, ...at('li')], replyTo: [office] }
  assert.deepEqual(proposeRecipients({ ...letter, form: true }, own), { to: [office], cc: [], tooMany: false })
  assert.deepEqual(proposeRecipients({ ...letter, replyToDoubtful: true }, own).to, [wang])
  assert.deepEqual(proposeRecipients({ ...letter, auth: { dmarc: 'fail' } }, own), { to: [], cc: [], tooMany: false })
})

test('where more had it than a letter may go to, only its sender is answered', () => {
  const all = proposeRecipients({ from: wang, to: [desk, ...others(49)] }, own)
  assert.deepEqual([countOf(all.to, all.cc), all.tooMany], [50, false])
  for (const count of [50, 60, 100])
    assert.deepEqual(proposeRecipients({ from: wang, to: [desk, ...others(count)] }, own), { to: [wang], cc: [], tooMany: true })
})
