/** What runs in the browser's page. Strings, because the tests' own types know no DOM. */

/** A function of an element of the page (and of what it is given). */
export const inPage = (body: string) => new Function('element', 'given', body) as (element: unknown, given?: unknown) => any

/** Gives an element files as the clipboard or a mouse would. */
export const giveFile = inPage(`
  const { how, name, type, base64 } = given
  const data = new DataTransfer()
  data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }))
  const options = { bubbles: true, cancelable: true }
  element.dispatchEvent(how === 'paste' ? new ClipboardEvent('paste', { clipboardData: data, ...options }) : new DragEvent('drop', { dataTransfer: data, ...options }))
`)

/** Gives an element markup as the clipboard would. */
export const pasteMarkup = inPage(`
  const data = new DataTransfer()
  data.setData('text/html', given)
  element.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))
`)

/** The same with a picture of it, as spreadsheets bring one. */
export const pasteWithPicture = inPage(`
  const data = new DataTransfer()
  data.setData('text/html', given)
  data.items.add(new File([new Uint8Array([137, 80, 78, 71])], 'image.png', { type: 'image/png' }))
  element.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))
`)

/** Before anything else, in every frame: what the policy forbade, how far things moved, how often it rang. */
export const watchPage = `
  window.seen = { violations: [], shift: 0, tones: 0 }
  addEventListener('securitypolicyviolation', (e) => seen.violations.push(e.effectiveDirective + ' ' + e.blockedURI + ' ' + e.sourceFile), true)
  try { new PerformanceObserver((list) => { for (const entry of list.getEntries()) seen.shift += entry.value }).observe({ type: 'layout-shift', buffered: true }) } catch {}
  const start = OscillatorNode.prototype.start
  OscillatorNode.prototype.start = function (...rest) { seen.tones++; return start.apply(this, rest) }
`

/** A browser of 2018: what came later is not there. */
export const forgetNewThings = `
  for (const [owner, names] of [
    [String.prototype, ['replaceAll', 'matchAll', 'trimStart', 'trimEnd', 'at']],
    [Array.prototype, ['at', 'flat', 'flatMap', 'findLast', 'findLastIndex', 'toSorted', 'toReversed']],
    [Object, ['fromEntries', 'groupBy', 'hasOwn']],
    [Promise, ['allSettled', 'any', 'withResolvers']],
    [Element.prototype, ['replaceChildren', 'checkVisibility']],
    [Document.prototype, ['replaceChildren']],
    [Blob.prototype, ['arrayBuffer', 'text', 'stream']],
    [Crypto.prototype, ['randomUUID']],
    [AbortSignal, ['timeout', 'any']],
    [Navigator.prototype, ['locks', 'mediaDevices']],
    [window, ['structuredClone', 'queueMicrotask', 'ResizeObserver', 'WeakRef', 'FinalizationRegistry', 'BigInt', 'BroadcastChannel', 'requestIdleCallback', 'MediaRecorder', 'WebTransport', 'visualViewport', 'AbortController']],
  ]) for (const name of names) delete owner[name]
  if (HTMLDialogElement) delete HTMLDialogElement.prototype.showModal
`

/** What stands out beyond the right edge of the window and is not cut off or scrolled by something around it. */
export const whatIsBeyond = `(() => {
  const width = document.documentElement.clientWidth
  const held = (element) => element !== null && element !== document.body && (getComputedStyle(element).overflowX === 'hidden' || held(element.parentElement))
  return [...document.querySelectorAll('body *')]
    .filter((element) => element.checkVisibility() && element.getBoundingClientRect().width > 1 && element.getBoundingClientRect().right > width + 1 && !held(element.parentElement))
    .map((element) => element.tagName.toLowerCase() + '.' + element.getAttribute('class'))
})()`

/** Seconds of an `audio` element, once the browser has read what it plays. */
export function lengthOfSound(element: unknown): Promise<number> {
  const audio = element as { duration: number; preload: string; load(): void; onloadedmetadata: () => void; onerror: () => void }
  return new Promise((done, fail) => {
    audio.onloadedmetadata = () => done(audio.duration)
    audio.onerror = () => fail(new Error('the browser cannot play it'))
    audio.preload = 'metadata'
    audio.load()
  })
}

/** Before anything else: how often it rang and what the browser was asked to show; `hide(true)` is another tab in front. */
export const watchNotices = `
  window.seen = { tones: 0, notices: [] }
  const start = OscillatorNode.prototype.start
  OscillatorNode.prototype.start = function (...rest) { seen.tones++; return start.apply(this, rest) }
  window.Notification = class {
    static permission = 'granted'
    static requestPermission = async () => 'granted'
    constructor(title, { body }) { Object.assign(this, { title, body }); seen.notices.push(this) }
    close() {}
  }
  let hidden = false
  Object.defineProperty(document, 'hidden', { get: () => hidden })
  window.hide = (on) => { hidden = on; document.dispatchEvent(new Event('visibilitychange')) }
`

/** All that a page says in its language, to the eye and to a screen reader, a piece of text at a time; what is marked as of another language is another matter. */
export const wordsShown = (besides: 'zh-CN' | 'en') => `(() => {
  const said = new Set()
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node; (node = texts.nextNode()); ) if (node.parentElement.checkVisibility() && !node.parentElement.closest('[lang="${besides}"]') && !['SCRIPT', 'STYLE'].includes(node.parentElement.tagName)) said.add(node.data.trim())
  for (const element of document.querySelectorAll('[aria-label], [title], [placeholder], [alt]'))
    if (element.checkVisibility() && !element.closest('[lang="${besides}"]')) for (const name of ['aria-label', 'title', 'placeholder', 'alt']) said.add((element.getAttribute(name) ?? '').trim())
  said.add(document.title)
  said.delete('')
  return [...said]
})()`

/** What is marked in a thread, as text (`found-words.ts`). */
export const markedWords = inPage(`return [...(CSS.highlights.get('found-words') ?? [])].map(String)`)
/** The same in a letter that is shown whole. */
export const markedInLetter = inPage(`
  const letter = document.querySelector('iframe[data-letter]')?.contentWindow
  return [...(letter?.CSS.highlights.get('found-words') ?? [])].map(String)
`)
