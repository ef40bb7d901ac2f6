import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type PersonalField, sightOf } from './mask.ts'
import { maskField } from './mask-field.ts'
import { contactFields, personalFields } from './permissions.ts'

const mobile = fc.tuple(fc.constantFrom('138', '150', '199'), fc.integer({ min: 10_000_000, max: 99_999_999 })).map(([head, rest]) => `${head}${rest}`)
const word = fc.stringMatching(/^[a-z]{4,8}$/)
/** What stands in a field that is not its own, as people write it there; and of it what must not be read. */
const strangers: Record<PersonalField, fc.Arbitrary<{ written: string; secret: string }>> = {
  phone: mobile.map((number) => ({ written: number, secret: number })),
  email: word.map((name) => ({ written: `${name}.li@example.com`, secret: `${name}.li` })),
  wechat: word.map((name) => ({ written: `微信：${name}_88`, secret: `${name}_88` })),
  qq: fc.integer({ min: 200_000_000, max: 999_999_999 }).map((number) => ({ written: `QQ号${number}`, secret: String(number) })),
  name: fc.constantFrom('王小明', '李雷', '欧阳娜娜').map((name) => ({ written: `姓名${name}`, secret: name })),
  address: fc.integer({ min: 10, max: 999 }).map((door) => ({ written: `文三路${door}号3栋501室`, secret: `${door}号3栋501室` })),
  document: fc.integer({ min: 1_000, max: 9_999 }).map((end) => ({ written: `11010119900307${end}`, secret: `11010119900307${end}` })),
}
const dress = fc.constantFrom(
  (own: string, other: string) => `${own} ${other}`,
  (_own: string, other: string) => other,
)

for (const field of contactFields)
  test(`of a ${field} that is shown all is masked that is hidden, whatever it is`, () => {
    fc.assert(
      fc.property(fc.subarray([...personalFields.filter((one) => one !== field)], { minLength: 1 }), dress, fc.gen(), (hidden, put, g) => {
        const ability = sightOf(personalFields.filter((one) => !hidden.includes(one)))
        for (const kind of hidden) {
          const { written, secret } = g(() => strangers[kind])
          const value = put('甲', written)
          assert.ok(!maskField(ability, field, value).includes(secret), `${kind} in ${field}: ${maskField(ability, field, value)}`)
          // Who sees both sees it as it is.
          assert.equal(maskField(sightOf([...personalFields]), field, value), value)
        }
      }),
    )
  })

test('a number as an account, within one, before the sign of an address, and behind a name', () => {
  const ability = sightOf(['name', 'email', 'wechat', 'qq', 'address', 'document'])
  for (const [field, value, shown] of [
    ['wechat', '13800138000', '138****8000'],
    ['wechat', 'wx13800138000', 'wx138****8000'],
    ['wechat', 'wx_13800138000_a', 'wx_138****8000_a'],
    ['email', '13800138000@139.com', '138****8000@139.com'],
    ['email', 'li.13800138000@example.com', 'li.138****8000@example.com'],
    ['name', '王小明13800138000', '王小明138****8000'],
    ['qq', '13800138000', '138****8000'],
    ['address', '文三路88号 13800138000', '文三路88号 138****8000'],
  ] as const)
    assert.equal(maskField(ability, field, value), shown)
})

test('what is in its own field only is shown as it is', () => {
  for (const [field, value] of [
    ['name', '诸葛孔明'],
    ['name', 'Alice Wang'],
    ['phone', '13800138000'],
    ['phone', '+8613800138000'],
    ['phone', '0571-88990011'],
    ['email', 'alice.wang@example.com'],
    ['wechat', 'alice_w88'],
    ['wechat', 'wxid_a1b2c3d4e5'],
    ['qq', '123456789'],
    ['address', '浙江省杭州市文三路88号3栋501室'],
  ] as const)
    assert.equal(maskField(sightOf([field]), field, value), value)
})
