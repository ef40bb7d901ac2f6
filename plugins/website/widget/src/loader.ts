/**
 * The one line on a page: a button, and a frame of the hub's. It asks the network for nothing itself, and sets styles
 * on elements instead of writing them, so a page whose policy allows the hub's script and the hub's frame is content.
 *
 * Kept in the page's storage, and only from the visitor's first word on (`huike.<inbox>` and below):
 *   (none)    who the visitor is            .out    what was written and not yet taken by the hub
 *   .seen     the last answer seen          .rung   the last answer a sound was made for
 */
import type { Page, ToFrame, ToLoader, Written } from './bridge.ts'

/** A fresh JWT of the page's user. */
type Renew = () => string | null | undefined | Promise<string | null | undefined>

const script = document.currentScript as HTMLScriptElement | null
const inbox = script?.dataset.inbox ?? ''
const hub = script ? new URL(script.src).origin : ''
const address = `${hub}/api/x/website/frame/${inbox}`
const beatMs = 25_000
/** When the hub does not answer: once more after so long, and whenever the line comes back. */
const againMs = [10_000, 30_000, 120_000]

const style = (el: HTMLElement, values: Record<string, string>) => {
  for (const name of Object.keys(values)) el.style.setProperty(name, values[name] ?? '', 'important')
}

/** 26 letters and digits that sort by time, as the hub's own ids do. */
function newVisitId(): string {
  const digits = '0123456789abcdefghjkmnpqrstvwxyz'
  let time = Date.now()
  let id = ''
  for (let i = 0; i < 10; i++) {
    id = (digits[time % 32] ?? '0') + id
    time = Math.floor(time / 32)
  }
  for (const byte of Array.from(crypto.getRandomValues(new Uint8Array(16)))) id += digits[byte % 32] ?? '0'
  return id
}

const keyOf = (what: string) => `huike.${inbox}${what}`
/** False where the browser keeps nothing for this page. */
function keep(what: string, value: string): boolean {
  try {
    if (value) localStorage.setItem(keyOf(what), value)
    else localStorage.removeItem(keyOf(what))
    return true
  } catch {
    return false
  }
}
function kept(what: string): string {
  try {
    return localStorage.getItem(keyOf(what)) ?? ''
  } catch {
    return ''
  }
}
function mayKeep(): boolean {
  try {
    return typeof localStorage.length === 'number'
  } catch {
    return false
  }
}
function keptWritten(): Written[] {
  try {
    return JSON.parse(kept('.out') || '[]') as Written[]
  } catch {
    return []
  }
}

function start(): void {
  if (!inbox || !hub || document.getElementById('huike-widget')) return
  let identity = script?.dataset.identity ?? ''
  const visitId = newVisitId()
  let ready: Extract<ToLoader, { huike: 'ready' }> | undefined
  let open = false
  let unread = 0
  let tries = 0
  let retry = 0
  let frame: HTMLIFrameElement | undefined
  /** The button is on the page, as far as it is up to us. */
  let drawn = false
  /** The visitor of this page, where nothing can be kept for the next. */
  let token = kept('')

  const root = document.createElement('div')
  root.id = 'huike-widget'
  const page = window as unknown as { Huike?: { onIdentityExpired?: Renew }; huikeRoot?: HTMLElement }
  page.huikeRoot = root
  const button = document.createElement('button')
  button.type = 'button'
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  for (const [name, value] of [
    ['viewBox', '0 0 24 24'],
    ['width', '26'],
    ['height', '26'],
    ['aria-hidden', 'true'],
  ] as const)
    svg.setAttribute(name, value)
  path.setAttribute('d', 'M4 4h16a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1H9l-5 4v-4a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1Z')
  svg.appendChild(path)
  button.appendChild(svg)
  const badge = document.createElement('span')
  style(badge, {
    position: 'absolute',
    top: '-4px',
    right: '-4px',
    'min-width': '20px',
    height: '20px',
    padding: '0 5px',
    'box-sizing': 'border-box',
    'border-radius': '10px',
    background: '#c5303a',
    color: '#fff',
    font: '12px/20px sans-serif',
    'text-align': 'center',
    'pointer-events': 'none',
    display: 'none',
  })
  root.appendChild(button)
  root.appendChild(badge)
  button.onfocus = () => style(button, { outline: `3px solid ${ready?.ink ?? ''}`, 'outline-offset': '-6px' })
  button.onblur = () => button.style.removeProperty('outline')
  button.onclick = () => show(!open)

  const tell = (message: ToFrame) => {
    if (ready && frame?.contentWindow) frame.contentWindow.postMessage(message, hub)
  }
  function makeFrame(): void {
    // A script that stands in a body which was exchanged has begun anew with the next one.
    if (page.huikeRoot !== root) return
    frame = document.createElement('iframe')
    frame.src = address
    frame.title = 'Chat'
    frame.allow = 'microphone; camera; clipboard-write; autoplay'
    frame.onload = () => {
      clearTimeout(retry)
      // A frame that came without its script is the browser's word for "not reached", or the hub's for "not on this site".
      const wait = againMs[tries++]
      if (!ready && wait) retry = setTimeout(dropFrame, wait, true)
    }
    layout()
    document.body.appendChild(frame)
  }
  function dropFrame(again: boolean): void {
    clearTimeout(retry)
    ready = undefined
    if (frame?.parentNode) frame.parentNode.removeChild(frame)
    if (again) makeFrame()
  }
  /** A page that goes on without loading may put another body in place of the one we stood in, or what it had kept of one: with likenesses of us. */
  function stay(): void {
    if (page.huikeRoot !== root || !frame || (frame.isConnected && (root.isConnected || !drawn))) return
    for (const old of Array.from(document.querySelectorAll(`#huike-widget,iframe[src="${address}"]`)))
      if (old !== root && old !== frame && old.parentNode) old.parentNode.removeChild(old)
    if (drawn) document.body.appendChild(root)
    if (!frame.isConnected) dropFrame(true)
  }
  function layout(): void {
    if (!frame) return
    const side = ready?.site.position ?? 'right'
    const other = side === 'right' ? 'left' : 'right'
    const seen = window.visualViewport
    const small = innerWidth <= 480 || innerHeight <= 480
    style(frame, {
      position: 'fixed',
      'z-index': '2147483001',
      border: '0',
      margin: '0',
      padding: '0',
      'max-width': 'none',
      'min-width': '0',
      'color-scheme': 'normal',
      background: 'transparent',
      display: open ? 'block' : 'none',
      ...(small
        ? {
            // A phone's keyboard covers the page: the window ends where it begins.
            top: `${seen ? seen.offsetTop : 0}px`,
            [side]: '0',
            [other]: 'auto',
            bottom: 'auto',
            width: '100%',
            height: seen ? `${seen.height}px` : '100%',
            'max-height': 'none',
            'border-radius': '0',
            'box-shadow': 'none',
          }
        : {
            top: 'auto',
            bottom: '88px',
            [side]: '20px',
            [other]: 'auto',
            width: '376px',
            height: '600px',
            'max-height': 'calc(100vh - 108px)',
            'border-radius': '12px',
            'box-shadow': '0 12px 40px rgba(0,0,0,.24)',
          }),
    })
  }
  function drawButton({ site, ink, label }: Extract<ToLoader, { huike: 'ready' }>): void {
    style(root, {
      position: 'fixed',
      bottom: '20px',
      [site.position]: '20px',
      'z-index': '2147483000',
      margin: '0',
      width: '56px',
      height: '56px',
      display: 'block',
    })
    style(button, {
      all: 'unset',
      'box-sizing': 'border-box',
      width: '56px',
      height: '56px',
      'border-radius': '50%',
      background: site.color,
      cursor: 'pointer',
      display: 'flex',
      'align-items': 'center',
      'justify-content': 'center',
      'box-shadow': '0 4px 16px rgba(0,0,0,.22)',
    })
    path.setAttribute('fill', ink)
    button.setAttribute('aria-label', label)
    button.setAttribute('aria-expanded', String(open))
    if (frame) frame.title = site.title
    drawn = true
    if (!root.isConnected) document.body.appendChild(root)
    layout()
  }

  /** The page's own title, while ours stands in its place. */
  let title = ''
  function drawUnread(): void {
    badge.textContent = unread > 99 ? '99+' : String(unread)
    style(badge, { display: unread > 0 && !open ? 'block' : 'none' })
    if (ready) button.setAttribute('aria-label', unread > 0 && !open ? `${ready.label} (${unread})` : ready.label)
    const marked = /^\(\d+\) /
    if (title && marked.test(document.title)) document.title = title
    title = ''
    if (unread > 0 && document.visibilityState === 'hidden') {
      title = document.title
      document.title = `(${unread}) ${title}`
    }
  }
  function show(on: boolean): void {
    stay()
    open = on
    layout()
    button.setAttribute('aria-expanded', String(on))
    drawUnread()
    tell({ huike: on ? 'open' : 'hide' })
    if (on && frame) frame.focus()
    else if (!on) button.focus()
  }
  /** One sound for one answer, however many tabs hear of it. */
  function ring(id: string): void {
    const once = () => {
      if (kept('.rung') >= id) return
      keep('.rung', id)
      tell({ huike: 'ring' })
    }
    if (!navigator.locks) {
      once()
      return
    }
    navigator.locks
      .request(keyOf('.rung'), { ifAvailable: true }, (lock) => {
        if (!lock) return undefined
        once()
        return new Promise((done) => setTimeout(done, 1_000))
      })
      .catch(once)
  }

  /** The page's own way to a fresh identity; it may have left it before we came. */
  let renew = page.Huike?.onIdentityExpired
  /** Who the page says it is may change while it is asked: then its answer is about somebody else. */
  let word = 0
  function askIdentity(): void {
    const asked = ++word
    const answer = (next: unknown) => {
      if (asked !== word) return
      identity = typeof next === 'string' ? next : ''
      tell({ huike: 'identity', identity })
    }
    new Promise<unknown>((done) => done(renew ? renew() : '')).then(answer, () => answer(''))
  }

  let beating = 0
  let at = ''
  function beat(): void {
    if (document.visibilityState === 'hidden') return
    at = location.href
    const now: Page = { url: at.slice(0, 4_000), title: (title || document.title).slice(0, 500), referrer: document.referrer.slice(0, 4_000) }
    tell({ huike: 'page', page: now })
  }

  addEventListener('message', (event: MessageEvent) => {
    if (!frame || event.origin !== hub || event.source !== frame.contentWindow) return
    const message = event.data as ToLoader
    switch (message.huike) {
      case 'ready':
        ready = message
        tries = 0
        clearTimeout(retry)
        drawButton(message)
        tell({ huike: 'init', token, identity, visitId, written: keptWritten(), seen: kept('.seen'), keeps: mayKeep(), open })
        if (message.site.trackVisits) {
          beat()
          clearInterval(beating)
          beating = setInterval(beat, beatMs)
        }
        break
      case 'token':
        token = message.token
        if (!keep('', token)) tell({ huike: 'unkept' })
        break
      case 'expired':
        askIdentity()
        break
      case 'seen':
        keep('.seen', message.seen)
        break
      case 'written':
        keep('.out', message.written.length > 0 ? JSON.stringify(message.written) : '')
        break
      case 'unread':
        unread = message.count
        drawUnread()
        break
      case 'ring':
        ring(message.id)
        break
      case 'hide':
        show(false)
        break
    }
  })
  // What another tab of this browser has kept.
  addEventListener('storage', ({ key, newValue }: StorageEvent) => {
    if (key === keyOf('') && newValue !== token) {
      token = newValue ?? ''
      if (token) tell({ huike: 'token', token })
      else dropFrame(true)
    } else if (key === keyOf('.seen') && newValue) tell({ huike: 'seen', seen: newValue })
    else if (key === keyOf('.out')) tell({ huike: 'written', written: keptWritten() })
  })
  addEventListener('resize', layout)
  if (window.visualViewport) {
    window.visualViewport.addEventListener('resize', layout)
    window.visualViewport.addEventListener('scroll', layout)
  }
  addEventListener('online', () => !ready && dropFrame(true))
  document.addEventListener('visibilitychange', () => {
    drawUnread()
    if (ready?.site.trackVisits) beat()
  })
  // Pages that change without loading.
  setInterval(() => {
    stay()
    if (ready?.site.trackVisits && at !== location.href) beat()
  }, 2_000)
  makeFrame()

  ;(page as { Huike: object }).Huike = {
    open: () => show(true),
    close: () => show(false),
    identify(next: string) {
      if (next === identity) return
      word++
      identity = next
      // What is being written, spoken or chosen there stays.
      if (ready && next) tell({ huike: 'identity', identity })
      else dropFrame(true)
    },
    /** Called when the identity has ended on an open page: gives a fresh one, or nothing. */
    onIdentityExpired(callback: Renew) {
      renew = callback
    },
    /** The site's user logged out: the next words are a stranger's. */
    logout() {
      word++
      identity = token = ''
      for (const what of ['', '.out', '.seen', '.rung']) keep(what, '')
      if (open) show(false)
      unread = 0
      drawUnread()
      dropFrame(true)
    },
  }
}

/** After the page has loaded, which a frame would delay; a page that does not come to an end is not waited for. */
function whenLoaded(): void {
  let begun = false
  const once = () => {
    if (!begun) start()
    begun = true
  }
  addEventListener('load', once)
  if (document.readyState === 'complete') once()
  else if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', () => setTimeout(once, 3_000))
  else setTimeout(once, 3_000)
}
// A page drawn ahead of time is no visit until somebody looks at it.
if ((document as { prerendering?: boolean }).prerendering) document.addEventListener('prerenderingchange', whenLoaded)
else whenLoaded()
