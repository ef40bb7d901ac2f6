import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { InboundEvent } from '@huike/core/sdk/channel.ts'
import { HubError } from '@huike/core/sdk/errors.ts'
import { challengeOf, type Decoded, decode, fitId } from './decode.ts'

const fixtures = join(import.meta.dirname, '../fixtures')
const read = (name: string) => readFileSync(join(fixtures, `${name}.json`))
const isOurs = (openId: string): boolean => openId === '_000operator'
const decoded = (name: string, known = isOurs) => decode(read(name), 'msg-7', known)
const event = <K extends InboundEvent['kind']>(name: string, kind: K, known = isOurs): Extract<InboundEvent, { kind: K }> => {
  const result = decoded(name, known)
  assert.equal(result.kind, 'event')
  const { event } = result as Extract<Decoded, { kind: 'event' }>
  assert.equal(event.kind, kind)
  return event as Extract<InboundEvent, { kind: K }>
}

test('a text: who, what, when, and what it lets us answer with', () => {
  const result = decoded('receive-text') as Extract<Decoded, { kind: 'event' }>
  assert.equal(result.account, '_000operator')
  assert.deepEqual(result.event, {
    kind: 'message',
    externalId: '@msg-1==',
    from: { externalId: '_000customer', name: '林小满', attributes: { avatar: 'https://p3.douyinpic.com/a.jpeg' } },
    // Masked is masked: nothing is guessed, nothing is taken for a number.
    parts: [{ type: 'text', text: '我的电话 138****5678，茶几还有货吗' }],
    sentAt: new Date(1700000000123),
    grant: { name: 'reply', count: 6, ms: 86_400_000 },
  })
  assert.deepEqual(result.peer, { customer: '_000customer', conversationShortId: '@conv==', reply: { messageId: '@msg-1==', at: new Date(1700000000123) } })
})

test('content in a string is content', () => {
  const { parts, externalId, from } = event('receive-text-string', 'message')
  assert.deepEqual([parts, externalId, from.name], [[{ type: 'text', text: '在吗' }], '@msg-2==', '林小满'])
})

test('pictures, videos and stickers: fetched where there is something to fetch, told where there is not', () => {
  assert.deepEqual(event('receive-emoji', 'message').parts, [
    { type: 'remote', as: 'image', ref: '{"url":"https://p3.douyinpic.com/emoji.gif"}', name: 'emoji' },
  ])
  assert.deepEqual(event('receive-local-image', 'message').parts, [{ type: 'remote', as: 'image', ref: '{"conversation":"@conv==","message":"@msg-6=="}' }])
  assert.equal(event('receive-image', 'message').parts[0]?.type, 'card')
  const [video] = event('receive-video', 'message').parts
  assert.deepEqual(video?.type === 'card' && video.data, { itemId: '@8hxdhauTCMppanGnM4ltGM780==' })
})

test('a lead card is a card with its fields; a whole number is offered, a masked one is not', () => {
  const whole = event('receive-lead-card', 'message')
  assert.deepEqual(whole.parts, [
    {
      type: 'card',
      kind: 'lead-form',
      title: '',
      label: { zh: '留资卡片', en: 'Lead card' },
      fields: [
        { label: '姓名', value: '林小满' },
        { label: '手机号', value: '138 0013 8000' },
        { label: '城市', value: '杭州' },
      ],
      data: { cardId: '7012345678901234567', cardStatus: '2' },
    },
  ])
  assert.deepEqual(whole.from.claims, [{ kind: 'phone', value: '+8613800138000', verified: false }])
  const masked = event('receive-lead-card-masked', 'message')
  assert.equal(masked.from.claims, undefined)
  assert.equal(masked.parts[0]?.type === 'card' && masked.parts[0].fields?.[0]?.value, '138****8000')
})

test('what is of no known type is kept whole', () => {
  const [part] = event('receive-other', 'message').parts
  assert.deepEqual(part, { type: 'unsupported', raw: JSON.parse(read('receive-other').toString()) })
})

test('an echo is about the customer it went to, whoever sent it, and nothing to answer with', () => {
  for (const name of ['send-by-api', 'send-in-app']) {
    const echo = event(name, 'echo')
    assert.equal(echo.from.externalId, '_000customer')
    assert.equal((decoded(name) as { peer?: unknown }).peer, undefined)
  }
  assert.equal(event('send-in-app', 'echo').externalId, '@out-2==')
  // Before the account is known, the direction of the event tells.
  assert.equal(event('send-by-api', 'echo', () => false).from.externalId, '_000customer')
  assert.equal(event('receive-text', 'message', () => false).from.externalId, '_000customer')
})

test('of an echo its source says whether an API or a person in the app sent it; another app’s key, or none, says nothing', () => {
  assert.deepEqual([event('send-by-api', 'echo').origin, event('send-in-app', 'echo').origin], ['api', 'app'])
  const { content, ...push } = JSON.parse(read('send-by-api').toString())
  for (const source of ['another', undefined, 0, null]) {
    const told = decode(Buffer.from(JSON.stringify({ ...push, content: { ...content, source } })), undefined, () => false)
    assert.equal(told.kind === 'event' && told.event.kind === 'echo' && 'origin' in told.event, false)
  }
})

test('two accounts of ours in a talk with each other: each push is for the end it is about', () => {
  const both = () => true
  assert.equal(event('receive-text', 'message', both).from.externalId, '_000customer')
  assert.equal(event('send-by-api', 'echo', both).from.externalId, '_000customer')
})

test('opening the chat: the way here is kept with every digit, three messages in thirty seconds', () => {
  const result = decoded('enter') as Extract<Decoded, { kind: 'event' }>
  const entered = event('enter', 'activity')
  assert.deepEqual(entered.params, {
    from: 'feed',
    adv_id: '1789012345678901234',
    adv_name: '云杉家居',
    ad_id: '1789012345678909999',
    ad_name: '双十一茶几',
    promotion_id: '7123456789012345678',
    scene_type: 'video',
    objectId: '@video==',
  })
  assert.deepEqual([entered.grant, entered.at, entered.externalId], [{ name: 'enter', count: 3, ms: 30_000 }, new Date(1700000002123), 'enter:@enter-1=='])
  assert.deepEqual(result.peer?.enter, { messageId: '@enter-1==', at: new Date(1700000002123) })
  assert.deepEqual(entered.from.facts, entered.details)
  assert.deepEqual(
    entered.details?.filter(({ value }) => value !== '').map(({ label, value }) => [label.zh, typeof value === 'string' ? value : value.zh]),
    [
      ['来源场景', '视频'],
      ['来源视频', '@video=='],
      ['广告主', '云杉家居'],
      ['广告主编号', '1789012345678901234'],
      ['广告计划', '双十一茶几'],
      ['广告计划编号', '1789012345678909999'],
      ['推广编号', '7123456789012345678'],
      ['其他参数', 'from=feed'],
    ],
  )
  assert.equal(event('old-enter', 'activity').from.facts, undefined, 'who tells no way here leaves the one of before')
})

test('recalls, by either side', () => {
  const byCustomer = event('recall-by-customer', 'recall')
  assert.deepEqual([byCustomer.by, byCustomer.messageExternalId, byCustomer.from.externalId], ['customer', '@msg-1==', '_000customer'])
  const byUs = event('recall-by-operator', 'recall')
  assert.deepEqual([byUs.by, byUs.messageExternalId, byUs.from.externalId], ['agent', '@out-1==', '_000customer'])
})

test('every event of the platform’s list has its place', () => {
  const places: Record<string, [kind: string, detail?: string]> = {
    'authorize-messages': ['activity', 'authorised'],
    'group-receive': ['activity', 'group.said'],
    'group-send': ['activity', 'group.sent'],
    'group-fans': ['activity', 'group.membership'],
    'group-audit': ['activity', 'group.audit'],
    'old-receive': ['message'],
    'old-enter': ['activity', 'entered'],
    'old-phone': ['activity', 'phone'],
    'old-website': ['activity', 'website'],
    'old-contact': ['activity', 'contact'],
    unknown: ['message'],
  }
  for (const [name, [kind, detail]] of Object.entries(places)) {
    const happened = event(name, kind as 'activity')
    assert.equal(happened.from.externalId, name === 'group-send' ? 'group:@group==' : '_000customer', name)
    if (detail) assert.equal(happened.name, detail)
  }
  for (const [name, change] of [
    ['unauthorize', 'taken'],
    ['authorize', 'given'],
  ] as const) {
    const told = decoded(name)
    assert.ok(told.kind === 'authorisation' && told.id !== '' && told.at instanceof Date)
    assert.deepEqual([told.account, told.change], ['_000operator', change])
  }
  assert.equal((decoded('contract-authorize') as { change?: string }).change, 'contract')
  assert.equal((decoded('contract-unauthorize') as { change?: string }).change, 'contract-ended')
  assert.deepEqual(event('unknown', 'message').parts, [
    { type: 'unsupported', raw: { ...JSON.parse(read('unknown').toString()), content: { amount: '9007199254740993' } } },
  ])
})

test('all fixtures decode, and a push without an id of its own goes by Msg-Id', () => {
  for (const file of readdirSync(fixtures).filter((name) => name.endsWith('.json'))) assert.doesNotThrow(() => decoded(file.replace('.json', '')), file)
  assert.equal(event('old-phone', 'activity').externalId, 'push:msg-7')
  // Without the header the body itself is the name: a repeat is still a repeat.
  const bare = () => (decode(read('old-phone'), undefined, isOurs) as Extract<Decoded, { kind: 'event' }>).event.externalId
  assert.match(bare(), /^push:[0-9a-f]{64}$/)
  assert.equal(bare(), bare())
})

test('the trial of the address comes back in the type it came in', () => {
  const trial = (content: string) => challengeOf(Buffer.from(`{"event":"verify_webhook","client_key":"","content":${content}}`))
  assert.equal(trial('{"challenge":12345}'), '{"challenge":12345}')
  assert.equal(trial('{"challenge":"12345"}'), '{"challenge":"12345"}')
  assert.equal(trial('"{\\"challenge\\":12345}"'), '{"challenge":12345}')
  assert.equal(trial('{"challenge":12345678901234567890}'), '{"challenge":12345678901234567890}')
  assert.equal(trial('{}'), undefined)
  assert.equal(challengeOf(Buffer.from('no json')), undefined)
  assert.equal(challengeOf(read('receive-text')), undefined)
})

test('ids that do not fit go by their hash, the same everywhere', () => {
  const long = `@${'x'.repeat(400)}`
  assert.equal(fitId(long), fitId(long))
  assert.ok(fitId(long).length <= 160)
  assert.equal(fitId('@short=='), '@short==')
})

test('ids longer than any of the platform’s: what was said is kept, and there is nothing to answer with', () => {
  const long = `@${'x'.repeat(70_000)}`
  const push = (name: string, content: object, ends: object = {}) =>
    decode(Buffer.from(JSON.stringify({ event: name, from_user_id: '_000customer', to_user_id: '_000operator', content, ...ends })), 'm', isOurs)
  for (const ids of [
    { server_message_id: long, conversation_short_id: '@conv==' },
    { server_message_id: '@msg==', conversation_short_id: long },
  ])
    for (const name of ['im_receive_msg', 'im_enter_direct_msg']) {
      const { event: one, peer } = push(name, { ...ids, message_type: 'text', text: '在吗' }) as Extract<Decoded, { kind: 'event' }>
      assert.deepEqual([name, peer, 'grant' in one, one.externalId.length <= 190], [name, undefined, false, true])
      if (one.kind === 'message') assert.deepEqual(one.parts, [{ type: 'text', text: '在吗' }])
      const picture = push('im_receive_msg', { ...ids, message_type: 'user_local_image' }) as Extract<Decoded, { kind: 'event' }>
      assert.deepEqual(picture.event.kind === 'message' && picture.event.parts.map(({ type }) => type), ['unsupported'])
    }
  for (const ends of [{ from_user_id: long }, { to_user_id: long }])
    assert.throws(
      () => push('im_receive_msg', {}, ends),
      (error) => error instanceof HubError && error.code === 'HUB_REQUEST_INVALID',
    )
})
