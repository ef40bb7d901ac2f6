/**
 * Marks in a thread what was looked for, in letters that are shown whole too (they are pages of their own), where the browser
 * can mark text without touching it (CSS Custom Highlight API: Chromium 105, Safari 17.2, Firefox 140); elsewhere nothing is
 * marked, and nothing else is missing. The colours stand in `controls.css`, for letters in `letter.routes.ts`.
 */
import { onUnmounted, type Ref, watch } from 'vue'
import { type Keyword, placesOf } from '../../../../core/sdk/keyword.ts'

const name = 'found-words'
/** Where a message's own words stand (`MessageBubble.vue`). */
const places = '[data-words]'
/** Letters that are shown whole (`LetterBody.vue`). */
const letters = 'iframe[data-letter]'

/** @param root the element the messages are in; @param keyword what was looked for, if anything was */
export function useFoundWords(root: Ref<HTMLElement | null>, keyword: () => Keyword | undefined): void {
  if (!('highlights' in CSS)) return
  const found = new Highlight()
  let frame = 0
  const mark = (): void => {
    frame = 0
    const wanted = keyword()
    if (!wanted && found.size === 0) return
    found.clear()
    if (wanted) for (const place of root.value?.querySelectorAll<HTMLElement>(places) ?? []) for (const range of rangesIn(place, wanted)) found.add(range)
    CSS.highlights.set(name, found)
    for (const letter of root.value?.querySelectorAll<HTMLIFrameElement>(letters) ?? []) markLetter(letter, wanted)
  }
  const soon = (): void => {
    frame ||= requestAnimationFrame(mark)
  }
  const observer = new MutationObserver(soon)
  watch(
    root,
    (element) => {
      observer.disconnect()
      if (element) observer.observe(element, { childList: true, subtree: true, characterData: true })
      // Of the letters in it; it does not bubble.
      element?.addEventListener('load', soon, true)
      soon()
    },
    { immediate: true, flush: 'post' },
  )
  watch(keyword, soon)
  onUnmounted(() => {
    observer.disconnect()
    cancelAnimationFrame(frame)
    // The page that comes may have marked its own already.
    if (CSS.highlights.get(name) === found) CSS.highlights.delete(name)
  })
}

/** A page marks its own words only. */
function markLetter({ contentWindow, contentDocument }: HTMLIFrameElement, keyword: Keyword | undefined): void {
  const page = contentWindow as (Window & typeof globalThis) | null
  if (!page || !contentDocument?.body) return
  if (!keyword) return void page.CSS.highlights.delete(name)
  page.CSS.highlights.set(name, new page.Highlight(...rangesIn(contentDocument.body, keyword)))
}

/** A hit may begin in one piece of the text and end in another: plugins' marks and links lie in between. */
function rangesIn(place: HTMLElement, keyword: Keyword): Range[] {
  const page = place.ownerDocument
  const walker = page.createTreeWalker(place, NodeFilter.SHOW_TEXT, (node) =>
    node.parentElement?.closest('[data-aside]') ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
  )
  const nodes: { node: Node; at: number }[] = []
  let text = ''
  while (walker.nextNode()) {
    nodes.push({ node: walker.currentNode, at: text.length })
    text += walker.currentNode.nodeValue ?? ''
  }
  const spot = (offset: number, end: boolean): [Node, number] => {
    const { node, at } = nodes.findLast((one) => (end ? one.at < offset : one.at <= offset)) as (typeof nodes)[number]
    return [node, offset - at]
  }
  return placesOf(keyword, text).map(([from, to]) => {
    const range = page.createRange()
    range.setStart(...spot(from, false))
    range.setEnd(...spot(to, true))
    return range
  })
}
