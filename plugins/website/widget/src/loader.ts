/**
 * The one line on a page: a button, a sign of life, and the frame when it is wanted. No cookie, nothing kept in the
 * browser before the visitor speaks. Styles are set on elements, not written as text, so a strict CSP is content.
 */
import type { ToFrame, ToLoader } from './bridge.ts'

interface SiteConfig {
  color: string
  position: 'left' | 'right'
  locale: string
  title: string
  trackVisits: boolean
}

const script = document.currentScript as HTMLScriptElement | null
const inbox = script?.dataset.inbox ?? ''
const hub = script ? new URL(script.src).origin : ''
const api = `${hub}/api/x/website`
const keptToken = `huike.${inbox}`
const beatMs = 25_000

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

function keep(token: string): void {
  try {
    if (token) localStorage.setItem(keptToken, token)
    else localStorage.removeItem(keptToken)
  } catch {
    // A browser that keeps nothing still talks; it will be a stranger next time.
  }
}
function kept(): string {
  try {
    return localStorage.getItem(keptToken) ?? ''
  } catch {
    return ''
  }
}

async function start(): Promise<void> {
  if (!inbox || !hub || document.getElementById('huike-widget')) return
  const response = await fetch(`${api}/inboxes/${inbox}`).catch(() => undefined)
  if (!response?.ok) return
  const config = (await response.json()) as SiteConfig
  let identity = script?.dataset.identity ?? ''
  const visitId = newVisitId()
  let open = false
  let frame: HTMLIFrameElement | undefined
  const english = (config.locale === 'auto' ? navigator.language : config.locale).indexOf('zh') !== 0

  const root = document.createElement('div')
  root.id = 'huike-widget'
  style(root, { position: 'fixed', bottom: '20px', [config.position]: '20px', 'z-index': '2147483000', margin: '0', width: '56px', height: '56px' })
  const button = document.createElement('button')
  button.type = 'button'
  button.setAttribute('aria-label', english ? 'Chat with us' : '联系客服')
  button.setAttribute('aria-expanded', 'false')
  style(button, {
    all: 'unset',
    'box-sizing': 'border-box',
    width: '56px',
    height: '56px',
    'border-radius': '50%',
    background: config.color,
    cursor: 'pointer',
    display: 'grid',
    'place-items': 'center',
    'box-shadow': '0 4px 16px rgba(0,0,0,.22)',
  })
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('width', '26')
  svg.setAttribute('aria-hidden', 'true')
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  path.setAttribute('fill', '#fff')
  path.setAttribute('d', 'M4 4h16a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1H9l-5 4v-4a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1Z')
  svg.appendChild(path)
  button.appendChild(svg)
  button.onfocus = () => style(button, { outline: '3px solid #fff', 'outline-offset': '-6px' })
  button.onblur = () => button.style.removeProperty('outline')
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
    display: 'none',
  })
  root.appendChild(button)
  root.appendChild(badge)
  document.body.appendChild(root)

  const tell = (message: ToFrame) => {
    if (frame?.contentWindow) frame.contentWindow.postMessage(message, hub)
  }
  function makeFrame(): void {
    if (frame) return
    frame = document.createElement('iframe')
    frame.src = `${api}/frame/${inbox}`
    frame.title = config.title
    frame.allow = 'microphone; camera; clipboard-write'
    layout()
    document.body.appendChild(frame)
  }
  function layout(): void {
    if (!frame) return
    const small = innerWidth <= 480
    style(frame, {
      position: 'fixed',
      'z-index': '2147483001',
      border: '0',
      'color-scheme': 'normal',
      background: '#fff',
      margin: '0',
      display: open ? 'block' : 'none',
      ...(small
        ? { inset: '0', width: '100%', height: '100%', 'max-height': 'none', 'border-radius': '0' }
        : {
            inset: 'auto',
            bottom: '88px',
            [config.position]: '20px',
            width: '376px',
            height: '600px',
            'max-height': 'calc(100vh - 108px)',
            'border-radius': '12px',
            'box-shadow': '0 12px 40px rgba(0,0,0,.24)',
          }),
    })
  }
  function show(on: boolean): void {
    open = on
    if (on) makeFrame()
    layout()
    button.setAttribute('aria-expanded', String(on))
    tell({ huike: on ? 'open' : 'hide' })
    if (!on) button.focus()
  }
  button.onclick = () => show(!open)
  addEventListener('resize', layout)
  addEventListener('message', (event: MessageEvent) => {
    if (!frame || event.origin !== hub || event.source !== frame.contentWindow) return
    const message = event.data as ToLoader
    switch (message.huike) {
      case 'ready':
        tell({ huike: 'init', token: kept(), identity, visitId, locale: config.locale, open })
        break
      case 'token':
        keep(message.token)
        break
      case 'unread':
        badge.textContent = message.count > 99 ? '99+' : String(message.count)
        style(badge, { display: message.count > 0 && !open ? 'block' : 'none' })
        break
      case 'hide':
        show(false)
        break
    }
  })
  // Who has spoken before hears of answers before they open the window.
  if (kept() || identity) setTimeout(makeFrame, 1_500)

  if (config.trackVisits) {
    let at = ''
    const beat = () => {
      if (document.visibilityState === 'hidden') return
      at = location.href
      const body = JSON.stringify({ visitId, url: at, title: document.title, referrer: document.referrer, token: kept() || undefined })
      fetch(`${api}/inboxes/${inbox}/beat`, { method: 'POST', body, keepalive: true }).catch(() => undefined)
    }
    beat()
    setInterval(beat, beatMs)
    // Pages that change without loading.
    setInterval(() => at !== location.href && beat(), 2_000)
  }

  ;(window as unknown as { Huike: object }).Huike = {
    open: () => show(true),
    close: () => show(false),
    identify(next: string) {
      identity = next
      tell({ huike: 'identify', identity })
      makeFrame()
    },
    /** The site's user logged out: the next words are a stranger's. */
    logout() {
      identity = ''
      keep('')
      if (frame) frame.remove()
      frame = undefined
      show(false)
    },
  }
}

if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', () => void start())
else void start()
