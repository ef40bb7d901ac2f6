import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listAt, maxPushBytes, PushError, readPush, textAt } from './read-push.ts'

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

test('elements, CDATA, named and numbered characters, nesting and repeats', () => {
  const push = readPush(
    `\uFEFF<?xml version="1.0" encoding="UTF-8"?>\n<xml>
      <A><![CDATA[<b>&amp;]]></A><B>1 &lt; 2 &amp; &#20320;&#x597d;</B><C/><D></D>
      <E><F>1</F><F>2</F></E><G><![CDATA[a]]]]><![CDATA[>b]]></G>
    </xml>`,
  )
  assert.deepEqual(plain(push), { A: '<b>&amp;', B: '1 < 2 & 你好', C: '', D: '', E: { F: ['1', '2'] }, G: 'a]]>b' })
})

test('a MsgId keeps every digit, as a JSON number too', () => {
  assert.equal(textAt(readPush('{"MsgId":22876340532172987}'), 'MsgId'), '22876340532172987')
  assert.equal(textAt(readPush('<xml><MsgId>22876340532172987</MsgId></xml>'), 'MsgId'), '22876340532172987')
})

test('one record or several: a list either way', () => {
  const ids = (json: string) => listAt(readPush(json), 'List').map((one) => textAt(one, 'Id'))
  assert.deepEqual([ids('{"List":{"Id":"a"}}'), ids('{"List":[{"Id":"a"},{"Id":"b"}]}'), ids('{}'), ids('{"List":"x"}')], [['a'], ['a', 'b'], [], []])
})

test('nothing of XML that could fetch, grow or hide is taken', () => {
  const attacks = {
    'an external entity': '<!DOCTYPE xml [<!ENTITY f SYSTEM "file:///etc/passwd">]><xml><A>&f;</A></xml>',
    'entities of entities': '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><xml>&b;</xml>',
    'a document type inside': '<xml><!DOCTYPE x><A>1</A></xml>',
    'an unknown entity': '<xml><A>&f;</A></xml>',
    'a bare ampersand': '<xml><A>a & b</A></xml>',
    'a surrogate by number': '<xml><A>&#xD800;</A></xml>',
    'a number beyond Unicode': '<xml><A>&#x110000;</A></xml>',
    'a null': '<xml><A>&#0;</A></xml>',
    'an attribute': '<xml a="1"><A>1</A></xml>',
    'a comment': '<xml><!-- --><A>1</A></xml>',
    'an instruction': '<xml><?php 1 ?><A>1</A></xml>',
    'a second root': '<xml><A>1</A></xml><xml/>',
    'words after the root': '<xml><A>1</A></xml>x',
    'an element never closed': '<xml><A>1</A>',
    'elements crossed': '<xml><A><B>1</A></B></xml>',
    'a CDATA never closed': '<xml><A><![CDATA[1</A></xml>',
    'too deep': `${'<a>'.repeat(50)}${'</a>'.repeat(50)}`,
    'too many': `<xml>${'<a>1</a>'.repeat(5_000)}</xml>`,
    'too large': `<xml><A>${'x'.repeat(maxPushBytes)}</A></xml>`,
    'nothing at all': '',
    'no document': 'hello',
    'JSON too deep': `${'{"a":'.repeat(50)}1${'}'.repeat(50)}`,
    'JSON far too deep': `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    'JSON with too many values': `{"a":[${'1,'.repeat(5_000)}1]}`,
    'JSON cut off': '{"a":',
  }
  for (const [what, body] of Object.entries(attacks)) assert.throws(() => readPush(body), PushError, what)
})

test('a field named like something of the language is a field', () => {
  const push = readPush('{"__proto__":{"polluted":"1"},"constructor":"x"}')
  assert.equal(({} as { polluted?: string }).polluted, undefined)
  assert.equal(textAt(push, 'constructor'), 'x')
  assert.equal(textAt(readPush('<xml><__proto__><a>1</a></__proto__></xml>'), '__proto__', 'a'), '1')
  assert.equal(textAt(readPush('{}'), 'toString'), '')
})

test('a field given twice is nobody’s text', () => {
  assert.equal(textAt(readPush('<xml><FromUserName>a</FromUserName><FromUserName>b</FromUserName></xml>'), 'FromUserName'), '')
})
