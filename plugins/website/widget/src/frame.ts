/** The window: plain DOM over a {@link Thread}. */
import './frame.css'
import type { MessagePart } from '../../../../core/sdk/message-parts.ts'
import type { CustomerMessage } from '../../../../core/sdk/wire/customer.ts'
import type { ToFrame, ToLoader } from './bridge.ts'
import { Thread, type Waiting } from './thread.ts'
import { type Words, wordsFor } from './words.ts'

const inbox = location.pathname.split('/').pop() ?? ''
const tellLoader = (message: ToLoader) => parent.postMessage(message, '*')

type Child = Node | string | false | null | undefined
/** An element with properties and children. */
function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Record<string, unknown> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag)
  for (const name of Object.keys(props)) {
    const value = props[name]
    if (name.startsWith('on') || name in el) (el as unknown as Record<string, unknown>)[name] = value
    else if (value !== undefined && value !== false) el.setAttribute(name, String(value))
  }
  for (const child of children) if (child) el.append(child)
  return el
}
const icons = {
  send: 'M3 12 21 4l-7 17-3-7-8-2Z',
  attach: 'M8 12.500 14.500 6a3 3 0 0 1 4.500 4.500l-8 8a5 5 0 0 1-7-7l7.500-7.500',
  emoji: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM9 10h.01M15 10h.01M8.500 14.500c1.800 2 5.200 2 7 0',
  voice: 'M12 15a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v6a3 3 0 0 0 3 3Zm-6-4a6 6 0 0 0 12 0M12 17v4',
  hide: 'm6 9 6 6 6-6',
  end: 'M6 6l12 12M18 6 6 18',
} as const
function icon(name: keyof typeof icons): SVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  for (const [key, value] of [
    ['viewBox', '0 0 24 24'],
    ['width', '22'],
    ['height', '22'],
    ['fill', 'none'],
    ['stroke', 'currentColor'],
    ['stroke-width', '1.7'],
    ['stroke-linecap', 'round'],
    ['stroke-linejoin', 'round'],
    ['aria-hidden', 'true'],
  ] as const)
    svg.setAttribute(key, value)
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  path.setAttribute('d', icons[name])
  svg.append(path)
  return svg
}

interface Site {
  color: string
  title: string
  greeting: string
  offlineText: string
}
const emojis = '😀 😁 😂 😊 🙂 😉 😍 😘 🤗 🤔 🤝 👍 👎 👌 🙏 👏 💪 ❤️ 🌹 🎉 😅 😢 😭 😡 🙋 ✅ ❌ ❓'.split(' ')

function main(init: Extract<ToFrame, { huike: 'init' }>, site: Site): void {
  const w: Words = wordsFor(init.locale)
  document.documentElement.lang = w.send === 'Send' ? 'en' : 'zh-CN'
  document.title = site.title
  document.documentElement.style.setProperty('--accent', site.color)
  let open = init.open
  let unread = 0
  let typing = false
  let refused = false
  let rated = ''
  let typingTimer = 0
  const left = { name: '', address: '' }

  const heading = h('h1', {}, site.title)
  const status = h('p', { className: 'status' })
  const log = h('div', { className: 'log', role: 'log', tabIndex: 0, 'aria-label': w.thread })
  const notice = h('p', { className: 'notice', role: 'status', hidden: true })
  const field = h('textarea', { rows: 1, placeholder: w.placeholder, 'aria-label': w.placeholder, maxLength: 5_000, 'data-testid': 'visitor-input' })
  const picker = h('input', { type: 'file', hidden: true, multiple: true })
  const emojiBox = h('div', { className: 'emojis', hidden: true })
  const footer = h('footer', {})
  const tool = (name: keyof typeof icons, label: string, onclick: () => void) =>
    h('button', { type: 'button', className: 'tool', 'aria-label': label, title: label, onclick }, icon(name))
  const voiceButton = tool('voice', w.voice, () => void record())

  const thread = new Thread(inbox, {
    changed: render,
    arrived() {
      if (!open || document.hidden) {
        unread++
        tellLoader({ huike: 'unread', count: unread })
        chime()
      }
    },
    typing(active) {
      typing = active
      clearTimeout(typingTimer)
      if (active)
        typingTimer = setTimeout(() => {
          typing = false
          render()
        }, 8_000)
      render()
    },
    refused() {
      refused = true
      render()
    },
    spoke: (token) => tellLoader({ huike: 'token', token }),
  })

  function partNode(part: MessagePart): Child {
    switch (part.type) {
      case 'text':
        return h(
          'p',
          { className: 'text' },
          ...part.text
            .split(/(https?:\/\/[^\s<>"'，。！？、）)]+)/g)
            .map((piece, i) => (i % 2 ? h('a', { href: piece, target: '_blank', rel: 'noopener noreferrer' }, piece) : piece)),
        )
      case 'image':
        return h(
          'a',
          { href: thread.fileUrl(part.fileId), target: '_blank', rel: 'noopener' },
          h('img', {
            src: thread.fileUrl(part.fileId, true),
            alt: part.name || w.picture,
            width: part.width ?? 200,
            height: part.height ?? 150,
            loading: 'lazy',
          }),
        )
      case 'audio':
        return h('audio', { controls: true, preload: 'none', src: thread.fileUrl(part.fileId), 'aria-label': w.audio })
      case 'video':
        return h('video', { controls: true, preload: 'metadata', src: thread.fileUrl(part.fileId) })
      case 'file':
        return h('a', { className: 'file', href: thread.fileUrl(part.fileId), target: '_blank', rel: 'noopener' }, `📄 ${part.name}`)
      case 'link':
        return h('a', { href: part.url, target: '_blank', rel: 'noopener noreferrer' }, part.title ?? part.url)
      default:
        return h('p', { className: 'text' }, w.unsupported)
    }
  }
  const clock = (at: string) => new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false })

  function messageNode(m: CustomerMessage): Child {
    if (m.from === 'system') return m.parts.some((p) => p.type === 'event' && p.name === 'conversation.closed') && h('p', { className: 'line' }, w.closed)
    const mine = m.from === 'me'
    const read = mine && thread.conversation && m.conversationId === thread.conversation.id && m.seq <= thread.conversation.agentReadSeq
    return h(
      'div',
      { className: mine ? 'message mine' : 'message', 'data-testid': 'visitor-message' },
      h('span', { className: 'meta' }, `${mine ? '' : `${m.name || w.agent}  `}${clock(m.at)}${mine ? `  ${read ? w.read : w.sent}` : ''}`),
      h('div', { className: 'bubble' }, ...(m.recalled ? [h('p', { className: 'gone' }, mine ? w.recalledMine : w.recalled)] : m.parts.map(partNode))),
    )
  }
  function waitingNode(message: Waiting): Node {
    const label = message.failed ? w.failed : navigator.onLine ? w.sending : w.waitingLine
    return h(
      'div',
      { className: 'message mine waiting' },
      message.failed ? h('button', { type: 'button', className: 'meta retry', onclick: () => thread.retry() }, label) : h('span', { className: 'meta' }, label),
      h('div', { className: 'bubble' }, ...message.parts.map(partNode)),
    )
  }
  function ratingNode(): Child {
    const c = thread.conversation
    if (c?.status !== 'closed') return null
    if (c.rating || rated === c.id) return h('p', { className: 'line' }, w.thanks)
    const comment = h('textarea', { rows: 2, placeholder: w.comment, 'aria-label': w.comment, maxLength: 500 })
    const rate = (value: 1 | 2 | 3) => async () => {
      rated = c.id
      await thread.rate(value, comment.value).catch(() => {
        rated = ''
      })
      render()
    }
    return h(
      'div',
      { className: 'rating', role: 'group', 'aria-label': w.rate },
      h('p', {}, w.rate),
      comment,
      h(
        'div',
        { className: 'faces' },
        ...(
          [
            [1, '🙂', w.good],
            [2, '😐', w.medium],
            [3, '🙁', w.bad],
          ] as const
        ).map(([value, face, label]) => h('button', { type: 'button', onclick: rate(value) }, `${face} ${label}`)),
      ),
    )
  }

  let drawn = ''
  function render(): void {
    const spoken = thread.messages.length + thread.waiting.length > 0
    status.textContent = thread.conversation?.agentName || (thread.conversation?.status === 'queued' ? w.waiting : thread.attended ? w.online : w.away)
    status.dataset.on = String(thread.attended)
    const key = JSON.stringify([
      thread.messages.map((m) => [m.id, m.rev]),
      thread.waiting,
      thread.conversation,
      typing,
      refused,
      rated,
      navigator.onLine,
      thread.more,
    ])
    if (key !== drawn) {
      drawn = key
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80
      const greeting = h(
        'div',
        { className: 'message' },
        h('div', { className: 'bubble' }, h('p', { className: 'text' }, !thread.attended && !spoken ? site.offlineText : site.greeting)),
      )
      log.replaceChildren(
        ...([
          thread.more && h('button', { type: 'button', className: 'more', onclick: () => void thread.older() }, w.history),
          !thread.more && greeting,
          ...thread.messages.map(messageNode),
          ...thread.waiting.map(waitingNode),
          ratingNode(),
          typing && h('p', { className: 'line' }, w.typing),
        ].filter(Boolean) as Node[]),
      )
      if (atEnd || thread.waiting.length > 0) log.scrollTop = log.scrollHeight
    }
    footer.hidden = refused
    form.hidden = thread.attended || spoken
    notice.hidden = !refused
    if (refused) notice.textContent = w.blocked
    endButton.hidden = !thread.conversation || thread.conversation.status === 'closed'
    if (open && !document.hidden) thread.seen()
  }

  function send(): void {
    const text = field.value.trim()
    if (!text) return
    const contact = !form.hidden && (left.name || left.address) ? { ...left } : undefined
    thread.send([{ type: 'text', text }], contact)
    field.value = ''
    thread.typing(null)
    grow()
    field.focus()
  }
  async function sendFiles(files: Iterable<File>): Promise<void> {
    for (const file of Array.from(files)) {
      if (file.size > 20 * 1024 * 1024) {
        say(w.tooLarge)
        continue
      }
      try {
        thread.send([await thread.upload(file, file.name || 'image.png', false)])
      } catch {
        say(w.badFile)
      }
    }
  }
  let recorder: MediaRecorder | undefined
  async function record(): Promise<void> {
    if (recorder) {
      recorder.stop()
      return
    }
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true })
      const started = Date.now()
      const chunks: Blob[] = []
      recorder = new MediaRecorder(stream)
      recorder.ondataavailable = (event) => void chunks.push(event.data)
      recorder.onstop = async () => {
        for (const track of stream.getTracks()) track.stop()
        voiceButton.dataset.on = 'false'
        recorder = undefined
        const part = await thread.upload(new Blob(chunks, { type: chunks[0]?.type ?? 'audio/webm' }), 'voice.webm', true).catch(() => undefined)
        if (part) thread.send([part.type === 'audio' ? { ...part, durationMs: Date.now() - started } : part])
        else say(w.badFile)
      }
      recorder.start()
      voiceButton.dataset.on = 'true'
      voiceButton.setAttribute('aria-label', w.stopVoice)
    } catch {
      voiceButton.hidden = true
    }
  }
  function say(text: string): void {
    notice.textContent = text
    notice.hidden = false
    setTimeout(() => {
      notice.hidden = !refused
    }, 4_000)
  }
  function grow(): void {
    field.style.height = 'auto'
    field.style.height = `${Math.min(field.scrollHeight, 120)}px`
  }
  let context: AudioContext | undefined
  function chime(): void {
    try {
      context = context ?? new AudioContext()
      const tone = context.createOscillator()
      const volume = context.createGain()
      volume.gain.value = 0.05
      tone.frequency.value = 740
      tone.connect(volume).connect(context.destination)
      tone.start()
      tone.stop(context.currentTime + 0.15)
    } catch {
      // A browser that has not been touched yet makes no sound.
    }
  }

  let typed = 0
  field.oninput = () => {
    grow()
    if (Date.now() - typed > 700) {
      typed = Date.now()
      setTimeout(() => thread.typing(field.value || null), 700)
    }
  }
  field.onkeydown = (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return
    event.preventDefault()
    send()
  }
  field.onpaste = (event) => {
    const files = event.clipboardData?.files
    if (files && files.length > 0) {
      event.preventDefault()
      void sendFiles(Array.from(files))
    }
  }
  picker.onchange = () => {
    void sendFiles(Array.from(picker.files ?? []))
    picker.value = ''
  }
  for (const e of emojis)
    emojiBox.append(
      h(
        'button',
        {
          type: 'button',
          onclick: () => {
            field.value += e
            emojiBox.hidden = true
            field.focus()
          },
        },
        e,
      ),
    )
  document.ondragover = (event) => event.preventDefault()
  document.ondrop = (event) => {
    event.preventDefault()
    void sendFiles(Array.from(event.dataTransfer?.files ?? []))
  }

  const form = h(
    'div',
    { className: 'form', hidden: true },
    h('input', {
      placeholder: w.name,
      'aria-label': w.name,
      maxLength: 60,
      autocomplete: 'name',
      oninput: (event: Event) => {
        left.name = (event.target as HTMLInputElement).value
      },
    }),
    h('input', {
      placeholder: w.address,
      'aria-label': w.address,
      maxLength: 190,
      autocomplete: 'email',
      oninput: (event: Event) => {
        left.address = (event.target as HTMLInputElement).value
      },
    }),
  )
  const ask = h('dialog', { className: 'ask', 'aria-label': w.endAsk })
  ask.append(
    h('p', {}, w.endAsk),
    h(
      'button',
      {
        type: 'button',
        onclick: () => {
          ask.close()
          void thread.close()
        },
      },
      w.yes,
    ),
    h('button', { type: 'button', className: 'quiet', onclick: () => ask.close() }, w.no),
  )
  const endButton = tool('end', w.end, () => (ask.showModal ? ask.showModal() : void thread.close()))
  endButton.hidden = true
  footer.append(
    form,
    emojiBox,
    field,
    h(
      'div',
      { className: 'bar' },
      tool('emoji', w.emoji, () => {
        emojiBox.hidden = !emojiBox.hidden
      }),
      tool('attach', w.attach, () => picker.click()),
      voiceButton,
      h('span', { className: 'grow' }),
      h('button', { type: 'button', className: 'send', 'aria-label': w.send, onclick: send }, icon('send')),
    ),
    picker,
  )
  voiceButton.hidden = typeof MediaRecorder === 'undefined'
  const root = document.getElementById('chat') as HTMLElement
  root.append(
    h(
      'header',
      {},
      h('div', { className: 'who' }, heading, status),
      endButton,
      tool('hide', w.hide, () => tellLoader({ huike: 'hide' })),
    ),
    log,
    notice,
    footer,
    ask,
  )

  addEventListener('message', (event: MessageEvent) => {
    if (event.source !== parent) return
    if (preview && event.origin === location.origin) {
      Object.assign(site, (event.data as { preview?: Partial<Site> }).preview)
      heading.textContent = site.title
      document.documentElement.style.setProperty('--accent', site.color)
      drawn = ''
      render()
      return
    }
    const message = event.data as ToFrame
    if (message.huike === 'open') {
      open = true
      unread = 0
      tellLoader({ huike: 'unread', count: 0 })
      render()
      log.scrollTop = log.scrollHeight
      field.focus()
    } else if (message.huike === 'hide') open = false
    else if (message.huike === 'identify') location.reload()
  })
  document.addEventListener('visibilitychange', render)
  addEventListener('keydown', (event) => event.key === 'Escape' && !event.isComposing && !ask.open && tellLoader({ huike: 'hide' }))
  thread.start(init.token, init.identity, init.visitId).catch((error: Error) => {
    if (error.message.startsWith('HUB_')) refused = true
    render()
  })
  render()
  if (open) field.focus()
}

// The loader answers once; a window opened by itself has no loader and starts alone.
let started = false
async function begin(init: Extract<ToFrame, { huike: 'init' }>): Promise<void> {
  if (started) return
  started = true
  const response = await fetch(`/api/x/website/inboxes/${inbox}`).catch(() => undefined)
  if (!response?.ok) {
    started = false
    setTimeout(() => void begin(init), 3_000)
    return
  }
  const site = (await response.json()) as Site & { locale: string }
  main({ ...init, locale: init.locale || site.locale }, site)
}
addEventListener('message', (event: MessageEvent) => {
  const message = event.data as ToFrame
  if (event.source === parent && message.huike === 'init') void begin(message)
})
/** In the admin's preview there is no loader: the window starts alone, and follows the form as it is filled in. */
const preview = location.search === '?preview'
if (preview || parent === window) void begin({ huike: 'init', token: '', identity: '', visitId: '', locale: '', open: true })
else tellLoader({ huike: 'ready' })
