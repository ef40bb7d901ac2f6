/** The little that stands between plain DOM and readable code. */
type Child = Node | string | false | null | undefined

/** An element with properties and children. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Record<string, unknown> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
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
  camera: 'M4 8h3l2-3h6l2 3h3v11H4V8Zm8 8a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7Z',
  emoji: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM9 10h.01M15 10h.01M8.500 14.500c1.800 2 5.200 2 7 0',
  voice: 'M12 15a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v6a3 3 0 0 0 3 3Zm-6-4a6 6 0 0 0 12 0M12 17v4',
  hide: 'm6 9 6 6 6-6',
  end: 'M10 4H5v16h5M9 12h11m-4-4 4 4-4 4',
  close: 'M6 6l12 12M18 6 6 18',
} as const
export type IconName = keyof typeof icons

export function icon(name: IconName): SVGElement {
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

/** What stands in a list, by a key that changes when it would look different. */
export type Row = [key: string, make: () => Node]

/**
 * Draws a list again and touches only what changed: a voice note that plays goes on, words half written stay, and a
 * screen reader reads out what is new.
 */
export function rows(list: HTMLElement): (wanted: readonly Row[]) => void {
  let drawn = new Map<string, Node>()
  return (wanted) => {
    const next = new Map<string, Node>()
    for (const [key, make] of wanted) next.set(key, drawn.get(key) ?? make())
    drawn.forEach((node, key) => {
      if (!next.has(key)) list.removeChild(node)
    })
    let at = list.firstChild
    next.forEach((node) => {
      if (node === at) at = at.nextSibling
      else list.insertBefore(node, at)
    })
    drawn = next
  }
}
