/** The adapter against the simulator, without a hub: the protocol in both directions, tokens, windows, codes. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import type { ChannelAdapter, ChannelInbox, OutboundMessage, SendError } from '@huike/core/sdk/channel.ts'
import { HubError, type HubErrorCode } from '@huike/core/sdk/errors.ts'
import type { MessagePart } from '@huike/core/sdk/message-parts.ts'
import type { NoticeInput } from '@huike/core/sdk/plugin.ts'
import { DouyinServer } from '@huike/core/sdk/testing.ts'
import { type FakeContext, fakeContext } from '../../../tests/support/plugin-context.ts'
import plugin from '../plugin.ts'
import { Account, Peer } from './account.entity.ts'
import { NoAnswer } from './api.ts'
import { untilTomorrow } from './codes.ts'
import type { Ctx } from './context.ts'
import { authoriseUrl, makeState, newNonce, readState, takeCode } from './oauth.ts'
import { rememberPeer } from './peers.ts'
import { toSendError } from './send.ts'
import { bringStray } from './strays.ts'
import { keepTokensAlive } from './tokens.ts'

const day = 86_400_000
const picture = Buffer.from('89504e470d0a1a0a', 'hex')

describe('the adapter against the simulator', () => {
  let douyin: DouyinServer
  let fake: FakeContext<Ctx>
  let adapter: ChannelAdapter
  let inbox: ChannelInbox
  let operator: string
  let nth = 0

  before(async () => {
    douyin = await new DouyinServer().start()
    // Nobody listens to its webhooks here.
    douyin.retries = 0
  })
  after(() => douyin.stop())
  beforeEach(async () => {
    inbox = {
      id: 'i'.padEnd(26, '0'),
      name: '云杉家居',
      settings: { clientKey: douyin.clientKey, clientSecret: douyin.clientSecret, webhookSecret: '', scope: 'user_info,im.direct_message' },
    }
    fake = await fakeContext<Ctx>(plugin, {
      settings: { apiUrl: douyin.url },
      inboxes: [inbox],
      files: { f1: { name: '茶几.png', mime: 'image/png', bytes: picture } },
    })
    adapter = (plugin.channel as unknown as (ctx: Ctx) => ChannelAdapter)(fake.ctx)
    operator = douyin.operator(`_000op${++nth}`).openId
    douyin.echo = 'never'
    douyin.faults = []
  })
  afterEach(() => fake.close())

  const authorise = (openId = operator) => takeCode(fake.ctx, inbox, douyin.consent(openId))
  const account = () => fake.ctx.em().findOneOrFail(Account, { inboxId: inbox.id })
  const text = (words: string): MessagePart => ({ type: 'text', text: words })
  const image: MessagePart = { type: 'image', fileId: 'f1', name: '茶几.png', mime: 'image/png', size: picture.length }
  /** A customer has written: the platform and the adapter know the same message. */
  async function customerWrote(customer = `_000c${++nth}`, at = new Date()) {
    const message = douyin.note(customer, 'in', { message_type: 'text', text: '在吗' })
    await rememberPeer(fake.ctx, inbox.id, { customer, conversationShortId: douyin.conversationOf(customer), reply: { messageId: message.id, at } })
    return customer
  }
  const progress: [number, string | undefined][] = []
  const send = (to: string, parts: MessagePart[], more: Partial<OutboundMessage> = {}) => {
    progress.length = 0
    return adapter.send?.(
      {
        id: 'm1',
        conversationId: 'c1',
        to,
        identityId: 'x',
        seq: 1,
        parts,
        done: 0,
        round: 1,
        attempt: 1,
        progress: async (done, id) => void progress.push([done, id]),
        signal: new AbortController().signal,
        ...more,
      },
      inbox,
    ) as Promise<{ externalId?: string } | undefined>
  }
  const failure = (work: Promise<unknown> | undefined): Promise<SendError> =>
    Promise.resolve(work).then(
      () => assert.fail('it should have been refused'),
      (error: SendError) => {
        assert.equal(error.name, 'SendError', String(error))
        return error
      },
    )

  describe('sending', () => {
    test('a text answers the customer’s newest message, with the operator’s token', async () => {
      await authorise()
      const customer = await customerWrote()
      const sent = await send(customer, [text('有的，今天发货')])
      const message = douyin.messages.at(-1)
      assert.deepEqual([sent?.externalId, message?.content.text, message?.scene], [message?.id, '有的，今天发货', 'im_reply_msg'])
    })

    test('a picture is uploaded with the app’s token, wherever the answer puts its id', async () => {
      await authorise()
      const customer = await customerWrote()
      await send(customer, [image])
      await send(customer, [image])
      assert.deepEqual([...douyin.uploads.values()].slice(-2), [picture, picture])
      assert.equal(douyin.calls.filter(({ path }) => path === '/oauth/client_token/').length, 1)
    })

    test('several parts are several messages; a retry goes on where it stopped', async () => {
      await authorise()
      const customer = await customerWrote()
      const before = douyin.messages.length
      douyin.faults = [{ path: '/tool/imagex', cut: true }]
      assert.equal((await failure(send(customer, [text('一'), image, text('二')]))).retry, true)
      assert.deepEqual(progress, [[1, douyin.messages.at(-1)?.id]])
      await send(customer, [text('一'), image, text('二')], { done: 1 })
      assert.deepEqual(
        douyin.messages.slice(before).map(({ content }) => content.text ?? content.message_type),
        ['一', 'image', '二'],
      )
    })

    test('a long text is cut between characters, never inside one', async () => {
      await authorise()
      const customer = await customerWrote()
      const before = douyin.messages.length
      await send(customer, [text('茶'.repeat(999) + '🛋️'.repeat(3))])
      const sent = douyin.messages.slice(before).map(({ content }) => String(content.text))
      assert.deepEqual(
        sent.map((words) => [...words].length),
        [1_000, 5],
      )
      assert.ok(sent.every((words) => words.isWellFormed()))
    })

    test('six replies, then the window is shut until the customer writes again', async () => {
      await authorise()
      const customer = await customerWrote()
      for (let i = 0; i < 6; i++) await send(customer, [text(`第 ${i + 1} 条`)])
      const refused = await failure(send(customer, [text('第七条')]))
      assert.deepEqual([refused.reason, refused.retry, refused.windowShut], ['28003070', false, true])
      assert.match(refused.sentence?.zh ?? '', /要等客户再发消息/)
      await customerWrote(customer)
      await send(customer, [text('又可以了')])
    })

    test('nothing is asked when we know that the window is over', async () => {
      await authorise()
      const customer = await customerWrote(undefined, new Date(Date.now() - day - 1))
      const calls = douyin.calls.length
      const refused = await failure(send(customer, [text('晚了')]))
      assert.deepEqual([refused.reason, refused.windowShut, douyin.calls.length], ['28003080', true, calls])
    })

    test('the opening of the chat is used first, three times, and only while it lives', async () => {
      await authorise()
      const customer = await customerWrote()
      const opening = await douyin.enters(customer, operator)
      await rememberPeer(fake.ctx, inbox.id, { customer, conversationShortId: douyin.conversationOf(customer), enter: { messageId: opening, at: new Date() } })
      for (let i = 0; i < 4; i++) await send(customer, [text('欢迎')])
      assert.deepEqual(
        douyin.messages.slice(-4).map(({ scene }) => scene),
        ['im_enter_direct_msg', 'im_enter_direct_msg', 'im_enter_direct_msg', 'im_reply_msg'],
      )
    })

    test('when the platform’s clock is ahead, the reply takes over from the opening', async () => {
      await authorise()
      const customer = await customerWrote()
      const opening = await douyin.enters(customer, operator)
      await rememberPeer(fake.ctx, inbox.id, { customer, conversationShortId: douyin.conversationOf(customer), enter: { messageId: opening, at: new Date() } })
      douyin.advance(31_000)
      await send(customer, [text('欢迎')])
      assert.equal(douyin.messages.at(-1)?.scene, 'im_reply_msg')
    })

    test('an older message that comes late is not answered in place of the newest', async () => {
      await authorise()
      const customer = await customerWrote()
      const { replyMessageId } = await fake.ctx.em().findOneOrFail(Peer, { openId: customer })
      await rememberPeer(fake.ctx, inbox.id, { customer, conversationShortId: 'x', reply: { messageId: 'older', at: new Date(Date.now() - 60_000) } })
      assert.equal((await fake.ctx.em().findOneOrFail(Peer, { openId: customer })).replyMessageId, replyMessageId)
    })

    test('errors with HTTP 200, in each of the three shapes', async () => {
      await authorise()
      for (const shape of ['extra', 'data', 'err_no'] as const) {
        douyin.faults = [{ path: '/im/send', code: 28001038, shape }]
        assert.deepEqual([shape, (await failure(send(await customerWrote(), [text('违规词')]))).reason], [shape, '28001038'])
      }
    })

    test('what each code means', async () => {
      await authorise()
      const customer = await customerWrote()
      const meaning: Record<number, [retry: boolean, windowShut: boolean]> = {
        2190001: [true, false],
        28003018: [true, false],
        28001038: [false, false],
        28003070: [false, true],
        28003080: [false, true],
        28003081: [false, true],
        28003082: [false, true],
        28003095: [false, false],
        28029004: [false, false],
        28003101: [false, false],
        2190015: [false, false],
        99999: [false, false],
      }
      for (const [code, [retry, windowShut]] of Object.entries(meaning)) {
        douyin.faults = [{ path: '/im/send', code: Number(code) }]
        const error = await failure(send(customer, [text('试')]))
        assert.deepEqual([error.reason, error.retry, error.windowShut], [code, retry, windowShut])
        assert.ok(error.sentence?.zh && error.sentence.en, code)
      }
    })

    test('an answer that never came: unknown if it may have been taken, again if it cannot have been', async () => {
      await authorise()
      const customer = await customerWrote()
      for (const [fault, retry] of [
        [{ cutAfter: true }, 'unknown'],
        [{ cut: true }, 'unknown'],
        [{ status: 502 }, 'unknown'],
        [{ status: 503 }, true],
        [{ status: 429 }, true],
      ] as const) {
        douyin.faults = [{ path: '/im/send', ...fault }]
        assert.equal((await failure(send(customer, [text('试')]))).retry, retry, JSON.stringify(fault))
      }
      assert.equal(toSendError(new NoAnswer('connect refused', false)).retry, true)
      // Not the message but its picture or its token got no answer: nothing has gone to the customer.
      douyin.faults = [{ path: '/tool/imagex', cutAfter: true }]
      assert.equal((await failure(send(customer, [image]))).retry, true)
    })

    test('an admin hears of what only an admin can mend, and that it is mended', async () => {
      await authorise()
      const customer = await customerWrote()
      douyin.faults = [{ path: '/im/send', code: 28003095 }]
      await failure(send(customer, [text('试')]))
      assert.deepEqual([fake.healths.at(-1)?.health.state, fake.healths.at(-1)?.health.code], ['broken', '28003095'])
      await send(customer, [text('好了')])
      assert.equal(fake.healths.at(-1)?.health.state, 'connected')
    })

    test('a lead card by its id; what Douyin cannot carry is refused before anything is sent', async () => {
      await authorise()
      const customer = await customerWrote()
      await send(customer, [{ type: 'card', kind: 'lead-form', title: '留资卡片', data: { cardId: '70123' } }])
      assert.deepEqual([douyin.messages.at(-1)?.content.message_type, douyin.messages.at(-1)?.content.card_id], ['retain_consult_card', '70123'])
      const before = douyin.messages.length
      for (const part of [
        { type: 'file', fileId: 'f1', name: 'a.pdf', mime: 'application/pdf', size: 1 },
        { type: 'image', fileId: 'f1', name: 'a', mime: 'image/png', size: 11 * 1024 * 1024 },
      ] as MessagePart[])
        assert.equal((await failure(send(customer, [text('先'), part]))).retry, false)
      assert.equal(douyin.messages.length, before)
    })

    test('the quota comes back after midnight in Beijing, not for everybody at once', () => {
      const at = (iso: string, jitter: number) => new Date(new Date(iso).getTime() + untilTomorrow(new Date(iso).getTime(), jitter)).toISOString()
      assert.equal(at('2026-03-01T15:59:00.000Z', 0), '2026-03-01T16:01:00.000Z')
      assert.equal(at('2026-03-01T16:00:00.000Z', 1), '2026-03-02T16:11:00.000Z')
    })
  })

  describe('recall and media', () => {
    test('a message of ours is taken back', async () => {
      await authorise()
      const customer = await customerWrote()
      const sent = await send(customer, [text('发错了')])
      await adapter.recall?.({ externalId: sent?.externalId ?? '', to: customer, conversationId: 'c1' }, inbox)
      assert.equal(douyin.messages.at(-1)?.recalled, true)
      assert.equal((await failure(adapter.recall?.({ externalId: 'nobody', to: customer, conversationId: 'c1' }, inbox))).reason, '28003082')
    })

    test('a customer’s picture is asked for with both ids and copied at once', async () => {
      await authorise()
      douyin.files.set('p.png', picture)
      const customer = `_000c${++nth}`
      const message = douyin.note(customer, 'in', { message_type: 'user_local_image', file: 'p.png' })
      const ref = JSON.stringify({ conversation: douyin.conversationOf(customer), message: message.id })
      assert.deepEqual((await adapter.fetchFile?.(ref, inbox))?.bytes, picture)
      douyin.files.delete('p.png')
      assert.equal((await failure(adapter.fetchFile?.(ref, inbox))).retry, true)
    })

    test('what ails the account is no lost picture: it is asked for once the account is mended', async () => {
      const customer = `_000c${++nth}`
      const message = douyin.note(customer, 'in', { message_type: 'user_local_image', file: 'p.png' })
      const ref = JSON.stringify({ conversation: douyin.conversationOf(customer), message: message.id })
      const refused = async (code?: number) => {
        douyin.faults = code ? [{ path: '/api/im/message/resources', code }] : []
        const { reason, retry, retryAfterMs = 0, retryForMs = 0 } = await failure(adapter.fetchFile?.(ref, inbox))
        return [reason, retry, retryAfterMs >= 60_000, retryForMs / day]
      }
      assert.deepEqual(await refused(), ['unauthorised', true, true, 3])
      await authorise()
      for (const code of [2190001, 2190015, 28003095, 28029004]) assert.deepEqual(await refused(code), [`${code}`, true, true, 3])
      assert.deepEqual(await refused(28003018), ['28003018', true, false, 0])
      assert.deepEqual(await refused(28001038), ['28001038', false, false, 0])
    })
  })

  describe('tokens', () => {
    test('a token that was refused is refreshed once, by one of many', async () => {
      await authorise()
      const customer = await customerWrote()
      const live = douyin.operators.get(operator)
      if (live?.access) live.access.until = 0
      const before = douyin.calls.filter(({ path }) => path === '/oauth/refresh_token/').length
      await Promise.all([1, 2, 3, 4].map((n) => send(customer, [text(`${n}`)])))
      assert.equal(douyin.calls.filter(({ path }) => path === '/oauth/refresh_token/').length - before, 1)
    })

    test('refused with a fresh token too: the authorisation is over, and the inbox says so', async () => {
      await authorise()
      const customer = await customerWrote()
      douyin.faults = [{ path: '/im/send', code: 2190008, times: 2 }]
      const error = await failure(send(customer, [text('试')]))
      assert.equal(error.retry, false)
      assert.equal(fake.healths.at(-1)?.health.state, 'unauthorised')
      const again = await failure(send(customer, [text('试')]))
      assert.equal(again.reason, 'unauthorised')
      assert.match(again.sentence?.zh ?? '', /重新授权/)
    })

    test('revoked in the app: the refresh is refused, the inbox needs a new authorisation, which mends it', async () => {
      await authorise()
      const customer = await customerWrote()
      await douyin.revoke(operator, false)
      assert.equal((await failure(send(customer, [text('试')]))).reason, 'unauthorised')
      assert.ok((await account()).revokedAt)
      assert.equal(await authorise(), 'authorised')
      await send(customer, [text('好了')])
      assert.equal((await account()).revokedAt, null)
    })

    test('kept alive for half a year: five renewals, then the operator must come', async () => {
      await authorise()
      const renewals = () => douyin.calls.filter(({ path }) => path === '/oauth/renew_refresh_token/').length
      const before = renewals()
      const began = Date.now()
      const drift = douyin.now() - began
      // Both clocks go on together, day by day.
      const realNow = Date.now
      try {
        let ended = 0
        for (let days = 1; days <= 200 && ended === 0; days++) {
          Date.now = () => began + days * day
          await keepTokensAlive(fake.ctx)
          if ((await account()).revokedAt) ended = days
        }
        // Until the access token ends, too.
        assert.ok(ended > 175 && ended <= 195, `${ended} days`)
      } finally {
        Date.now = realNow
      }
      assert.equal(drift, douyin.now() - Date.now())
      assert.equal(renewals() - before, 5)
      assert.equal((await account()).renewals, 5)
      assert.equal(fake.healths.at(-1)?.health.state, 'unauthorised')
      // A week before, it was said.
      assert.ok(fake.healths.some(({ health }) => health.state === 'connected' && health.remedy?.zh.includes('重新授权')))
    })

    test('the refresh token ends, the access token does not: messages go on, and admins hear by which day they have to come', async () => {
      const notices: NoticeInput[] = []
      const over: string[] = []
      fake.ctx.notify = async (notice) => void notices.push(notice)
      fake.ctx.endNotice = async (kind) => void over.push(kind)
      const realNow = Date.now
      const began = Date.now()
      const keep = async (days: number) => {
        Date.now = () => began + days * day
        await keepTokensAlive(fake.ctx)
        return account()
      }
      const sends = async () => send(await customerWrote(undefined, new Date(Date.now())), [text('在的')])
      await authorise()
      const until = (await account()).accessUntil
      assert.deepEqual([notices, over], [[], ['finish', 'ending']])
      try {
        // The hub was away while the refresh token could be renewed; the platform says so before our own clock does.
        await fake.ctx.em().nativeUpdate(Account, { inboxId: inbox.id }, { refreshUntil: new Date(began + 2 * day) })
        const live = douyin.operators.get(operator)
        if (live?.refresh) live.refresh.until = began
        assert.equal((await keep(1)).revokedAt, null)
        await sends()
        const { health } = fake.healths.at(-1) ?? {}
        const last = new Intl.DateTimeFormat('zh-CN', { dateStyle: 'long', timeZone: 'Asia/Shanghai' }).format(until)
        assert.deepEqual([health?.state, health?.validUntil, health?.remedy?.zh.includes(last)], ['connected', until, true])
        const [notice] = notices
        assert.deepEqual([notice?.kind, notice?.key, notice?.title.zh], ['ending', inbox.id, `“${inbox.name}”的抖音授权将于${last}到期`])
        assert.match(`${notice?.body?.zh} ${notice?.body?.en}`, /重新授权.*Authorise again/)
        // The day before the access token ends it is not refreshed any more, and still good.
        const refreshes = () => douyin.calls.filter(({ path }) => path.startsWith('/oauth/re')).length
        const before = refreshes()
        assert.equal((await keep(14.5)).revokedAt, null)
        await sends()
        assert.deepEqual([refreshes() - before, over.length], [0, 2])
        assert.ok((await keep(15.1)).revokedAt)
        assert.deepEqual([fake.healths.at(-1)?.health.state, over.at(-1)], ['unauthorised', 'ending'])
        assert.equal((await failure(sends())).reason, 'unauthorised')
      } finally {
        Date.now = realNow
      }
    })

    test('a refresh token that is refused while the access token is refreshed in time is no end either', async () => {
      await authorise()
      const soon = new Date(Date.now() + day / 2)
      await fake.ctx.em().nativeUpdate(Account, { inboxId: inbox.id }, { accessUntil: soon })
      douyin.faults = [{ path: '/oauth/refresh_token', code: 10010, shape: 'data' }]
      await keepTokensAlive(fake.ctx)
      assert.equal((await account()).revokedAt, null)
      assert.deepEqual([fake.healths.at(-1)?.health.state, fake.healths.at(-1)?.health.validUntil], ['connected', soon])
      await send(await customerWrote(), [text('在的')])
      // Any other no is about the authorisation itself.
      await fake.ctx.em().nativeUpdate(Account, { inboxId: inbox.id }, { refreshUntil: new Date(Date.now() + 9 * day) })
      douyin.faults = [{ path: '/oauth/refresh_token', code: 10004, shape: 'data' }]
      await keepTokensAlive(fake.ctx)
      assert.ok((await account()).revokedAt)
    })

    test('the app’s token is shared and fetched anew when it is refused', async () => {
      await authorise()
      const customer = await customerWrote()
      await send(customer, [image])
      douyin.faults = [{ path: '/tool/imagex', code: 2190008 }]
      const before = douyin.calls.filter(({ path }) => path === '/oauth/client_token/').length
      await send(customer, [image])
      assert.equal(douyin.calls.filter(({ path }) => path === '/oauth/client_token/').length - before, 1)
    })

    test('tokens are sealed in the table', async () => {
      await authorise()
      const { accessToken, refreshToken } = await account()
      for (const sealed of [accessToken, refreshToken]) assert.ok(sealed.startsWith('sealed:') && !sealed.includes('act.') && !sealed.includes('rft.'))
    })
  })

  describe('the authorisation', () => {
    test('the state names the inbox, belongs to one browser, and ends', () => {
      const nonce = newNonce()
      const state = makeState(fake.ctx, inbox.id, nonce, 1_000)
      assert.equal(readState(fake.ctx, state, nonce, 2_000), inbox.id)
      assert.equal(readState(fake.ctx, state, newNonce(), 2_000), undefined)
      assert.equal(readState(fake.ctx, state, '', 2_000), undefined)
      assert.equal(readState(fake.ctx, state, nonce, 1_000 + 10 * 60_000), undefined)
      assert.equal(readState(fake.ctx, state.replace(inbox.id, 'j'.padEnd(26, '0')), nonce, 2_000), undefined)
      assert.equal(readState(fake.ctx, 'nonsense', nonce), undefined)
      const url = new URL(authoriseUrl(fake.ctx, inbox, state))
      assert.deepEqual([url.searchParams.get('redirect_uri'), url.searchParams.get('client_key')], ['https://hub.test/api/x/douyin/callback', douyin.clientKey])
    })

    test('an inbox stays with its account, an account with its inbox', async () => {
      assert.equal(await authorise(), 'authorised')
      const other = douyin.operator(`_000op${++nth}`).openId
      assert.equal(await authorise(other), 'other-account')
      assert.equal((await account()).openId, operator)
      const second = { ...inbox, id: 'j'.padEnd(26, '0') }
      assert.equal(await takeCode(fake.ctx, second, douyin.consent(operator)), 'account-in-use')
      assert.equal((await account()).openId, operator)
      // Switched off, the first holds nothing back.
      Object.assign(fake.ctx, { inbox: async () => undefined })
      assert.equal(await takeCode(fake.ctx, second, douyin.consent(operator)), 'authorised')
      assert.deepEqual(
        (await fake.ctx.em().find(Account, { openId: operator })).map(({ inboxId }) => inboxId),
        [second.id],
      )
    })

    test('a code that is wrong, a platform that is away', async () => {
      assert.equal(await takeCode(fake.ctx, inbox, 'nonsense'), 'refused')
      douyin.faults = [{ path: '/oauth/access_token', cut: true }]
      assert.equal(await authorise(), 'unreachable')
    })

    test('the connection test says what is wrong, in order', async () => {
      const failed = async () => (await adapter.probe?.(inbox))?.filter(({ ok }) => !ok).map(({ label }) => label.zh)
      assert.deepEqual(await failed(), ['抖音账号已授权', '已收到过带签名的推送'])
      await authorise()
      assert.deepEqual(await failed(), ['已收到过带签名的推送'])
      const wrong = { ...inbox, settings: { ...inbox.settings, clientSecret: 'wrong' } }
      const [, app] = (await adapter.probe?.(wrong)) ?? []
      assert.equal(app?.ok, false)
      assert.match(app?.detail?.zh ?? '', /10003/)
      assert.equal((await adapter.probe?.({ ...inbox, settings: { ...inbox.settings, clientKey: '' } }))?.[0]?.ok, false)
    })
  })

  describe('the webhook', () => {
    const sha1 = (secret: string, body: string) =>
      createHash('sha1')
        .update(secret + body)
        .digest('hex')
    const call = (body: string, headers: Record<string, string>, to = inbox) =>
      Promise.resolve(adapter.receive?.({ method: 'POST', url: '/', query: {}, headers, body: Buffer.from(body), ip: '127.0.0.1' }, to))
    const push = (content: object, from = 'c', to = operator, event = 'im_receive_msg') =>
      JSON.stringify({ event, client_key: douyin.clientKey, from_user_id: from, to_user_id: to, content })
    let message = ''
    beforeEach(() => {
      message = push({ conversation_short_id: '@c', server_message_id: '@1', create_time: Date.now(), message_type: 'text', text: '在吗' })
    })

    test('signed: taken, answered with small JSON; unsigned or wrong: refused', async () => {
      const result = await call(message, { 'x-douyin-signature': sha1(douyin.clientSecret, message), 'msg-id': 'm1' })
      assert.deepEqual([result?.events.length, result?.reply.body], [1, '{"code":0,"message":"success"}'])
      await assert.rejects(call(message, {}), { code: 'HUB_CHANNEL_UNVERIFIED' })
      await assert.rejects(call(message, { 'x-douyin-signature': sha1('wrong', message) }), { code: 'HUB_CHANNEL_UNVERIFIED' })
    })

    test('a mini-program’s key of its own signs instead', async () => {
      const program = { ...inbox, settings: { ...inbox.settings, webhookSecret: 'webhook-key' } }
      await assert.rejects(call(message, { 'x-douyin-signature': sha1(douyin.clientSecret, message) }, program), { code: 'HUB_CHANNEL_UNVERIFIED' })
      assert.equal((await call(message, { 'x-douyin-signature': sha1('webhook-key', message) }, program))?.events.length, 1)
    })

    test('the trial of the address passes unsigned until the first signed push, with a wrong signature never', async () => {
      const trial = '{"event":"verify_webhook","client_key":"","content":{"challenge":12345}}'
      assert.equal((await call(trial, {}))?.reply.body, '{"challenge":12345}')
      await assert.rejects(call(trial, { 'x-douyin-signature': sha1('wrong', trial) }), { code: 'HUB_CHANNEL_UNVERIFIED' })
      assert.equal((await call(trial, { 'x-douyin-signature': sha1(douyin.clientSecret, trial) }))?.reply.body, '{"challenge":12345}')
      await assert.rejects(call(trial, {}), { code: 'HUB_CHANNEL_UNVERIFIED' })
    })

    test('one address serves all accounts of the app: each push goes to its account’s inbox', async () => {
      await authorise()
      const second = { ...inbox, id: 'j'.padEnd(26, '0') }
      const otherOperator = douyin.operator(`_000op${++nth}`).openId
      assert.equal(await takeCode(fake.ctx, second, douyin.consent(otherOperator)), 'authorised')
      const body = push({ conversation_short_id: '@c', server_message_id: '@2', message_type: 'text', text: '给另一个账号' }, 'c', otherOperator)
      const result = await call(body, { 'x-douyin-signature': sha1(douyin.clientSecret, body) })
      assert.deepEqual(result?.events, [])
      assert.deepEqual(
        fake.accepted.map(({ inboxId }) => inboxId),
        [second.id],
      )
      assert.equal(await fake.ctx.em().count(Peer, { inboxId: second.id, openId: 'c' }), 1)
    })

    test('an inbox that was given another app holds no account of the old one: neither its pushes nor its authorisation', async () => {
      const second = { ...inbox, id: 'j'.padEnd(26, '0') }
      const third = { ...inbox, id: 'k'.padEnd(26, '0') }
      const other = douyin.operator(`_000op${++nth}`).openId
      await authorise()
      assert.equal(await takeCode(fake.ctx, second, douyin.consent(other)), 'authorised')
      const moved = { ...second, settings: { ...second.settings, clientKey: 'another' } }
      fake.ctx.inbox = async (id) => ({ [inbox.id]: inbox, [second.id]: moved, [third.id]: third })[id]
      const body = push({ conversation_short_id: '@c', server_message_id: '@7', create_time: Date.now(), message_type: 'text', text: '在吗' }, 'c7', other)
      assert.deepEqual((await call(body, { 'x-douyin-signature': sha1(douyin.clientSecret, body), 'msg-id': 'm7' }))?.events, [])
      assert.deepEqual([fake.accepted, fake.enqueued.length], [[], 1])
      assert.equal(await takeCode(fake.ctx, third, douyin.consent(other)), 'authorised')
      await bringStray(fake.enqueued[0]?.data, fake.ctx)
      assert.deepEqual(
        fake.accepted.map(({ inboxId }) => inboxId),
        [third.id],
      )
    })

    test('a push for an account without an inbox waits for one: it is nobody else’s to see or answer', async (t) => {
      await authorise()
      const stranger = douyin.operator(`_000op${++nth}`).openId
      const body = push(
        { conversation_short_id: '@c', server_message_id: '@9', create_time: Date.now(), message_type: 'text', text: '给别的店' },
        'c9',
        stranger,
      )
      const told: string[] = []
      t.mock.method(fake.ctx, 'notify', async ({ kind, body }: NoticeInput) => void told.push(`${kind} ${body?.zh.includes(stranger)}`))
      const result = await call(body, { 'x-douyin-signature': sha1(douyin.clientSecret, body), 'msg-id': 'm9' })
      assert.deepEqual([result?.events, result?.reply.body], [[], '{"code":0,"message":"success"}'])
      const run = () => bringStray(fake.enqueued.at(-1)?.data, fake.ctx)
      await run()
      assert.deepEqual(
        [told, fake.accepted.length, await fake.ctx.em().count(Peer, { openId: 'c9' }), fake.enqueued.map(({ job, options }) => [job, options?.delayMs])],
        [
          ['stray true'],
          0,
          0,
          [
            ['stray', undefined],
            ['stray', 3_600_000],
          ],
        ],
      )
      const second = { ...inbox, id: 'j'.padEnd(26, '0') }
      assert.equal(await takeCode(fake.ctx, second, douyin.consent(stranger)), 'authorised')
      const ended = t.mock.method(fake.ctx, 'endNotice')
      await run()
      assert.deepEqual(
        fake.accepted.map(({ inboxId, event }) => [inboxId, event.externalId]),
        [[second.id, '@9']],
      )
      assert.equal(await fake.ctx.em().count(Peer, { inboxId: second.id, openId: 'c9' }), 1)
      assert.equal(ended.mock.callCount(), 1)
    })

    test('so does a recall, of which nobody is told whose account it is about', async (t) => {
      await authorise()
      const stranger = douyin.operator(`_000op${++nth}`).openId
      const body = push({ conversation_short_id: '@c', server_message_id: '@11' }, stranger, 'c11', 'im_recall_msg')
      const notified = t.mock.method(fake.ctx, 'notify')
      await call(body, { 'x-douyin-signature': sha1(douyin.clientSecret, body) })
      await bringStray(fake.enqueued.at(-1)?.data, fake.ctx)
      assert.deepEqual([notified.mock.callCount(), fake.accepted.length], [0, 0])
      assert.equal(await takeCode(fake.ctx, { ...inbox, id: 'j'.padEnd(26, '0') }, douyin.consent(stranger)), 'authorised')
      await bringStray(fake.enqueued.at(-1)?.data, fake.ctx)
      assert.deepEqual(
        fake.accepted.map(({ event }) => [event.kind, event.from.externalId, event.kind === 'recall' && event.by]),
        [['recall', 'c11', 'agent']],
      )
    })

    test('of an account that nobody gives an inbox a push is kept for seven days', async (t) => {
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
      await authorise()
      const body = push({ server_message_id: '@10', message_type: 'text', text: '还是给别的店' }, 'c', '_000nobody')
      await call(body, { 'x-douyin-signature': sha1(douyin.clientSecret, body) })
      const { data } = fake.enqueued.at(-1) ?? {}
      t.mock.timers.tick(7 * day - 1)
      await bringStray(data, fake.ctx)
      assert.equal(fake.enqueued.length, 2)
      t.mock.timers.tick(1)
      await bringStray(data, fake.ctx)
      assert.equal(fake.enqueued.length, 2)
    })

    test('an inbox that is not authorised yet takes what comes to its address', async () => {
      assert.equal((await call(message, { 'x-douyin-signature': sha1(douyin.clientSecret, message) }))?.events.length, 1)
    })

    test('what the hub will not have of another account is answered all the same; what it could not take is not', async (t) => {
      await authorise()
      const second = { ...inbox, id: 'j'.padEnd(26, '0') }
      const otherOperator = douyin.operator(`_000op${++nth}`).openId
      assert.equal(await takeCode(fake.ctx, second, douyin.consent(otherOperator)), 'authorised')
      const body = push({ conversation_short_id: '@c', server_message_id: '@3', message_type: 'text', text: '收得到吗' }, 'c', otherOperator)
      const refusedWith = (code: HubErrorCode) => {
        t.mock.method(fake.ctx, 'accept', async () => {
          throw new HubError(code, 'of the test')
        })
        return call(body, { 'x-douyin-signature': sha1(douyin.clientSecret, body) })
      }
      for (const code of ['HUB_IDENTITY_BLOCKED', 'HUB_MESSAGE_REFUSED', 'HUB_CHANNEL_DISABLED'] as const)
        assert.equal((await refusedWith(code))?.reply.body, '{"code":0,"message":"success"}', code)
      await assert.rejects(refusedWith('HUB_UNAVAILABLE'), { code: 'HUB_UNAVAILABLE' })
    })

    test('unauthorize of this account only: the inbox needs a new authorisation', async () => {
      await authorise()
      const told = async (openId: string) => {
        const body = push({}, openId, '', 'unauthorize')
        await call(body, { 'x-douyin-signature': sha1(douyin.clientSecret, body) })
        return (await account()).revokedAt !== null
      }
      assert.equal(await told('somebody-else'), false)
      assert.equal(await told(operator), true)
      assert.equal(fake.healths.at(-1)?.health.state, 'unauthorised')
    })

    test('an unauthorize that comes late, or again, does not end the authorisation that was given after it', async () => {
      await authorise()
      const hourAgo = new Date(Date.now() - 3_600_000)
      await fake.ctx.em().nativeUpdate(Account, { inboxId: inbox.id }, { authorisedAt: hourAgo })
      const told = async (id: string, content: object = {}) => {
        const body = push(content, operator, '', 'unauthorize')
        await call(body, { 'x-douyin-signature': sha1(douyin.clientSecret, body), 'msg-id': id })
        return (await account()).revokedAt !== null
      }
      assert.equal(await told('late', { create_time: hourAgo.getTime() - 60_000 }), false)
      // Without a time of its own it is one of now; a repeat is one of then.
      assert.equal(await told('once'), true)
      await authorise()
      await fake.ctx.em().nativeUpdate(Account, { inboxId: inbox.id }, { authorisedAt: new Date(Date.now() + 1_000) })
      assert.equal(await told('once'), false)
      await fake.ctx.em().nativeUpdate(Account, { inboxId: inbox.id }, { authorisedAt: hourAgo })
      assert.equal(await told('once'), true)
    })
  })
})
