import { h, onUnmounted, ref, watch } from '/ui/shared/vue.js'

/** Stands in an inbox's settings: the state of the OAuth authorisation and the button for it. */
const words = {
  zh: {
    title: 'OAuth 授权',
    none: '该邮箱还没有授权。',
    done: (at) => `已于 ${at} 授权。`,
    go: '去授权',
    again: '重新授权',
    need: '请先填写 OAuth 客户端 ID 与密钥并保存。',
    redirect: '在服务商的应用里登记的回调地址：',
    refused: '你没有授权邮箱的权限。',
    failed: '暂时查不到授权状态，请稍后重试。',
    off: '该邮箱已停用，启用后才能授权。',
  },
  en: {
    title: 'OAuth authorisation',
    none: 'This mailbox has not been authorised.',
    done: (at) => `Authorised on ${at}.`,
    go: 'Authorise',
    again: 'Authorise again',
    need: 'Enter the OAuth client id and secret and save first.',
    redirect: 'Redirect address to register with the provider:',
    refused: 'You may not authorise mailboxes.',
    failed: 'The state cannot be read now; try again later.',
    off: 'This mailbox is switched off. Switch it on to authorise it.',
  },
}

const OAuth = {
  props: { inbox: { type: Object, default: undefined }, locale: { type: String, default: undefined } },
  setup(props) {
    const state = ref(undefined)
    const fault = ref('')
    const language = () => words[(props.locale ?? document.documentElement.lang ?? 'zh').startsWith('en') ? 'en' : 'zh']
    const off = () => props.inbox?.enabled === false
    async function look() {
      // What is switched off answers nothing.
      if (!props.inbox?.id || off() || (props.inbox.channel && props.inbox.channel !== 'email')) return
      const response = await fetch(`/api/x/email/inboxes/${props.inbox.id}/oauth`).catch(() => undefined)
      fault.value = response?.status === 403 ? 'refused' : response?.ok ? '' : 'failed'
      if (response?.ok) state.value = await response.json()
    }
    watch(off, look, { immediate: true })
    // Back from the provider's page in another tab.
    window.addEventListener('focus', look)
    onUnmounted(() => window.removeEventListener('focus', look))
    return () => {
      if (props.inbox?.channel && props.inbox.channel !== 'email') return null
      const t = language()
      if (off()) return props.inbox.settings?.login === 'oauth' ? h('p', { class: 'muted', role: 'status' }, t.off) : null
      if (fault.value) return h('p', { role: 'status' }, t[fault.value])
      const now = state.value
      // With a password there is nothing to authorise.
      if (!now?.available) return null
      return h('section', { 'aria-label': t.title }, [
        h('h3', t.title),
        h('p', now.authorisedAt ? t.done(new Date(now.authorisedAt).toLocaleString()) : t.none),
        now.url ? h('a', { href: now.url, target: '_blank', rel: 'noopener' }, now.authorisedAt ? t.again : t.go) : h('p', t.need),
        h('p', [t.redirect, ' ', h('code', now.redirectUri)]),
      ])
    }
  },
}

export default {
  slots: [
    { slot: 'inbox.settings', id: 'oauth', title: { zh: 'OAuth 授权', en: 'OAuth authorisation' }, component: OAuth, permission: 'email.mailbox.authorise' },
  ],
}
