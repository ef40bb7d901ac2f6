// The phones' page: draws what the platforms know, sends what a person does.
const words = {
  zh: {
    title: '客户的手机',
    subtitle: '在这里以客户的身份写，在工作台里回复。平台都是我们自己的模拟器，不是真的微信和抖音；平台的故障也可以按一下试试。',
    workbench: '打开工作台',
    theme: '深色 / 浅色',
    lang: 'English',
    send: '发送',
    faults: '平台故障',
    empty: '还没有消息',
    write: '以客户的身份写…',
    subject: '主题（留空则回复上一封）',
    down: '平台断线',
    isDown: '已断线',
    rotate: '令牌失效',
    again: '重复推送上一条',
    'use-up': '用完回复次数',
    lose: '应答丢失',
    image: '图片',
    voice: '语音',
    location: '位置',
    card: '商品卡片',
    follow: '关注',
    scan: '扫码',
    menu: '点菜单',
    enter: '进入会话',
    lead: '留资卡片',
    recall: '撤回上一条',
    'by-hand': '店主在抖音里回复',
    form: '提交表单',
    letter: '带附件发送',
    sending: '发送中…',
    refused: '平台没有得到汇客的应答',
    recalled: '已撤回',
    official: '微信公众号',
    mini: '微信小程序',
    douyin: '抖音',
    app: 'App',
    email: '邮件',
    website: '官网',
    lost: '和模拟器的连接断了，正在重试',
  },
  en: {
    title: 'Customers’ phones',
    subtitle:
      'Write here as a customer, answer in the workbench. The platforms are simulators of ours, not the real WeChat and Douyin; their faults are a button away.',
    workbench: 'Open the workbench',
    theme: 'Dark / light',
    lang: '中文',
    send: 'Send',
    faults: 'Faults of the platform',
    empty: 'Nothing yet',
    write: 'Write as a customer…',
    subject: 'Subject (empty: answer the last)',
    down: 'Platform away',
    isDown: 'Away',
    rotate: 'Token dead',
    again: 'Tell the last again',
    'use-up': 'No replies left',
    lose: 'Answer lost',
    image: 'Picture',
    voice: 'Voice',
    location: 'Place',
    card: 'Goods card',
    follow: 'Follow',
    scan: 'Scan',
    menu: 'Tap menu',
    enter: 'Enter chat',
    lead: 'Lead card',
    recall: 'Recall last',
    'by-hand': 'Shop answers in Douyin',
    form: 'Send form',
    letter: 'With attachment',
    sending: 'Sending…',
    refused: 'The hub gave the platform no answer',
    recalled: 'Recalled',
    official: 'WeChat official account',
    mini: 'WeChat mini-program',
    douyin: 'Douyin',
    app: 'App',
    email: 'Mail',
    website: 'Website',
    lost: 'The simulators do not answer; trying again',
  },
}
const deeds = {
  official: ['image', 'voice', 'location', 'card', 'follow', 'scan', 'menu'],
  mini: ['image', 'card', 'enter'],
  douyin: ['image', 'lead', 'enter', 'recall', 'by-hand'],
  app: ['image', 'form', 'enter', 'recall'],
  email: ['letter'],
}
const faults = {
  official: ['down', 'lose', 'again', 'rotate', 'use-up'],
  mini: ['down', 'lose', 'again', 'rotate', 'use-up'],
  douyin: ['down', 'lose', 'again', 'rotate', 'use-up'],
  app: ['down', 'lose', 'again'],
  email: ['down', 'lose', 'again'],
}

const asked = new URLSearchParams(location.search)
let lang = asked.get('lang') ?? localStorage.getItem('lang') ?? (navigator.language.startsWith('zh') ? 'zh' : 'en')
let theme = asked.get('theme') ?? localStorage.getItem('theme') ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')
const t = (key) => words[lang][key] ?? key
const el = (tag, fields = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), fields)
  node.append(...children)
  return node
}

/** A picture that tells itself apart from the last one. */
function picture(name) {
  const canvas = Object.assign(document.createElement('canvas'), { width: 360, height: 240 })
  const context = canvas.getContext('2d')
  const hue = Math.floor(Math.random() * 360)
  const sky = context.createLinearGradient(0, 0, 0, 240)
  sky.addColorStop(0, `hsl(${hue} 60% 82%)`)
  sky.addColorStop(1, `hsl(${(hue + 40) % 360} 55% 60%)`)
  context.fillStyle = sky
  context.fillRect(0, 0, 360, 240)
  context.fillStyle = `hsl(${hue} 35% 32%)`
  context.beginPath()
  context.ellipse(180, 150, 90, 56, 0, 0, Math.PI * 2)
  context.fill()
  context.font = '20px sans-serif'
  context.fillText(new Date().toLocaleTimeString(lang), 16, 34)
  return { name, type: 'image/png', base64: canvas.toDataURL('image/png').split(',')[1] }
}

async function act(id, deed) {
  const response = await fetch(`/do/${id}`, { method: 'POST', body: JSON.stringify(deed) })
  if (!response.ok) document.getElementById('problem').textContent = await response.text()
  await look()
}

function chip(id, what) {
  const button = el('button', { type: 'button', textContent: t(what) })
  button.dataset.do = what
  button.addEventListener('click', () => {
    const field = document.querySelector(`#${id} textarea`)
    const subject = document.querySelector(`#${id} input`)
    const file =
      what === 'image'
        ? picture('picture.png')
        : what === 'letter'
          ? { name: 'order-2026.txt', type: 'text/plain', base64: btoa('order 2026-0612\n') }
          : undefined
    const text = what === 'letter' || what === 'by-hand' ? field.value : ''
    if (text) field.value = ''
    const title = subject?.value ?? ''
    if (what === 'letter') subject.value = ''
    act(id, { do: what, text: text || (what === 'letter' ? '附件是我的订单。' : ''), subject: title, file })
  })
  return button
}

function phone(id) {
  const thread = el('div', { className: 'thread', tabIndex: 0 }, el('p', { className: 'empty', textContent: t('empty') }))
  thread.setAttribute('role', 'log')
  thread.setAttribute('aria-label', t(id))
  const field = el('textarea', { rows: id === 'email' ? 3 : 1, placeholder: t('write') })
  field.setAttribute('aria-label', `${t(id)} · ${t('write')}`)
  const subject = id === 'email' ? [el('input', { placeholder: t('subject'), ariaLabel: t('subject') })] : []
  const form = el(
    'form',
    {},
    el('div', { className: 'chips' }, ...deeds[id].map((what) => chip(id, what))),
    ...subject,
    el('div', { className: 'write' }, field, el('button', { className: 'send', textContent: t('send') })),
  )
  const say = () => {
    const text = field.value.trim()
    if (!text) return
    field.value = ''
    act(id, { do: 'text', text, subject: subject[0]?.value ?? '' })
    if (subject[0]) subject[0].value = ''
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    say()
  })
  field.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || id === 'email') return
    event.preventDefault()
    say()
  })
  const state = el('small')
  return el(
    'section',
    { id, className: 'phone', ariaLabel: t(id) },
    el('h2', {}, t(id), state),
    thread,
    form,
    el('details', {}, el('summary', { textContent: t('faults') }), el('div', { className: 'chips' }, ...faults[id].map((what) => chip(id, what)))),
  )
}

function bubble(id, line) {
  const text = line.from === 'platform' ? (line.text.split('|')[lang === 'zh' ? 0 : 1] ?? line.text) : line.text
  const node = el('div', { className: `bubble ${line.from} ${line.state ?? ''}` })
  node.dataset.kind = line.kind
  if (line.subject) node.append(el('b', { textContent: line.subject }))
  if (line.kind === 'image' && line.file) node.append(el('img', { src: `/file/${id}/${line.file}`, alt: text }))
  else node.append(line.kind === 'voice' ? `${t('voice')} ${text}` : text)
  if (['sending', 'refused', 'recalled'].includes(line.state)) node.append(el('span', { className: 'state', textContent: t(line.state) }))
  return node
}

const shown = new Map()
let knownHub = ''
async function look() {
  const problem = document.getElementById('problem')
  let state
  try {
    state = await (await fetch('/state')).json()
    if (problem.textContent === t('lost')) problem.textContent = ''
  } catch {
    problem.textContent = t('lost')
    return
  }
  document.getElementById('workbench').href = `${state.hub}/workbench`
  if (knownHub !== state.hub) {
    knownHub = state.hub
    build(state)
  }
  for (const { id, lines, down } of state.phones) {
    const section = document.getElementById(id)
    section.classList.toggle('down', down)
    section.querySelector('small').textContent = down ? t('isDown') : ''
    section.querySelector('[data-do=down]').ariaPressed = String(down)
    const key = JSON.stringify(lines)
    if (shown.get(id) === key) continue
    shown.set(id, key)
    const thread = section.querySelector('.thread')
    thread.replaceChildren(...(lines.length > 0 ? lines.map((line) => bubble(id, line)) : [el('p', { className: 'empty', textContent: t('empty') })]))
    thread.scrollTop = thread.scrollHeight
  }
}

function build(state) {
  shown.clear()
  document.documentElement.lang = lang === 'zh' ? 'zh-CN' : 'en'
  document.documentElement.dataset.theme = theme
  for (const node of document.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t)
  document.title = `${lang === 'zh' ? '汇客' : 'Huike'} · ${t('title')}`
  const website = el(
    'section',
    { id: 'website', className: 'phone', ariaLabel: t('website') },
    el('h2', {}, t('website')),
    el('iframe', { src: '/shop', title: t('website') }),
  )
  document.getElementById('phones').replaceChildren(...state.phones.map(({ id }) => phone(id)), website)
}

document.getElementById('lang').addEventListener('click', () => {
  lang = lang === 'zh' ? 'en' : 'zh'
  localStorage.setItem('lang', lang)
  knownHub = ''
  look()
})
document.getElementById('theme').addEventListener('click', () => {
  theme = theme === 'dark' ? 'light' : 'dark'
  localStorage.setItem('theme', theme)
  document.documentElement.dataset.theme = theme
})
await look()
setInterval(look, 700)
