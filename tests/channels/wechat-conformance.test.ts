/** The suite every channel must pass, on WeChat in safe mode: an official account and a mini-program, which carry different things. */
import { createHash } from 'node:crypto'
import { after, before } from 'node:test'
import { channelConformance, type Failure, type Said } from '../../core/sdk/conformance.ts'
import { sealText, type WechatAccount, WechatServer } from '../../core/sdk/testing.ts'
import wechat from '../../plugins/wechat/plugin.ts'

const server = new WechatServer()
before(() => server.start())
after(() => server.stop())

const sendPath = '/cgi-bin/message/custom/send'
const faults = { retry: { errcode: -1 }, never: { errcode: 45002 }, unknown: { status: 502 } } as const

/** The suite names messages in letters; WeChat in digits. */
const msgIdOf = (id: string) => BigInt(`0x${createHash('sha256').update(id).digest('hex').slice(0, 15)}`)
const fieldsOf = (account: WechatAccount, { id, from }: Said) => ({
  ToUserName: account.originalId,
  FromUserName: from,
  CreateTime: 1_780_000_000,
  MsgId: msgIdOf(id),
})
const post = ({ query, body, type }: { query: string; body: string; type: string }) => ({ path: `?${query}`, headers: { 'content-type': type }, body })

for (const kind of ['official', 'mini'] as const) {
  const account = server.account({ kind, replies: 20 })
  await channelConformance({
    manifest: wechat,
    settings: () => account.settings,
    brokenSettings: { token: 'abc', appId: 'wx0000000000', appSecret: 'x', mode: 'plain' },
    webhook: {
      text(said) {
        account.heard(account.person(said.from))
        // The hub's clock decides how long it may be answered.
        return post(account.seal({ ...fieldsOf(account, said), CreateTime: Math.floor(Date.now() / 1_000), MsgType: 'text', Content: said.text }))
      },
      forged: (said) => post(server.account().seal({ ...fieldsOf(account, said), MsgType: 'text', Content: said.text })),
      signed(body) {
        const Encrypt = sealText(body, account.aesKey, account.appId)
        return post(account.envelope(Encrypt))
      },
      unknown: (said) => post(account.seal({ ...fieldsOf(account, said), MsgType: 'hologram', Shape: said.text })),
    },
    platform: {
      sent: () => account.sent.map(({ touser, content }) => ({ to: touser, text: content.content })),
      fail(how: Failure | undefined) {
        server.mend()
        if (how) server.fail(sendPath, faults[how], Number.POSITIVE_INFINITY)
      },
      hold: () => server.hold(),
    },
  })
}
