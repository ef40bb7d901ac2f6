/** A picture over the whole window; Escape, a click beside it or the button closes it, and the focus goes back. */
import { h, icon } from './dom.ts'
import type { Words } from './words.ts'

export function viewPicture(url: string, alt: string, w: Words): void {
  const before = document.activeElement as HTMLElement | null
  const close = () => {
    removeEventListener('keydown', keys, true)
    document.body.removeChild(viewer)
    if (before) before.focus()
  }
  const closeButton = h('button', { type: 'button', className: 'tool', 'aria-label': w.close, title: w.close, onclick: close }, icon('close'))
  const openLink = h('a', { href: url, target: '_blank', rel: 'noopener' }, w.original)
  const viewer = h(
    'div',
    {
      className: 'viewer',
      role: 'dialog',
      'aria-modal': 'true',
      'aria-label': alt,
      onclick: (event: Event) => event.target === viewer && close(),
    },
    h('div', { className: 'viewer-bar' }, openLink, closeButton),
    h('img', { src: url, alt }),
  )
  function keys(event: KeyboardEvent): void {
    if (event.key === 'Escape') {
      event.stopPropagation()
      close()
    } else if (event.key === 'Tab') {
      // Two things to stand on: there and back.
      event.preventDefault()
      ;(document.activeElement === closeButton ? openLink : closeButton).focus()
    }
  }
  addEventListener('keydown', keys, true)
  document.body.append(viewer)
  closeButton.focus()
}
