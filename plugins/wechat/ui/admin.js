/** What an admin pastes into WeChat's console, beside the inbox's own settings. */
import { h } from '/ui/shared/vue.js'

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** Random letters and digits; a byte that would favour some of them is thrown again. */
function random(length) {
  let text = ''
  while (text.length < length)
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) if (byte < 248 && text.length < length) text += letters[byte % 62]
  return text
}

/** The last letter of a key carries four bits: one that has its spare bits clear. */
const newKey = () => random(42) + 'AEIMQUYcgkosw048'[crypto.getRandomValues(new Uint8Array(1))[0] % 16]

const Help = {
  props: { inbox: { type: Object, required: true } },
  data: () => ({ made: undefined, copied: '' }),
  computed: {
    callback() {
      return `${location.origin}/api/channels/wechat/${this.inbox.id}`
    },
    reachable() {
      return !location.port && !/^(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(location.hostname)
    },
  },
  methods: {
    async copy(name, event) {
      const field = event.currentTarget.previousElementSibling
      try {
        await navigator.clipboard.writeText(field.value)
        this.copied = name
      } catch {
        // No clipboard without HTTPS: the text is marked, the admin's own keys copy it.
        field.focus()
        field.select()
      }
    },
    value(name, text) {
      return h('label', { class: 'field', key: name }, [
        h('span', this.$t(`wechat.${name}`)),
        h('span', { style: 'display: flex; gap: var(--s2)' }, [
          h('input', {
            class: 'input',
            readonly: true,
            value: text,
            style: 'font-family: var(--mono); min-inline-size: 0',
            onFocus: (event) => event.target.select(),
          }),
          h(
            'button',
            {
              class: 'button',
              type: 'button',
              'aria-label': `${this.$t('wechat.copy')} ${this.$t(`wechat.${name}`)}`,
              onClick: (event) => this.copy(name, event),
            },
            this.$t(this.copied === name ? 'wechat.copied' : 'wechat.copy'),
          ),
        ]),
      ])
    },
  },
  render() {
    if (this.inbox.channel !== 'wechat') return null
    const mini = this.inbox.settings.kind === 'mini'
    const warning = (name) => h('p', { class: 'fault', style: 'color: var(--warn); background: var(--warn-soft)', key: name }, this.$t(`wechat.${name}`))
    return h(
      'section',
      {
        'aria-labelledby': 'wechat-help',
        style: 'display: grid; gap: var(--s3); padding-block-start: var(--s4); border-block-start: var(--line) solid var(--line-color)',
      },
      [
        h('h2', { id: 'wechat-help', style: 'font-size: var(--text-l)' }, this.$t('wechat.title')),
        this.reachable ? null : warning('unreachable'),
        this.inbox.settings.mode === 'plain' ? warning('plain') : null,
        this.value('callback', this.callback),
        ...(this.made ? [this.value('token', this.made.token), this.value('key', this.made.key)] : []),
        h('div', [
          h(
            'button',
            {
              class: 'button',
              type: 'button',
              onClick: () => {
                this.made = { token: random(32), key: newKey() }
                this.copied = ''
              },
            },
            this.$t(this.made ? 'wechat.makeAgain' : 'wechat.make'),
          ),
        ]),
        h(
          'ol',
          { class: 'muted', style: 'margin: 0; padding-inline-start: var(--s5); display: grid; gap: var(--s1)' },
          ['stepSettings', 'stepSave', mini ? 'stepConsoleMini' : 'stepConsole', 'stepAddress', 'stepTest'].map((step) =>
            h('li', { key: step }, this.$t(`wechat.${step}`)),
          ),
        ),
      ],
    )
  },
}

const zh = {
  title: '接入微信',
  callback: '服务器地址（URL）',
  token: 'Token（令牌）',
  key: 'EncodingAESKey',
  copy: '复制',
  copied: '已复制',
  make: '生成 Token 和 EncodingAESKey',
  makeAgain: '重新生成',
  unreachable: '微信只能访问公网域名的 80 或 443 端口。请用公网域名打开本页，再复制服务器地址。',
  plain: '明文模式下，推送内容既可能被偷看，也可能被伪造。建议改用安全模式。',
  stepSettings: '把 AppID、AppSecret、Token 和 EncodingAESKey 填进上面的表单。',
  stepSave: '先在这里保存，再去微信后台提交：微信会立刻来验证服务器地址。',
  stepConsole: '在公众平台「设置与开发 › 基本配置 › 服务器配置」填写同样的内容，加解密方式与上面一致，然后启用。',
  stepConsoleMini: '在小程序后台「开发管理 › 消息推送」填写同样的内容，加解密方式与上面一致，数据格式选 JSON 或 XML 都可以。',
  stepAddress: '把本服务器的出口 IP 加进微信后台的「IP 白名单」，否则取不到凭据。',
  stepTest: '回到这里做一次连接测试，再用自己的微信给账号发一条消息。',
}
const en = {
  title: 'Connect WeChat',
  callback: 'Server address (URL)',
  token: 'Token',
  key: 'EncodingAESKey',
  copy: 'Copy',
  copied: 'Copied',
  make: 'Make a Token and EncodingAESKey',
  makeAgain: 'Make new ones',
  unreachable: 'WeChat reaches ports 80 and 443 of public names only. Open this page by the public name before you copy the address.',
  plain: 'In plain mode pushes can be read and forged on their way. Safe mode is better.',
  stepSettings: 'Put the AppID, AppSecret, Token and EncodingAESKey into the form above.',
  stepSave: 'Save here first, then submit in WeChat’s console: it checks the address at once.',
  stepConsole: 'In the console, “Settings › Basic configuration › Server”, give the same values and the same encryption mode, then enable it.',
  stepConsoleMini: 'In the mini-program’s console, “Development › Message push”, give the same values and the same encryption mode; JSON and XML both work.',
  stepAddress: 'Add this server’s outgoing address to the IP allow-list in the console; without it there is no token.',
  stepTest: 'Come back and test the connection, then write to the account from your own WeChat.',
}

export default { slots: [{ slot: 'inbox.settings', id: 'help', component: Help, permission: 'inbox.manage' }], locales: { zh, en } }
