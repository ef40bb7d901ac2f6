import assert from 'node:assert/strict'
import { test } from 'node:test'
import { standsForMarkup } from './plain-part.ts'

const order = '您好，请报价：白瓷杯 200 只，茶盘 40 个，送货到杭州西湖区。我的电话是 13800138000，谢谢。'

test('placeholders and crumbs stand for the markup; the sender’s own version does not', () => {
  const placeholders = [
    '您的邮件客户端不支持 HTML，请使用支持 HTML 的客户端查看。',
    '这是一封HTML格式的邮件，请用支持的客户端查看',
    'This message requires HTML to be displayed properly.',
    'Your mail client does not support HTML e-mail.',
    'To view this email, please use an HTML compatible email viewer!',
    'Please view this email in your browser: https://x.example/1',
  ]
  for (const plain of placeholders) assert.equal(standsForMarkup(plain, order), true, plain)
  assert.equal(standsForMarkup('邮件', order), true)
  for (const [plain, marked] of [
    [order, order],
    [`${order}\n\n发自我的 iPhone`, order],
    ['好的，\n周一见', `好的， 周一见 ${'北京某某商贸有限公司 '.repeat(20)}`],
    ['你们的客户端不支持 HTML 吗？', '你们的客户端不支持 HTML 吗？'],
    ['您的邮件客户端不支持 HTML', ''],
    ['https://shop.example/a 这个多少钱', '这个多少钱'],
  ] as const)
    assert.equal(standsForMarkup(plain, marked), false, plain)
})
