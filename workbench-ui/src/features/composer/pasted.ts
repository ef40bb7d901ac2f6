/** What comes along when one pastes: of several forms of one thing the one that is meant, and of other programs' markup what a letter can hold. */

/** The files among it; none where they are only a picture of the words beside them, as spreadsheets and word processors bring. */
export function pastedFiles(data: DataTransfer | null): File[] {
  const files = [...(data?.files ?? [])]
  return files.length > 0 && parsed(data?.getData('text/html') ?? '').body.textContent?.trim() ? [] : files
}

const parsed = (html: string): Document => new DOMParser().parseFromString(html, 'text/html')
/** Apart in a cell, one line in the line that it becomes. */
const blocks = 'p, div, br, li, h1, h2, h3, h4, h5, h6'

/** A letter has no tables: a row becomes a line, its cells keep apart. Word's lists, which are paragraphs with a sign in front, become lists. */
export function pastedMarkup(html: string): string {
  const page = parsed(html)
  for (const item of page.querySelectorAll<HTMLElement>('p[style*="mso-list:"]')) listed(page, item)
  // The innermost first.
  for (const table of [...page.querySelectorAll('table')].reverse()) {
    const lines = [...table.rows].map((row) => {
      const line = page.createElement('p')
      for (const [i, cell] of [...row.cells].entries()) {
        for (const block of cell.querySelectorAll(blocks)) block.replaceWith(...block.childNodes, ' ')
        line.append(i > 0 ? ' | ' : '', ...cell.childNodes)
      }
      return line
    })
    table.replaceWith(...lines)
  }
  return page.body.innerHTML
}

function listed(page: Document, paragraph: HTMLElement): void {
  const sign = paragraph.querySelector('[style*="mso-list:Ignore" i]')
  const kind = /^[\s(（]*(?:\d+|[a-z]|[一二三四五六七八九十]+)[.)、）．]/i.test(sign?.textContent ?? '') ? 'ol' : 'ul'
  sign?.remove()
  const item = page.createElement('li')
  item.append(...paragraph.childNodes)
  const before = paragraph.previousElementSibling
  const list = before?.matches(`${kind}[data-pasted]`) ? before : page.createElement(kind)
  list.setAttribute('data-pasted', '')
  list.append(item)
  if (list === before) paragraph.remove()
  else paragraph.replaceWith(list)
}
