/** What visitors leave as the way to reach them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readAddress } from './read-address.ts'

test('a number or a mail address is its field’s, and there is nothing more to say', () => {
  for (const [left, phone] of [
    ['13800138000', '13800138000'],
    [' +86 138-0013-8000 ', '+86 138-0013-8000'],
    ['１３８００１３８０００', '13800138000'],
    ['62345678', '62345678'],
    ['（010）6234 5678 转 801', '(010)6234 5678 转 801'],
    ['447911123456', '447911123456'],
    ['一三八零零一三八零零零', '13800138000'],
  ] as const)
    assert.deepEqual(readAddress(left), { phone, more: false }, left)
  assert.deepEqual(readAddress('wang@x.cn'), { email: 'wang@x.cn', more: false })
  assert.deepEqual(readAddress('13800138000 / wang@x.cn'), { phone: '13800138000', email: 'wang@x.cn', more: false })
  assert.deepEqual(readAddress('  '), { more: false })
})

test('what says more is said to be more, and the number and the address in it are found', () => {
  const long = '微信 wangwei_shop_2026_beijing 或电话（晚上八点以后）13812345678，请提前发短信'
  assert.deepEqual(readAddress(long), { phone: '13812345678', more: true })
  assert.deepEqual(readAddress('13800138000, 13900139000'), { phone: '13800138000', more: true })
  assert.deepEqual(readAddress('邮箱 wang@x.cn，白天'), { email: 'wang@x.cn', more: true })
  for (const left of ['微信 wangwei_shop', 'wx: lucky-cat99', '没有', '@wangwei', '12345', '1'.repeat(41)])
    assert.deepEqual(readAddress(left), { more: true }, left)
})
