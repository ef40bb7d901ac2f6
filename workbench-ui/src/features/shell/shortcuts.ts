/**
 * Everything that can be done by keyboard, in one table: the listener, the help sheet and the palette read it, so none
 * of them can know a key that the others do not. Plain letters rest while somebody writes; nothing is taken from an
 * input method.
 */
import { onUnmounted, shallowReactive } from 'vue'

export type ShortcutGroup = 'general' | 'list' | 'conversation' | 'writing'
interface Shortcut {
  /** `mod` is Ctrl, on a Mac ⌘. */
  key: string
  group: ShortcutGroup
  /** Works while somebody writes, too. */
  always?: true
}

const table = {
  palette: { key: 'mod+k', group: 'general', always: true },
  help: { key: '?', group: 'general' },
  mine: { key: '1', group: 'general' },
  queue: { key: '2', group: 'general' },
  open: { key: '3', group: 'general' },
  starred: { key: '4', group: 'general' },
  closed: { key: '5', group: 'general' },
  visitors: { key: '6', group: 'general' },
  records: { key: '7', group: 'general' },
  status: { key: 'm', group: 'general' },
  online: { key: 'shift+O', group: 'general' },
  busy: { key: 'shift+B', group: 'general' },
  away: { key: 'shift+A', group: 'general' },
  signOut: { key: 'shift+Q', group: 'general' },
  foldGroups: { key: 'shift+G', group: 'list' },
  foldList: { key: 'shift+L', group: 'list' },
  next: { key: 'j', group: 'list' },
  previous: { key: 'k', group: 'list' },
  nextUnread: { key: 'u', group: 'list' },
  nextWriting: { key: 'alt+ArrowDown', group: 'list', always: true },
  previousWriting: { key: 'alt+ArrowUp', group: 'list', always: true },
  search: { key: '/', group: 'list' },
  sort: { key: 'o', group: 'list' },
  reply: { key: 'r', group: 'conversation' },
  note: { key: 'n', group: 'conversation' },
  replyToLast: { key: 'q', group: 'conversation' },
  copyLast: { key: 'c', group: 'conversation' },
  recallLast: { key: 'z', group: 'conversation' },
  attach: { key: 'f', group: 'conversation' },
  tag: { key: 'g', group: 'conversation' },
  remark: { key: 'i', group: 'conversation' },
  take: { key: 'a', group: 'conversation' },
  transfer: { key: 't', group: 'conversation' },
  star: { key: 's', group: 'conversation' },
  close: { key: 'e', group: 'conversation' },
  block: { key: 'b', group: 'conversation' },
  panel: { key: 'p', group: 'conversation' },
  copyLink: { key: 'l', group: 'conversation' },
  copyAll: { key: 'shift+C', group: 'conversation' },
  oldest: { key: 'Home', group: 'conversation' },
  latest: { key: 'End', group: 'conversation' },
  send: { key: 'Enter', group: 'writing' },
  sendLetter: { key: 'mod+Enter', group: 'writing' },
  link: { key: 'mod+l', group: 'writing' },
  newline: { key: 'shift+Enter', group: 'writing' },
  leave: { key: 'Escape', group: 'writing' },
} as const satisfies Record<string, Shortcut>

export type ShortcutId = keyof typeof table
export const shortcuts: readonly ({ id: ShortcutId } & Shortcut)[] = Object.entries(table).map(([id, shortcut]) => ({ id: id as ShortcutId, ...shortcut }))

/** As the table writes it: `mod+k`, `alt+ArrowDown`, `shift+Enter`, `?`. */
function keyOf(event: KeyboardEvent): string {
  const letter = event.key.length === 1
  const shifted = event.shiftKey && (!letter || /^[A-Z]$/.test(event.key))
  const mod = event.ctrlKey || event.metaKey
  const key = letter && !shifted ? event.key.toLowerCase() : event.key
  return `${mod ? 'mod+' : ''}${event.altKey ? 'alt+' : ''}${shifted ? 'shift+' : ''}${key}`
}
/** Is it this one? For what is handled where it is typed. 229: an input method is composing in browsers that do not say so otherwise. */
export const isShortcut = (event: KeyboardEvent, id: ShortcutId): boolean => !event.isComposing && event.keyCode !== 229 && keyOf(event) === table[id].key

const apple = /Mac|iPhone|iPad/.test(navigator.userAgent)
const caps: Record<string, string> = { mod: apple ? '⌘' : 'Ctrl', alt: apple ? '⌥' : 'Alt', shift: 'Shift', ArrowDown: '↓', ArrowUp: '↑', Escape: 'Esc' }
/** What is printed on the keys. */
export const keyCaps = (key: string): string[] => key.split('+').map((part) => caps[part] ?? (part.length === 1 ? part.toUpperCase() : part))

type Handlers = Partial<Record<ShortcutId, (() => void) | false | undefined>>
const bound = shallowReactive(new Set<() => Handlers>())

/** What can be done now, by id. */
export function available(): Map<ShortcutId, () => void> {
  const runs = new Map<ShortcutId, () => void>()
  for (const handlers of bound) for (const [id, run] of Object.entries(handlers())) if (run) runs.set(id as ShortcutId, run)
  return runs
}

/** Offers what a component can do for as long as it is there; asked anew each time, so that it may depend on what is shown. */
export function useShortcuts(handlers: () => Handlers): void {
  bound.add(handlers)
  onUnmounted(() => bound.delete(handlers))
}

const writing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
const dialogOpen = (): boolean => [...document.querySelectorAll('[role="dialog"]')].some((dialog) => dialog.checkVisibility())

/** Returns its own undo. */
export function listenForShortcuts(): () => void {
  const onKey = (event: KeyboardEvent) => {
    if (event.isComposing || event.defaultPrevented || dialogOpen()) return
    const key = keyOf(event)
    const shortcut = shortcuts.find((one) => one.key === key && one.group !== 'writing')
    if (!shortcut || (writing(event.target) && !shortcut.always)) return
    const run = available().get(shortcut.id)
    if (!run) return
    event.preventDefault()
    run()
  }
  addEventListener('keydown', onKey)
  return () => removeEventListener('keydown', onKey)
}
