import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeHtml, decodeText } from './charset.ts'
import { decodeWords, normaliseAddress, parseAddresses, parseHeaders, parseMessageIds, parseStructured } from './headers.ts'

const latin1 = (...bytes: number[]) => Buffer.from(bytes).toString('latin1')
// 你好 in GBK.
const niHao = [0xc4, 0xe3, 0xba, 0xc3]

test('labels that lie: gb2312 holds GB18030, us-ascii and nothing hold anything, utf-7 is refused', () => {
  const astral = Buffer.from([0x95, 0x32, 0x82, 0x36, ...niHao])
  assert.equal(decodeText(astral, 'gb2312'), '𠀀你好')
  assert.equal(decodeText(Buffer.from(niHao)), '你好')
  assert.equal(decodeText(Buffer.from(niHao), 'us-ascii'), '你好')
  assert.equal(decodeText(Buffer.from(niHao), 'utf-8'), '你好')
  assert.equal(decodeText(Buffer.from('你好'), 'us-ascii'), '你好')
  assert.equal(decodeText(Buffer.from([0xa7, 0x41, 0xa6, 0x6e]), 'big5'), '你好')
  assert.equal(decodeText(Buffer.from('\u001b$B$3$s\u001b(B', 'latin1'), 'ISO-2022-JP'), 'こん')
  assert.equal(decodeText(Buffer.from('~{<:Ky2;~}ok', 'latin1'), 'hz-gb-2312'), '己所不ok')
  assert.equal(decodeText(Buffer.from('+ADw-script+AD4-'), 'utf-7'), '+ADw-script+AD4-')
  assert.equal(decodeText(Buffer.from([0xbe, 0xc8]), 'ks_c_5601-1987'), '안')
  for (const label of ['', '__proto__', 'x'.repeat(10_000), '\u0000']) assert.equal(typeof decodeText(Buffer.from([0xff, 0xfe]), label), 'string')
})

test('a byte lost or astray in UTF-8 breaks one character; what is mostly broken is another charset', () => {
  const words = '您好，请问上周订的白瓷杯什么时候发货？'
  const cut = Buffer.from(words).subarray(0, -1)
  const astray = Buffer.concat([Buffer.from(words), Buffer.from([0xa0]), Buffer.from(words)])
  for (const label of ['utf-8', 'us-ascii', undefined]) {
    assert.equal(decodeText(cut, label), `${words.slice(0, -1)}\ufffd`)
    assert.equal(decodeText(Buffer.concat([Buffer.from('您好谢谢').subarray(0, -1), Buffer.from('\r\n')]), label), '您好谢\ufffd\r\n')
    assert.equal(decodeText(astray, label), `${words}\ufffd${words}`)
    for (const gbk of [[0xd6, 0xd0], niHao, Array(500).fill(niHao).flat()])
      assert.equal(decodeText(Buffer.from(gbk), label), new TextDecoder('gb18030').decode(Buffer.from(gbk)))
  }
  assert.equal(decodeText(Buffer.from('\ufffd\ufffd a'), 'utf-8'), '\ufffd\ufffd a')
  assert.equal(decodeWords(`=?utf-8?B?${Buffer.from('测试').subarray(0, -1).toString('base64')}?=`), '测\ufffd')
  // Nothing but what is broken, without end: counted, not collected.
  assert.equal(typeof decodeText(Buffer.alloc(5_000_000, 0xff), 'utf-8'), 'string')
})

test('markup that nobody labelled is read as it says itself; a label, the first bytes and plain UTF-8 come before', () => {
  const page = (said: string, bytes: number[] | Buffer) => Buffer.concat([Buffer.from(`<head>${said}</head>`), Buffer.from(bytes)])
  const meta = (charset: string) => `<meta http-equiv="Content-Type" content="text/html; charset=${charset}">`
  const words = (bytes: Uint8Array, label?: string) => decodeHtml(bytes, label).replace(/^.*<\/head>/s, '')
  const big5 = [0xa7, 0x41, 0xa6, 0x6e]
  for (const said of [
    meta('big5'),
    meta('BIG5').replaceAll('"', "'"),
    '<meta charset="big5">',
    '<META CHARSET = big5 />',
    `${' '.repeat(3_000)}${meta('big5')}`,
  ])
    for (const label of [undefined, '', 'us-ascii']) assert.equal(words(page(said, big5), label), '你好', said)
  assert.equal(words(page(meta('gb2312'), niHao)), '你好')
  assert.equal(words(page(meta('iso-2022-jp'), Buffer.from('\u001b$B$3$s\u001b(B', 'latin1'))), 'こん')
  assert.equal(words(page(meta('ks_c_5601-1987'), [0xbe, 0xc8])), '안')
  // Who labelled it knows better.
  assert.equal(words(page(meta('big5'), niHao), 'gbk'), '你好')
  // A gateway translated it, or a mark says so.
  for (const bytes of [Buffer.from('您好，请问'), Buffer.from('您好，请问').subarray(0, -1)]) assert.match(words(page(meta('gb2312'), bytes)), /^您好，请/)
  assert.equal(words(Buffer.concat([Buffer.from('\ufeff'), page(meta('big5'), Buffer.from('é'))])), 'é')
  assert.equal(decodeHtml(Buffer.from('\ufeff<p>你好</p>', 'utf16le')), '<p>你好</p>')
  // What we do not know, refuse, or have just seen is not true, is guessed.
  for (const said of ['x-nobody', 'utf-7', 'utf-16', 'utf-8', '']) assert.equal(words(page(meta(said), niHao)), '你好', said)
  // Hostile: found or not, in time.
  const began = performance.now()
  decodeHtml(Buffer.from(`<meta ${'charset '.repeat(200_000)}`))
  decodeHtml(Buffer.from('<meta'.repeat(300_000)))
  assert.ok(performance.now() - began < 2_000)
})

test('encoded words: a character cut in two, spaces between words, raw GBK beside them', () => {
  const whole = Buffer.from(niHao)
  const halves = `=?gb2312?B?${whole.subarray(0, 3).toString('base64')}?= =?gb2312?B?${whole.subarray(3).toString('base64')}?=`
  assert.equal(decodeWords(halves), '你好')
  assert.equal(decodeWords('=?utf-8?Q?=E4=BD=A0_a?= b =?utf-8?Q?=E5=A5=BD?='), '你 a b 好')
  assert.equal(decodeWords(latin1(...niHao)), '你好')
  assert.equal(decodeWords('=?utf-8*zh?B?5L2g?='), '你')
})

test('names of files: RFC 2231 in pieces, RFC 2047 in quotes, raw GBK', () => {
  const name = (raw: string) => parseStructured(raw).params.filename
  assert.equal(name('attachment; filename*0*=utf-8\'\'%E6%8A%A5; filename*1*=%E4%BB%B7; filename*2=".pdf"'), '报价.pdf')
  assert.equal(name("attachment; filename*=gb18030'zh'%B1%A8%BC%DB.pdf"), '报价.pdf')
  assert.equal(name('attachment; filename="=?GBK?B?sai82w==?=.pdf"'), '报价.pdf')
  assert.equal(name(`attachment; filename="${latin1(0xb1, 0xa8, 0xbc, 0xdb)}.pdf"`), '报价.pdf')
  assert.equal(name('attachment; filename="a;b\\"c.txt"; x=1'), 'a;b"c.txt')
  assert.equal(name('attachment; filename="a\r\nb.txt"'), 'a b.txt')
})

test('addresses are compared in lower case, and what is none is none', () => {
  assert.deepEqual(parseAddresses('"Zhang, San" <Zhang@Example.COM>, =?gb2312?B?1cXI/Q==?= <b@c.cn>; x'), [
    { name: 'Zhang, San', address: 'zhang@example.com' },
    { name: '张三', address: 'b@c.cn' },
  ])
  for (const bad of ['a', 'a@', '@b', 'a b@c', 'a@b\r\nBcc: c@d', `${'a'.repeat(70)}@b`, 'a@b,c@d', '<a@b>'])
    assert.equal(normaliseAddress(bad), undefined, bad)
})

test('headers: unfolded, counted, a colon is needed', () => {
  const headers = parseHeaders(Buffer.from('Subject: a\r\n b\r\n\tc\r\nBroken line\r\n X: y\r\nTo:d@e.f\r\n'))
  assert.equal(headers.text('subject'), 'a b c')
  assert.equal(headers.raw('to'), 'd@e.f')
  assert.equal(parseHeaders(Buffer.from('X: 1\r\n'.repeat(50_000))).fields.length, 1_000)
  assert.deepEqual(parseMessageIds('<a@b> text <c@d> <a@b>'), ['a@b', 'c@d'])
  assert.deepEqual(parseMessageIds('bare@id'), ['bare@id'])
})
