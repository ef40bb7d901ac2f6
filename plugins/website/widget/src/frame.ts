/** The window: plain DOM over a {@link Thread}. */
import './frame.css'
import type { Init, Site, ToFrame, ToLoader } from './bridge.ts'
import { chime } from './chime.ts'
import { h, type IconName, icon, type Row, rows } from './dom.ts'
import { inkOn } from './ink.ts'
import type { Line } from './line.ts'
import { MessageView } from './message-view.ts'
import { canRecord, type Recording, recordVoice } from './record-voice.ts'
import { Thread } from './thread.ts'
import { sentenceOf, type Words, wordsFor } from './words.ts'

const { inbox, site, init } = (window as unknown as { huike: Line }).huike
const preview = location.search === '?preview'
const maxFileBytes = 20 * 1024 * 1024
const emojis = '😀 😁 😂 😊 🙂 😉 😍 😘 🤗 🤔 🤝 👍 👎 👌 🙏 👏 💪 ❤️ 🌹 🎉 😅 😢 😭 😡 🙋 ✅ ❌ ❓'.split(' ')
/** A finger, not a mouse: there is a camera, and a keyboard that covers half of the window. */
const touch = matchMedia('(pointer: coarse)').matches

function tellLoader(message: ToLoader): void {
  if (parent !== window && !preview) parent.postMessage(message, '*')
}

function main(init: Init, site: Site): void {
  const w: Words = wordsFor(site.locale)
  document.documentElement.lang = w.send === 'Send' ? 'en' : 'zh-CN'
  let open = init.open
  let unread = -1
  let typing = false
  let refused = ''
  let rated = ''
  let typingTimer = 0
  let keeps = init.keeps || preview || parent === window
  let leaving = false
  /** Went out with a form since somebody was there last: nobody is asked for the same again. */
  let gave = false
  const left = { name: '', address: '', subject: '' }

  const heading = h('h1', {})
  const status = h('p', { className: 'status', role: 'status' })
  const log = h('div', { className: 'log', role: 'log', tabIndex: 0, 'aria-label': w.thread })
  const notice = h('p', { className: 'notice', role: 'status', hidden: true })
  const field = h('textarea', { rows: 1, placeholder: w.placeholder, 'aria-label': w.placeholder, maxLength: 5_000, 'data-testid': 'visitor-input' })
  const picker = h('input', { type: 'file', hidden: true, multiple: true, 'data-testid': 'visitor-files' })
  const camera = h('input', { type: 'file', hidden: true, accept: 'image/*', 'data-testid': 'visitor-camera' })
  camera.setAttribute('capture', 'environment')
  const emojiBox = h('div', { className: 'emojis', hidden: true, role: 'group', 'aria-label': w.emoji })
  const footer = h('footer', {})
  const tool = (name: IconName, label: string, onclick: () => void) =>
    h('button', { type: 'button', className: 'tool', 'aria-label': label, title: label, onclick }, icon(name))
  const voiceButton = tool('voice', w.voice, () => void record())
  const voiceCancel = tool('close', w.cancelVoice, () => recording?.cancel())
  const emojiButton = tool('emoji', w.emoji, () => {
    emojiBox.hidden = !emojiBox.hidden
    emojiButton.setAttribute('aria-expanded', String(!emojiBox.hidden))
    if (!emojiBox.hidden) (emojiBox.firstChild as HTMLElement).focus()
  })
  emojiButton.setAttribute('aria-expanded', 'false')

  /** Waits for the page's word about its user. */
  let proven: ((identity: string) => void) | undefined
  const thread = new Thread(inbox, {
    changed: render,
    arrived({ id }) {
      if (!open || document.hidden) tellLoader({ huike: 'ring', id })
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
    refused(code) {
      refused = code
      render()
    },
    spoke(token) {
      init.token = token
      tellLoader({ huike: 'token', token })
    },
    wrote: (written) => tellLoader({ huike: 'written', written }),
    seen: (seen) => tellLoader({ huike: 'seen', seen }),
    expired: () =>
      new Promise((done) => {
        proven = done
        // A page that does not answer keeps nobody from talking.
        setTimeout(() => {
          if (proven === done) proven = undefined
          done('')
        }, 10_000)
        tellLoader({ huike: 'expired' })
      }),
  })

  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 80
  const toEnd = () => {
    log.scrollTop = log.scrollHeight
  }
  let following = true
  log.onscroll = () => {
    following = atEnd()
  }
  const view = new MessageView(thread, w, () => following && toEnd())
  const draw = rows(log)

  function ratingRow(): Row | false {
    const c = thread.conversation
    if (c?.status !== 'closed' || refused === 'HUB_IDENTITY_BLOCKED') return false
    if (c.rating || rated === c.id) return [`thanks ${c.id}`, () => h('p', { className: 'line' }, w.thanks)]
    return [`rate ${c.id}`, () => ratingNode(c.id)]
  }
  function ratingNode(conversationId: string): Node {
    const comment = h('textarea', { rows: 2, placeholder: w.comment, 'aria-label': w.comment, maxLength: 500 })
    const rate = (value: 1 | 2 | 3) => () => {
      thread.rate(value, comment.value).then(
        () => {
          rated = conversationId
          render()
        },
        () => say(w.notRated),
      )
    }
    const faces = [
      [1, '🙂', w.good],
      [2, '😐', w.medium],
      [3, '🙁', w.bad],
    ] as const
    return h(
      'div',
      { className: 'rating', role: 'group', 'aria-label': w.rate },
      h('p', {}, w.rate),
      comment,
      h('div', { className: 'faces' }, ...faces.map(([value, face, label]) => h('button', { type: 'button', onclick: rate(value) }, `${face} ${label}`))),
    )
  }

  /**
   * Routing passes a conversation on while nobody has it (row 2: to somebody busy, before a lead is lost), and never takes one
   * from who has it. So where they are away and others are there, both is true, and it says both.
   */
  function statusOf(running: Thread['conversation'], there: boolean, unanswered: boolean): string {
    if (!there) return unanswered ? w.later : w.away
    if (!running) return w.online
    if (running.status !== 'open') return w.waiting
    const name = running.agentName
    return running.agentPresent ? name || w.online : name ? w.othersOnline.replace('{name}', () => name) : w.online
  }

  function render(): void {
    const spoken = thread.messages.length + thread.waiting.length > 0
    const { conversation } = thread
    const { attended } = thread
    const running = conversation && conversation.status !== 'closed' ? conversation : null
    const there = attended || running?.agentPresent === true
    if (there) gave = false
    const unanswered = !there && running !== null && thread.asked()
    // What stands in the form goes out with it, whoever comes meanwhile.
    leaving = left.name !== '' || left.address !== '' || (!there && thread.waiting.length === 0 && !recording && !(unanswered && (gave || running?.reachable)))
    heading.textContent = document.title = site.title || w.title
    root.setAttribute('aria-label', document.title)
    status.textContent = statusOf(running, there, unanswered)
    status.setAttribute('data-on', String(there))
    const older = () => {
      const from = log.scrollHeight - log.scrollTop
      thread.older().then(
        () => {
          log.scrollTop = log.scrollHeight - from
        },
        () => say(w.offline),
      )
    }
    const away = !there && leaving && (site.offlineText || w.offlineText)
    const greeting = (!spoken && away) || site.greeting || w.greeting
    const ours = (text: string) => h('div', { className: 'message' }, h('div', { className: 'bubble' }, h('p', { className: 'text' }, text)))
    const stay = following || thread.waiting.length > 0
    draw(
      (
        [
          thread.more && ['more', () => h('button', { type: 'button', className: 'more', onclick: older }, w.history)],
          !thread.more && [`greeting ${greeting}`, () => ours(greeting)],
          ...thread.messages.map((m): Row | false => {
            if (m.from !== 'system') return [`${m.id} ${m.rev} ${m.from === 'me' && view.reached(m)} ${view.quoteOf(m) !== null}`, () => view.message(m)]
            const closed = m.parts.some((p) => p.type === 'event' && p.name === 'conversation.closed')
            return closed && [m.id, () => h('p', { className: 'line' }, w.closed)]
          }),
          ...thread.waiting.map((one): Row => {
            const { clientId, failure, taken, file } = one
            return [`${clientId} ${failure} ${taken} ${file !== undefined} ${navigator.onLine}`, () => view.waiting(one, navigator.onLine)]
          }),
          unanswered && ['left', () => h('p', { className: 'line' }, w.left)],
          ratingRow(),
          spoken && away && [`away ${away}`, () => ours(away)],
          typing && ['typing', () => h('p', { className: 'line' }, w.typing)],
        ] as (Row | false)[]
      ).filter((row): row is Row => Boolean(row)),
    )
    if (stay) toEnd()
    footer.hidden = refused !== ''
    footer.setAttribute('data-leaving', String(leaving))
    form.hidden = leave.hidden = !leaving
    bar.hidden = leaving
    field.placeholder = leaving ? w.message : w.placeholder
    field.setAttribute('aria-label', field.placeholder)
    endButton.hidden = !running
    if (endButton.hidden) ask.hidden = true
    drawNotice()
    if (open && !document.hidden) thread.see()
    if (thread.unread() !== unread) {
      unread = thread.unread()
      tellLoader({ huike: 'unread', count: unread })
    }
  }

  let said = ''
  let sayTimer = 0
  function say(text: string): void {
    said = text
    clearTimeout(sayTimer)
    sayTimer = setTimeout(() => {
      said = ''
      drawNotice()
    }, 5_000)
    drawNotice()
  }
  function drawNotice(): void {
    const spoken = thread.messages.length + thread.waiting.length > 0
    const text = refused
      ? sentenceOf(w, refused)
      : recording
        ? w.recording
        : said || (!navigator.onLine ? w.offline : thread.slow ? w.slow : !keeps && spoken ? w.unkept : '')
    notice.hidden = text === ''
    if (notice.textContent !== text) notice.textContent = text
    // What comes up below takes room from above.
    if (following) toEnd()
  }

  function send(): void {
    const text = field.value.trim()
    field.focus()
    if (!text) return
    const contact = leaving ? { ...left } : undefined
    following = true
    gave = gave || leaving
    // It is on its way: what stands in the form keeps nothing open any more.
    left.name = left.address = left.subject = ''
    for (const one of Array.from(form.querySelectorAll('input'))) one.value = ''
    thread.send([{ type: 'text', text }], contact ? { contact } : {})
    field.value = ''
    thread.typing(null)
    grow()
  }
  function sendFiles(files: readonly File[]): void {
    following = true
    for (const file of files)
      if (file.size > maxFileBytes) say(w.tooLarge)
      else thread.send([{ type: 'text', text: file.name }], { file: { blob: file, name: file.name || 'image.png', voice: false } })
  }
  let recording: Recording | undefined
  /** While the browser asks the visitor, a second tap starts no second recorder. */
  let asking = false
  async function record(): Promise<void> {
    if (recording) return recording.stop()
    if (asking) return
    asking = true
    try {
      recording = await recordVoice((note) => {
        recording = undefined
        drawVoice()
        following = true
        if (note) thread.send([{ type: 'text', text: w.audio }], { file: { blob: note.blob, name: 'voice.webm', voice: true, durationMs: note.durationMs } })
      })
    } catch {
      say(w.noVoice)
    }
    asking = false
    drawVoice()
  }
  function drawVoice(): void {
    const on = recording !== undefined
    voiceButton.setAttribute('data-on', String(on))
    const label = on ? w.stopVoice : w.voice
    voiceButton.setAttribute('aria-label', label)
    voiceButton.title = label
    voiceCancel.hidden = !on
    drawNotice()
  }
  function grow(): void {
    field.style.height = 'auto'
    field.style.height = `${Math.min(field.scrollHeight + 2, 120)}px`
  }

  let typedTimer = 0
  field.oninput = () => {
    grow()
    // What is being written is seen as it grows, twice a second at most.
    if (typedTimer === 0)
      typedTimer = setTimeout(() => {
        typedTimer = 0
        thread.typing(field.value || null)
      }, 500)
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
      if (!leaving) sendFiles(Array.from(files))
    }
  }
  for (const input of [picker, camera])
    input.onchange = () => {
      sendFiles(Array.from(input.files ?? []))
      input.value = ''
    }
  for (const e of emojis)
    emojiBox.append(
      h(
        'button',
        {
          type: 'button',
          onclick: () => {
            const at = field.selectionStart
            field.value = field.value.slice(0, at) + e + field.value.slice(field.selectionEnd)
            emojiBox.hidden = true
            emojiButton.setAttribute('aria-expanded', 'false')
            field.focus()
            field.setSelectionRange(at + e.length, at + e.length)
            grow()
          },
        },
        e,
      ),
    )
  document.ondragover = (event) => event.preventDefault()
  document.ondrop = (event) => {
    event.preventDefault()
    if (!leaving && !refused) sendFiles(Array.from(event.dataTransfer?.files ?? []))
  }

  const input = (label: string, name: keyof typeof left, more: object) =>
    h('input', {
      placeholder: label,
      'aria-label': label,
      oninput: (event: Event) => {
        left[name] = (event.target as HTMLInputElement).value
      },
      ...more,
    })
  const form = h(
    'div',
    { className: 'form', hidden: true },
    input(w.name, 'name', { maxLength: 60, autocomplete: 'name' }),
    input(w.address, 'address', { maxLength: 190, autocomplete: 'email' }),
    // People do not see it, and are not sent there by the keyboard or a screen reader; scripts fill in whatever there is.
    h('div', { className: 'aside', 'aria-hidden': 'true' }, input('Subject', 'subject', { tabIndex: -1, autocomplete: 'off', name: 'subject' })),
  )
  const leave = h('button', { type: 'button', className: 'leave', onclick: send }, w.leave)
  const stay = () => {
    ask.hidden = true
    field.focus()
  }
  const end = () => {
    stay()
    thread.close().catch(() => say(w.offline))
  }
  const ask = h(
    'div',
    { className: 'ask', role: 'alertdialog', 'aria-label': w.endAsk, hidden: true },
    h('p', {}, w.endAsk),
    h('button', { type: 'button', onclick: end }, w.yes),
    h('button', { type: 'button', onclick: stay }, w.no),
  )
  const endButton = tool('end', w.end, () => {
    ask.hidden = false
    drawNotice()
    ;(ask.lastChild as HTMLElement).focus()
  })
  endButton.hidden = true
  voiceCancel.hidden = true
  voiceButton.hidden = !canRecord()
  const bar = h(
    'div',
    { className: 'bar' },
    emojiButton,
    tool('attach', w.attach, () => picker.click()),
    touch && tool('camera', w.camera, () => camera.click()),
    voiceButton,
    voiceCancel,
    h('span', { className: 'grow' }),
    h('button', { type: 'button', className: 'send', 'aria-label': w.send, title: w.send, onclick: send }, icon('send')),
  )
  footer.append(form, emojiBox, field, leave, bar, picker, camera)
  /** Stands for the button on the page, in the admin's preview. */
  const launcher = h('div', { className: 'launcher', 'aria-hidden': 'true' })
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
    ask,
    notice,
    footer,
  )
  if (preview) {
    document.documentElement.setAttribute('data-preview', '')
    document.body.append(launcher)
  }
  function colour(): void {
    document.documentElement.style.setProperty('--accent', site.color)
    document.documentElement.style.setProperty('--on-accent', inkOn(site.color))
    launcher.setAttribute('data-side', site.position)
  }

  const look = () => {
    if (!open || document.hidden) return
    render()
    thread.look()
  }
  addEventListener('message', (event: MessageEvent) => {
    if (event.source !== parent || parent === window) return
    if (preview) {
      if (event.origin !== location.origin) return
      const wanted = { ...site, ...(event.data as { preview?: Partial<Site> }).preview }
      if (wanted.locale !== site.locale) {
        location.hash = wanted.locale
        location.reload()
        return
      }
      Object.assign(site, wanted)
      colour()
      render()
      return
    }
    const message = event.data as ToFrame
    switch (message.huike) {
      case 'open':
        open = true
        look()
        toEnd()
        if (!touch) field.focus()
        break
      case 'hide':
        open = false
        break
      case 'token':
        thread.become(message.token)
        break
      case 'identity':
        if (proven) proven(message.identity)
        // A new word of the page; or it took its time, and the visitor was a stranger meanwhile.
        else if (message.identity) thread.prove(message.identity)
        proven = undefined
        break
      case 'seen':
        if (message.seen > thread.seen) thread.seen = message.seen
        render()
        break
      case 'written':
        thread.adopt(message.written)
        break
      case 'unkept':
        keeps = false
        render()
        break
      case 'ring':
        chime()
        break
    }
  })
  document.addEventListener('visibilitychange', look)
  setInterval(look, 60_000)
  addEventListener('online', render)
  addEventListener('offline', render)
  addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || event.isComposing) return
    if (!emojiBox.hidden) emojiButton.click()
    else if (!ask.hidden) stay()
    else tellLoader({ huike: 'hide' })
  })
  colour()
  render()
  // What is shown to the admin is nobody's thread.
  if (!preview) void thread.start(init)
  if (open && !touch && !preview) field.focus()
}

main(init, site)
