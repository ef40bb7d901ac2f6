/** Copies a text. Browsers give pages on plain HTTP (a hub in a shop's own network) no clipboard, or refuse it: then the old way. Throws when neither works. */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    copyBySelecting(text)
  }
}

function copyBySelecting(text: string): void {
  const focused = document.activeElement
  const area = document.createElement('textarea')
  area.value = text
  area.style.cssText = 'position: fixed; opacity: 0'
  // Inside a dialog that is open: outside of it nothing can be selected.
  const place = focused?.closest('dialog, [role="dialog"]') ?? document.body
  place.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  if (focused instanceof HTMLElement) focused.focus()
  if (!done) throw new Error('the browser did not copy')
}
