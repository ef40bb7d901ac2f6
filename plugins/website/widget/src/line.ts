/**
 * What a closed widget costs: the site's looks for the button, and a sign of life now and then. The window itself is
 * fetched when it is opened, or when a visitor who has spoken before may be waiting for an answer.
 */
import type { Init, Site, ToFrame, ToLoader } from './bridge.ts'
import { inkOn } from './ink.ts'

/** What the window finds when it comes. */
export interface Line {
  inbox: string
  site: Site
  init: Init
}

const script = document.currentScript as HTMLScriptElement
const site = JSON.parse(script.dataset.site ?? '{}') as Site
const inbox = location.pathname.split('/').pop() ?? ''
/** In the admin's preview there is no loader: the window starts alone, and follows the form as it is filled in. */
const alone = location.search === '?preview' || parent === window
// The admin tries another language: the preview is loaded anew and keeps it there.
if (alone && location.hash) site.locale = location.hash.slice(1)
const line: Line = { inbox, site, init: { token: '', identity: '', visitId: '', written: [], seen: '', keeps: false, open: alone } }
;(window as unknown as { huike: Line }).huike = line

let loading = false
function loadWindow(): void {
  if (loading) return
  loading = true
  const look = document.createElement('link')
  look.rel = 'stylesheet'
  look.href = script.dataset.style ?? ''
  const code = document.createElement('script')
  code.src = script.dataset.script ?? ''
  // The line was cut in the middle: once more when it is back, or in a while.
  code.onerror = () => {
    loading = false
    setTimeout(loadWindow, 3_000)
  }
  // Drawn only once it has its looks.
  look.onload = look.onerror = () => void document.head.appendChild(code)
  document.head.appendChild(look)
}

const chinese = (site.locale === 'auto' ? navigator.language : site.locale).indexOf('zh') === 0
addEventListener('message', (event: MessageEvent) => {
  if (event.source !== parent || alone) return
  const message = event.data as ToFrame
  const { init } = line
  switch (message.huike) {
    case 'init':
      line.init = message
      if (message.open || message.token || message.identity || message.written.length > 0) loadWindow()
      break
    case 'open':
      init.open = true
      loadWindow()
      break
    case 'hide':
      init.open = false
      break
    case 'identity':
      init.identity = message.identity
      if (message.identity) loadWindow()
      break
    case 'token':
      init.token = message.token
      loadWindow()
      break
    case 'page':
      fetch(`/api/x/website/inboxes/${inbox}/beat`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          visitId: init.visitId,
          token: init.token || undefined,
          url: message.page.url,
          title: message.page.title,
          referrer: message.page.referrer,
        }),
        keepalive: true,
      }).catch(() => undefined)
      break
  }
})
if (alone) loadWindow()
else {
  const { color, position, title, trackVisits } = site
  const ready: ToLoader = {
    huike: 'ready',
    site: { color, position, title: title || (chinese ? '在线客服' : 'Live chat'), trackVisits },
    ink: inkOn(color),
    label: chinese ? '联系客服' : 'Chat with us',
  }
  parent.postMessage(ready, '*')
}
