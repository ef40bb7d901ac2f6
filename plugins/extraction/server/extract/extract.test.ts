/** The corpus (precision and recall for each kind), hostile inputs, offsets, an admin's own rules. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { corpora, measure, readCorpus } from './corpus.ts'
import { isAmong, valuesIn } from './echoes.ts'
import { extract } from './extract.ts'
import type { OwnRule } from './own-rules.ts'
import { kinds } from './tables.ts'

const brief = (text: string, options = {}) => extract(text, options).map(({ kind, normal }) => `${kind} ${normal}`)

for (const name of corpora)
  test(`the corpus, ${name}`, (t) => {
    const { sentences, scores, faults } = measure(readCorpus(name))
    for (const kind of kinds) {
      const { wanted, found, precision, recall } = scores[kind]
      t.diagnostic(`${name} ${kind}: precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)} (${wanted} labelled, ${found} found)`)
    }
    for (const kind of kinds) {
      assert.ok(scores[kind].wanted > 5, `${kind} has too few sentences`)
      assert.ok(scores[kind].precision >= 0.97, `${kind}: precision ${scores[kind].precision}\n${faults.join('\n')}`)
      assert.ok(scores[kind].recall >= 0.95, `${kind}: recall ${scores[kind].recall}\n${faults.join('\n')}`)
    }
    assert.ok(sentences > 120)
  })

test('the corpus has at least six hundred different sentences, and none stands in two parts', () => {
  const all = corpora.flatMap((name) => readCorpus(name).map(({ messages }) => messages.join('⏎')))
  assert.ok(new Set(all).size >= 600, String(new Set(all).size))
  assert.deepEqual(
    all.filter((one, i) => all.indexOf(one) !== i),
    [],
  )
})

test('offsets are those of the original, whatever stood before', () => {
  const text = '😀 我的电话是 １３８-００１３​-8000 😀'
  const [fact] = extract(text)
  assert.equal(fact?.normal, '+8613800138000')
  assert.equal(text.slice(fact?.spans[0]?.start, fact?.spans[0]?.end), fact?.value)
})

test('pieces of several messages are one fact with a place in each; a colleague’s question is a word, never a source', () => {
  const [joined] = extract([{ text: '138' }, { text: '0013' }, { text: '8000' }])
  assert.deepEqual([joined?.normal, joined?.spans.map(({ segment }) => segment), joined?.touches], ['+8613800138000', [0, 1, 2], [0, 1, 2]])
  assert.deepEqual(
    extract([{ text: '您的微信号是多少？方便加一下吗', theirs: true }, { text: 'abc12345' }]).map(({ kind, normal }) => [kind, normal]),
    [['wechat', 'abc12345']],
  )
  assert.deepEqual(extract([{ text: '我们电话13800138000', theirs: true }, { text: '好的' }]), [])
  assert.deepEqual(extract([{ text: '138' }, { text: '您说', theirs: true }, { text: '00138000' }]), [])
})

test('what a colleague asked for that is no contact goes on being it over a word of consent, and no further', () => {
  const asked = (question: string, ...said: string[]) =>
    extract([{ text: question, theirs: true }, ...said.map((text) => ({ text }))]).map(({ kind, normal }) => `${kind} ${normal}`)
  for (const said of [['13800138000'], ['好的', '13800138000'], ['好的，稍等', '13800138000']]) assert.deepEqual(asked('麻烦发一下运单号', ...said), [])
  const phone = ['phone +8613800138000']
  assert.deepEqual(asked('麻烦发一下手机号', '好的', '13800138000'), phone)
  assert.deepEqual(asked('麻烦发一下运单号', '好的', '我电话13800138000'), phone)
  assert.deepEqual(asked('麻烦发一下运单号', '找不到了，你们直接打我吧', '13800138000'), phone)
})

test('a name with a dot in words is whole, and below the fill threshold where a full stop or an hour may be meant', () => {
  const worth = (text: string) => extract(text).map(({ normal, confidence }) => [normal, confidence >= 0.85])
  assert.deepEqual(worth('zhang点wei@163.com'), [['zhang.wei@163.com', true]])
  assert.deepEqual(worth('my email is zhang dot wei@gmail.com'), [['zhang.wei@gmail.com', true]])
  assert.deepEqual(worth('zhang。wei@163.com'), [['zhang.wei@163.com', false]])
  assert.deepEqual(worth('下午3点wei@163.com'), [['wei@163.com', false]])
  assert.deepEqual(worth('好的。wei@163.com'), [['wei@163.com', true]])
})

test('kinds and rules can be switched off; the house’s own numbers are nobody’s', () => {
  const text = '电话13800138000，邮箱kefu@shop.cn'
  assert.deepEqual(brief(text, { kinds: ['email'] }), ['email kefu@shop.cn'])
  assert.deepEqual(brief(text, { off: new Set(['email.plain']) }), ['phone +8613800138000'])
  assert.deepEqual(brief(text, { ours: ['13800138000', 'shop.cn'] }), [])
})

test('words of the house say of a number in their clause that it is another’s', () => {
  const whose = (text: string) => extract(text, { others: ['楼管', ' Concierge ', '拉黑'] }).map(({ whose = '' }) => whose)
  for (const text of ['楼管的手机是13800138000', 'the concierge 13800138000', '13800138000已经拉黑']) assert.deepEqual(whose(text), ['other'], text)
  for (const text of ['问过楼管了，13800138000', '楼管说要登记，我电话13800138000']) assert.deepEqual(whose(text), [''], text)
})

test('an admin’s own rule is words and a shape', () => {
  const rule: OwnRule = { id: 'own.1', kind: 'wechat', words: ['飞信'], shape: 'account', min: 6, max: 20, not: ['客服'], confidence: 0.9, normal: '' }
  assert.deepEqual(brief('我的飞信：feixin_8', { own: [rule] }), ['wechat feixin_8'])
  assert.deepEqual(brief('客服飞信：feixin_8', { own: [rule] }), [])
  assert.deepEqual(brief('飞信：abc', { own: [rule] }), [])
})

test('an own rule reads digits as the built-in ones do, and writes them by kind', () => {
  const rule = { id: 'own.1', words: ['飞信'], shape: 'digits', min: 5, max: 20, not: [], confidence: 1, normal: '' } as const
  const own = (kind: OwnRule['kind']): OwnRule[] => [{ ...rule, kind, words: ['飞信'], not: [] }]
  assert.ok(brief('飞信①③⑧0013 8000', { own: own('qq') }).includes('qq 13800138000'))
  assert.deepEqual(brief('飞信：138 0013 8000', { own: own('phone') }), ['phone +8613800138000'])
  assert.deepEqual(brief('飞信 12345', { own: own('qq') }), ['qq 12345'])
})

test('what is somebody else’s is offered with whose it is, never sure enough to fill; what is refused is nothing', () => {
  for (const [text, whose] of [
    ['我朋友微信abc12345', 'friend'],
    ['我爸微信 laowang_66', 'parent'],
    ['我老公QQ 12345678', 'partner'],
    ['我同事邮箱 a@b.com', 'friend'],
    ['他手机号13800138000', 'other'],
    ['她电话是13800138000', 'other'],
    ['我儿子的电话，13800138000', 'child'],
  ] as const) {
    const [fact] = extract(text, { kinds: ['phone', 'wechat', 'qq', 'email'] })
    assert.equal(fact?.whose, whose, text)
    assert.ok((fact?.confidence ?? 1) < 0.85, text)
  }
  for (const text of [
    '别加我微信 abc12345',
    '刚才加我的微信 kefu_001 是骗子吧',
    '我以前的号13800138000不用了',
    '充值13800138000的话费',
    'wx_pay_error',
    '我是女儿代问的',
    '我比我老婆大三岁',
  ])
    assert.deepEqual(
      brief(text).filter((one) => one !== 'gender male'),
      [],
      text,
    )
  for (const text of ['我妈让我打的，我电话13800138000', '其他时间打13800138000', '我电话13800138000，我朋友推荐来的'])
    assert.equal(extract(text)[0]?.whose, undefined, text)
})

test('what our own people write is read with other eyes: every number, every account, but what they say is the customer’s', () => {
  const among = (text: string, normal: string) => isAmong(normal, valuesIn(text))
  for (const [text, normal] of [
    ['您好，请拨打 138 0013 8000', '+8613800138000'],
    ['师傅电话一三八零零一三八零零零', '+8613800138000'],
    ['加 kefu_8866 就行', 'kefu_8866'],
    ['您的专属客服微信 kefu_8866', 'kefu_8866'],
    ['总机 0571-88990011 转 8', '+8657188990011;ext=8'],
    ['资料请发 FuWu@brand.cn', 'fuwu@brand.cn'],
  ] as const)
    assert.ok(among(text, normal), text)
  for (const [text, normal] of [
    ['您的电话是13800138000吗', '+8613800138000'],
    ['和您确认一下，您预留的手机13800138000对吧', '+8613800138000'],
    ['收货人电话 13800138000 没错吧', '+8613800138000'],
    ['订单 2026113012345678', '12345678'],
  ] as const)
    assert.ok(!among(text, normal), text)
})

test('of two numbers with a stroke between them both are whose the first is; a spaced name is offered whole, never filled', () => {
  assert.deepEqual(
    extract('我爸 13800138000/13900139000').map(({ normal, whose }) => [normal, whose]),
    [
      ['+8613800138000', 'parent'],
      ['+8613900139000', 'parent'],
    ],
  )
  for (const text of ['zhang san @ 163 . com', 'you can ask zhang san @ 163.com']) {
    const [fact, ...more] = extract(text)
    assert.ok(fact && fact.kind === 'email' && fact.confidence < 0.85 && more.length === 0, text)
  }
  for (const text of ['别打13800138000/13900139000', '刚才打我的13800138000/13900139000']) assert.deepEqual(extract(text), [], text)
})

test('an account that has its word already takes the next message’s number for no account', () => {
  const found = extract([{ text: 'liujia0418，我微信' }, { text: '①⑦⑦⓪①②③④⑤⑥⑦ 这是我号码' }])
  assert.deepEqual(
    found.map(({ kind, normal }) => `${kind} ${normal}`),
    ['wechat liujia0418', 'phone +8617701234567'],
  )
})

test('an own rule for landlines writes them as the built-in ones do, with their extension', () => {
  const own: OwnRule[] = [{ id: 'own.1', kind: 'landline', words: ['前台'], shape: 'digits', min: 5, max: 20, not: [], confidence: 1, normal: '' }]
  for (const [text, normal] of [
    ['前台：010-8888 6666', '+861088886666'],
    ['前台（0571）87654321转8001', '+8657187654321;ext=8001'],
    ['前台 87654321', '87654321'],
    ['前台 400-820-8820', '4008208820'],
  ] as const)
    assert.ok(brief(text, { own, off: new Set(['landline.cued', 'landline.bare', 'landline.local']) }).includes(`landline ${normal}`), text)
})

test('an answer says what the question was about; a colleague’s other question makes nobody an age', () => {
  const answer = (question: string, text: string) => extract([{ text: question, theirs: true }, { text }]).map(({ kind, normal }) => `${kind} ${normal}`)
  assert.deepEqual(answer('您多大了？', '90年的'), ['age born:1990'])
  assert.deepEqual(answer('请问您的年龄大概是', '三十左右吧'), ['age 28-32'])
  assert.deepEqual(answer('您的生肖是？', '属龙的'), ['age zodiac:龙'])
  for (const [question, text] of [
    ['您要什么价位的？', '三十左右'],
    ['茶是哪种？', '90年的'],
    ['您要哪种手链？', '属龙的'],
    ['您多大了？', '90年的普洱还有吗'],
    ['您穿多大码的鞋？', '38，女'],
    ['方便说下身高体重吗', '男 75'],
  ] as const)
    assert.deepEqual(answer(question, text), [], `${question} ${text}`)
  assert.deepEqual(answer('您的年龄、性别和身高？', '28 女 165'), ['age 28', 'gender female'])
})

test('hostile inputs cost time in proportion to their length', () => {
  const hostile = [
    '1',
    '13',
    '138 ',
    '1 ',
    '一',
    '微',
    'v',
    'v ',
    'a_',
    'a b ',
    '@',
    'a@',
    'a@b.',
    '我',
    '我是',
    '岁',
    '女 ',
    '女,3',
    '十二',
    'http://',
    '1-',
    '加我',
    '微信',
    '微信 a',
    '(',
    '+86 ',
    'l',
    'O0',
    '是',
    '138\n',
    '#',
    ' at ',
    '28岁',
    '，',
    '🔟',
    'ﷺ',
    '我妈',
    '属龙',
    '我退休了',
    '30左右',
    '138*',
    '138****',
    '38 女，',
    '女 38 ',
    '我38，',
    '160/45 ',
    '今年十一',
    '我是女性',
    '我是妈妈帮',
    '/13800138000',
    '腰洞',
    'a @ ',
    'a b @ c . com ',
    '我上大三',
    'qq和微信一样',
    '打了13800138000',
    '我发到a@b.com',
    '有人13800138000说',
    '客服给我的13800138000',
    '13800138000一直',
  ]
  // Short ones first: what is compiled late must not count.
  for (const unit of hostile) extract(unit.repeat(200))
  for (const unit of hostile) {
    const text = unit.repeat(Math.ceil(20_000 / unit.length)).slice(0, 20_000)
    const began = process.cpuUsage()
    extract(text)
    const { user, system } = process.cpuUsage(began)
    assert.ok(user + system < 2_000_000, `${JSON.stringify(unit)} took ${(user + system) / 1000} ms of CPU`)
  }
})

test('whatever is written: no throw, bounded, places inside the text', () => {
  const pieces = fc.constantFrom(
    '1',
    '3',
    '8',
    '一',
    '零',
    'o',
    'l',
    ' ',
    '-',
    '\n',
    '微信',
    'v',
    'vx',
    '：',
    '是',
    'qq',
    '@',
    '.',
    'com',
    '岁',
    '女',
    '我',
    '今年',
    '😀',
    '​',
    '０',
    '①',
    'abc_1',
    '电话',
    '订单号',
    '\ud800',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 80 }), (parts) => {
      const text = parts.join('')
      const facts = extract(text)
      assert.ok(facts.length <= 50)
      for (const { spans, value, confidence } of facts) {
        assert.ok(confidence > 0 && confidence <= 1)
        for (const { start, end } of spans) assert.ok(start >= 0 && start < end && end <= text.length)
        assert.equal(spans.map(({ start, end }) => text.slice(start, end)).join(' '), value)
      }
    }),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      extract(text)
    }),
    { numRuns: 300 },
  )
})
