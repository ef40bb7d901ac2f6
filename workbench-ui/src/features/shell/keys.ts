/** Keyboard shortcuts. Plain letters rest while somebody writes; nothing is taken from an input method. */
const writing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))

/** Keys like `j`, `?`, `mod+k`, `shift+s`. Returns its own undo. */
export function bindKeys(bindings: Record<string, () => void>): () => void {
  const onKey = (event: KeyboardEvent) => {
    if (event.isComposing || event.defaultPrevented || event.altKey) return
    const mod = event.ctrlKey || event.metaKey
    if (!mod && (writing(event.target) || document.querySelector('[role="dialog"]'))) return
    const key = `${mod ? 'mod+' : ''}${event.key.length === 1 ? event.key.toLowerCase() : event.key}`
    const run = bindings[key]
    if (!run) return
    event.preventDefault()
    run()
  }
  addEventListener('keydown', onKey)
  return () => removeEventListener('keydown', onKey)
}
