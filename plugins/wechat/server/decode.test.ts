import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import type { InboundEvent } from '@huike/core/sdk/channel.ts'
import { decodePush } from './decode.ts'
import { readPush } from './read-push.ts'

const settings = { replyCount: 5, openPlatform: '总店', userSubject: '', sessionSecret: 'a-secret-of-the-shop' } as const
const fixtures = join(import.meta.dirname, '../fixtures')
const decode = (name: string, over: Partial<Parameters<typeof decodePush>[1]> = {}): InboundEvent =>
  decodePush(readPush(readFileSync(join(fixtures, name), 'utf8')), { ...settings, ...over })
const message = (name: string) => {
  const event = decode(name)
  assert.equal(event.kind, 'message', name)
  return event as Extract<InboundEvent, { kind: 'message' }>
}
const activity = (name: string) => {
  const event = decode(name)
  assert.equal(event.kind, 'activity', name)
  return event as Extract<InboundEvent, { kind: 'activity' }>
}
const forTwoDays = { name: 'message', count: 5, ms: 48 * 3_600_000 }

test('a text: who, when, its id to the last digit, and what may be answered', () => {
  const { externalId, from, parts, sentAt, grant } = message('text.xml')
  assert.deepEqual([externalId, from.externalId], ['22876340532172987', 'oia2TjuEGTNoeX76QEjQNrcURxG8'])
  assert.deepEqual(parts, [{ type: 'text', text: '你好，这双鞋还有 42 码吗？<急>' }])
  assert.deepEqual([sentAt?.toISOString(), grant], ['2026-05-28T20:26:40.000Z', forTwoDays])
})

test('the count of replies is the account’s', () => {
  assert.equal(decode('text.xml', { replyCount: 20 }).kind === 'message' && (decode('text.xml', { replyCount: 20 }) as any).grant.count, 20)
})

test('a tap on a menu in a message counts as a menu tap, not as a message', () => {
  assert.deepEqual(message('text-menu-tap.xml').grant, { name: 'menu', count: 3, ms: 60_000 })
})

test('every kind of message of an official account becomes parts', () => {
  const parts = (name: string) => message(name).parts
  assert.deepEqual(parts('image.xml'), [{ type: 'remote', as: 'image', ref: '{"mediaId":"media-image-1","url":"http://mmbiz.qpic.cn/mmbiz_jpg/abc/0"}' }])
  assert.deepEqual(parts('voice.xml'), [
    { type: 'remote', as: 'audio', ref: '{"mediaId":"media-voice-1"}' },
    { type: 'text', text: '我想问一下发货时间。', label: { zh: '语音识别', en: 'As heard by WeChat' } },
  ])
  assert.deepEqual(parts('voice-without-recognition.xml'), [{ type: 'remote', as: 'audio', ref: '{"mediaId":"media-voice-2"}' }])
  assert.deepEqual(parts('video.xml'), [{ type: 'remote', as: 'video', ref: '{"mediaId":"media-video-1"}' }])
  assert.deepEqual(parts('shortvideo.xml'), [{ type: 'remote', as: 'video', ref: '{"mediaId":"media-video-2"}' }])
  assert.deepEqual(parts('location.xml'), [{ type: 'location', lat: 31.230416, lng: 121.473701, name: '上海市黄浦区人民大道' }])
  assert.deepEqual(parts('link.xml'), [{ type: 'link', url: 'https://mp.weixin.qq.com/s/abc?a=1&b=2', title: '秋季新款', description: '三天内下单包邮' }])
  const [card] = parts('miniprogrampage.xml')
  assert.equal(card?.type === 'card' && card.kind, 'miniprogram')
  assert.deepEqual(card?.type === 'card' && card.data, {
    appId: 'wx5c3a1b2d4e6f7890',
    pagePath: 'pages/goods?id=7',
    thumbMediaId: 'thumb-3',
    thumbUrl: 'https://mmbiz.qpic.cn/thumb/0',
  })
  assert.equal(card?.type === 'card' && card.coverRef, '{"mediaId":"thumb-3","url":"https://mmbiz.qpic.cn/thumb/0"}')
})

test('a kind nobody knows is kept whole, and may be answered all the same', () => {
  const { parts, grant } = message('file.xml')
  assert.equal(parts[0]?.type, 'unsupported')
  assert.equal(((parts[0] as { raw: Record<string, unknown> }).raw as Record<string, unknown>).FileKey, 'key-1')
  assert.deepEqual(grant, forTwoDays)
})

test('known kinds without what makes them one are kept whole too', () => {
  const kind = (fields: string) => {
    const event = decodePush(readPush(`<xml><FromUserName>o1</FromUserName><MsgId>1</MsgId>${fields}</xml>`), settings)
    return event.kind === 'message' && event.parts[0]?.type
  }
  assert.deepEqual(
    [
      kind('<MsgType>image</MsgType>'),
      kind('<MsgType>voice</MsgType>'),
      kind('<MsgType>video</MsgType>'),
      kind('<MsgType>location</MsgType><Location_X>北</Location_X>'),
      kind('<MsgType>link</MsgType><Url>javascript:alert(1)</Url>'),
      kind(''),
    ],
    Array(6).fill('unsupported'),
  )
})

test('every event of the sheet is an activity of its own name, worded in both languages', () => {
  const names = Object.fromEntries(
    globSync('{event-*.xml,mini-enter.json,mini-subscribe-*.json}', { cwd: fixtures })
      .filter((name) => name !== 'event-unknown.xml')
      .sort()
      .map((path) => {
        const { name, label } = activity(path)
        assert.match(label.zh, /[\u4e00-\u9fff]/, path)
        assert.doesNotMatch(label.en.split(':')[0] as string, /[\u4e00-\u9fff]/, path)
        return [basename(path), name]
      }),
  )
  assert.deepEqual(names, {
    'event-click.xml': 'wechat.menuTapped',
    'event-kf-close-session.xml': 'wechat.nativeSessionClosed',
    'event-kf-create-session.xml': 'wechat.nativeSessionOpened',
    'event-kf-switch-session.xml': 'wechat.nativeSessionMoved',
    'event-location-select.xml': 'wechat.placeChosen',
    'event-location.xml': 'wechat.located',
    'event-mass.xml': 'wechat.massSent',
    'event-pic-photo-or-album.xml': 'wechat.picturesChosen',
    'event-pic-sysphoto.xml': 'wechat.picturesChosen',
    'event-pic-weixin.xml': 'wechat.picturesChosen',
    'event-scan.xml': 'wechat.scanned',
    'event-scancode-push.xml': 'wechat.codeScanned',
    'event-scancode-waitmsg.xml': 'wechat.codeScanned',
    'event-subscribe-msg-popup.xml': 'wechat.subscriptionAnswered',
    'event-subscribe-scene.xml': 'wechat.followed',
    'event-subscribe.xml': 'wechat.followed',
    'event-template-failed.xml': 'wechat.templateFailed',
    'event-template.xml': 'wechat.templateDelivered',
    'event-unsubscribe.xml': 'wechat.unfollowed',
    'event-view-miniprogram.xml': 'wechat.miniprogramOpened',
    'event-view.xml': 'wechat.menuOpened',
    'mini-enter.json': 'wechat.entered',
    'mini-subscribe-many.json': 'wechat.subscriptionChanged',
    'mini-subscribe-one.json': 'wechat.subscriptionAnswered',
    'mini-subscribe-sent.json': 'wechat.subscriptionSent',
  })
})

test('of places reported every five seconds one in ten minutes is kept', () => {
  const at = (seconds: number, from = 'o-1') =>
    decodePush(
      readPush(
        `<xml><ToUserName>gh</ToUserName><FromUserName>${from}</FromUserName><CreateTime>${seconds}</CreateTime><MsgType>event</MsgType><Event>LOCATION</Event><Latitude>30.${seconds % 1_000}</Latitude><Longitude>120.1</Longitude><Precision>40</Precision></xml>`,
      ),
      settings,
    ).externalId
  const places = Array.from({ length: 120 }, (_, i) => at(1_795_999_800 + i * 5))
  assert.equal(new Set(places).size, 1)
  assert.notEqual(at(1_795_999_800 + 600), places[0])
  assert.notEqual(at(1_795_999_800, 'o-2'), places[0])
})

test('what events tell is kept', () => {
  assert.deepEqual(activity('event-subscribe-scene.xml').params, { scene: 'store-12', ticket: 'TICKET' })
  assert.match(activity('event-subscribe-scene.xml').label.zh, /store-12/)
  assert.deepEqual(activity('event-scan.xml').params, { scene: 'store-12', ticket: 'TICKET' })
  assert.deepEqual(activity('event-click.xml').params, { key: 'KEFU' })
  assert.deepEqual(activity('event-location.xml').params, { lat: 23.137466, lng: 113.352425, precision: '119.385040' })
  assert.deepEqual(activity('event-scancode-waitmsg.xml').params, { key: '6', result: '6901234567892', scanType: 'barcode' })
  assert.deepEqual(activity('event-pic-weixin.xml').params, { key: '6', count: '2' })
  assert.deepEqual(activity('event-template-failed.xml').params, { id: '200163840', status: 'failed:user block' })
  assert.deepEqual(activity('event-subscribe-msg-popup.xml').params, {
    templates: [
      { id: 'TPL-A', status: 'accept' },
      { id: 'TPL-B', status: 'reject' },
    ],
  })
  assert.deepEqual(activity('mini-subscribe-one.json').params, { templates: [{ id: 'TPL-A', status: 'accept' }] })
  assert.deepEqual(activity('mini-enter.json').params, { sessionFrom: 'goods-7' })
})

test('where they come from and whether they follow is told in words', () => {
  const told = (path: string) => activity(path).from.facts?.map(({ name, value }) => [name, typeof value === 'string' ? value : value.zh])
  assert.deepEqual(told('event-subscribe-scene.xml'), [
    ['follows', '已关注'],
    ['scene', 'store-12'],
  ])
  // A follower without a code is no longer there by the code of last time.
  assert.deepEqual(told('event-subscribe.xml'), [
    ['follows', '已关注'],
    ['scene', ''],
  ])
  assert.deepEqual(told('event-scan.xml'), [
    ['follows', '已关注'],
    ['scene', 'store-12'],
  ])
  assert.deepEqual(told('event-unsubscribe.xml'), [['follows', '已取消关注']])
  assert.deepEqual(told('mini-enter.json'), [['sessionFrom', 'goods-7']])
})

test('events grant what the platform’s page grants', () => {
  const short = (name: string, count: number) => ({ name, count, ms: 60_000 })
  assert.deepEqual(activity('event-subscribe.xml').grant, short('follow', 3))
  assert.deepEqual(activity('event-scan.xml').grant, short('scan', 3))
  assert.deepEqual(activity('event-click.xml').grant, short('menu', 3))
  assert.deepEqual(activity('event-scancode-push.xml').grant, short('menu', 3))
  assert.deepEqual(activity('mini-enter.json').grant, short('enter', 2))
  assert.deepEqual(activity('event-unsubscribe.xml').grant, { ...forTwoDays, count: 0 })
  for (const nothing of ['event-view.xml', 'event-location.xml', 'event-template.xml', 'event-pic-weixin.xml'])
    assert.equal(activity(nothing).grant, undefined, nothing)
})

test('an event nobody knows is shown whole and grants nothing', () => {
  const { parts, grant } = message('event-unknown.xml')
  assert.equal(parts[0]?.type, 'unsupported')
  assert.equal(grant, undefined)
})

test('a repeat of an event is the same one; two events of one second are two', () => {
  assert.equal(decode('event-click.xml').externalId, decode('event-click.xml').externalId)
  const ids = globSync('event-*.xml', { cwd: fixtures }).map((name) => decode(name).externalId)
  assert.equal(new Set(ids).size, ids.length)
  assert.ok(ids.every((id) => id.length <= 190))
})

test('a mini-program’s JSON: the same parts, the id to the last digit', () => {
  assert.equal(message('mini-text.json').externalId, '22876340532172987')
  assert.deepEqual(message('mini-text.json').parts, [{ type: 'text', text: '在吗' }])
  assert.equal(message('mini-image.json').parts[0]?.type, 'remote')
  assert.equal(message('mini-page.json').parts[0]?.type, 'card')
})

test('a text longer than a part becomes several, no character cut', () => {
  const text = `${'a'.repeat(19_999)}🎉${'b'.repeat(5)}`
  const { parts } = decodePush(readPush(`{"FromUserName":"o1","MsgType":"text","MsgId":1,"Content":"${text}"}`), settings) as { parts: { text: string }[] }
  assert.deepEqual(
    parts.map((part) => part.text.length),
    [19_999, 7],
  )
  assert.equal(parts.map((part) => part.text).join(''), text)
})

test('nobody named as the sender: the platform’s own word, whole, the same for each repeat, and no right to answer', () => {
  const audit = { ToUserName: 'gh_1', CreateTime: 1_700_000_000, MsgType: 'event', Event: 'wxa_category_audit', ret: 3 }
  const decoded = [{ ...audit }, { ...audit, FromUserName: '' }, { ...audit, FromUserName: '<b>' }, { ...audit, FromUserName: 'a'.repeat(200) }].map((push) => {
    const [once, again] = [1, 2].map(() => decodePush(readPush(JSON.stringify(push)), settings))
    assert.deepEqual(once, again)
    return once as InboundEvent
  })
  for (const event of decoded) {
    assert.ok(event.kind === 'message')
    assert.deepEqual(
      [event.from.externalId, event.from.verified, event.grant, event.sentAt],
      ['wechat:platform', undefined, undefined, new Date(1_700_000_000_000)],
    )
    const [part] = event.parts
    assert.ok(part?.type === 'unsupported' && (part.raw as { Event: string }).Event === 'wxa_category_audit')
  }
  assert.equal(new Set(decoded.map(({ externalId }) => externalId)).size, decoded.length)
})

test('who enters a mini-program: proven with the shop’s signature, only told without', () => {
  const enter = (sessionFrom: Record<string, string>) =>
    decodePush(
      readPush(
        JSON.stringify({
          FromUserName: 'o1',
          CreateTime: 1_780_000_000,
          MsgType: 'event',
          Event: 'user_enter_tempsession',
          SessionFrom: JSON.stringify(sessionFrom),
        }),
      ),
      settings,
    ).from
  const sign = (openid: string) => createHmac('sha256', settings.sessionSecret).update([openid, 'u1', '42'].join('\n')).digest('hex')
  const claims = (verified: boolean) => [
    { kind: 'unionid', value: '总店:u1', verified },
    { kind: 'userId', value: 'default:42', verified },
  ]
  assert.deepEqual(enter({ unionid: 'u1', userId: '42', name: '小王', sign: sign('o1') }), {
    externalId: 'o1',
    verified: true,
    name: '小王',
    claims: claims(true),
  })
  assert.deepEqual(enter({ unionid: 'u1', userId: '42' }).claims, claims(false))
  assert.deepEqual(enter({ unionid: 'u1', userId: '42', sign: sign('o2') }).claims, claims(false))
})
