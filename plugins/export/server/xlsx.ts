/**
 * An Excel workbook written as it is read (ECMA-376): rows are XML that is appended to, texts stand in their cells, so
 * nothing is held until the end. A customer's words are always of the type text, never a formula; the only formulas are
 * our own links into this hub.
 */
import { wallClock } from '@huike/core/sdk/local-time.ts'
import type { Cell } from './cells.ts'

/** Excel's own bounds. */
const mostText = 32_767
const mostFormula = 8_000
export const mostRows = 1_048_575

/** Days since 1899-12-30, as Excel counts. */
const serial = (at: Date, tz: string): number => wallClock(at, tz).getTime() / 86_400_000 + 25_569

// biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 has no such characters
const notXml = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g
const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\r': '&#13;' }
const xml = (text: string): string => text.replace(notXml, '').replace(/[&<>"\r]/g, (c) => entities[c] as string)
const within = (text: string): string => (text.length > mostText ? `${text.slice(0, mostText - 1)}…` : text)
const inline = (text: string, style = ''): string => `<c t="inlineStr"${style}><is><t xml:space="preserve">${xml(within(text))}</t></is></c>`

export const xlsxRow = (cells: readonly Cell[], tz: string): string => `<row>${cells.map((cell) => cellXml(cell, tz)).join('')}</row>`
export const xlsxHeading = (titles: readonly string[]): string => `<row>${titles.map((title) => inline(title, ' s="2"')).join('')}</row>`

function cellXml(cell: Cell, tz: string): string {
  if (cell === null || cell === '') return '<c/>'
  if (typeof cell === 'number') return `<c><v>${cell}</v></c>`
  if (cell instanceof Date) return `<c s="1"><v>${serial(cell, tz)}</v></c>`
  if (typeof cell === 'string') return inline(cell)
  const { link, label, others = [] } = cell
  const literal = (text: string) => `"${text.replaceAll('"', '""')}"`
  // A cell leads to one place: the others stand below it as words. A literal has 255 characters at most, so each is its own.
  const lines = [label]
  let length = link.length
  for (const line of others) {
    length += line.length + 15
    if (length > mostFormula) break
    lines.push(line)
  }
  if (lines.length <= others.length) lines.push('…')
  return `<c t="str" s="3"><f>${xml(`HYPERLINK(${literal(link)},${lines.map(literal).join('&CHAR(10)&')})`)}</f><v>${xml(lines.join('\n'))}</v></c>`
}

const columnOf = (i: number): string => (i < 26 ? '' : columnOf(Math.floor(i / 26) - 1)) + String.fromCharCode(65 + (i % 26))

/**
 * Says of each row and cell where it stands, which not every reader counts by itself. A part does not know it: in which
 * sheet it lands is seen at the end. A customer's words have no `<`, so that each is a tag.
 */
export function placeRows(): (chunk: Uint8Array) => Buffer {
  let [row, column, held] = [0, 0, '']
  return (chunk) => {
    // One character a byte: what is in between is not looked at.
    const text = held + Buffer.from(chunk).toString('latin1')
    const open = text.lastIndexOf('<')
    const end = open >= 0 && text.indexOf('>', open) < 0 ? open : text.length
    held = text.slice(end)
    const placed = text.slice(0, end).replace(/<row>|<c(?=[ />])/g, (tag) => {
      if (tag === '<c') return `<c r="${columnOf(column++)}${row}"`
      column = 0
      return `<row r="${++row}">`
    })
    return Buffer.from(placed, 'latin1')
  }
}

const declaration = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'
const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const packaging = 'http://schemas.openxmlformats.org/package/2006'

/** The first row stays where it is while one scrolls. */
export const sheetHead = (widths: readonly number[]): string =>
  `${declaration}<worksheet xmlns="${main}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><cols>${widths
    .map((width, i) => `<col min="${i + 1}" max="${i + 1}" width="${width}" customWidth="1"/>`)
    .join('')}</cols><sheetData>`
export const sheetEnd = '</sheetData></worksheet>'

/** What stands around the sheets. */
export function workbookFiles(sheets: readonly string[]): [path: string, text: string][] {
  const each = (line: (i: number, name: string) => string) => sheets.map((name, i) => line(i + 1, name)).join('')
  const type = 'application/vnd.openxmlformats-officedocument.spreadsheetml'
  return [
    [
      '[Content_Types].xml',
      `${declaration}<Types xmlns="${packaging}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="${type}.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="${type}.styles+xml"/>${each((i) => `<Override PartName="/xl/worksheets/sheet${i}.xml" ContentType="${type}.worksheet+xml"/>`)}</Types>`,
    ],
    [
      '_rels/.rels',
      `${declaration}<Relationships xmlns="${packaging}/relationships"><Relationship Id="rId1" Type="${office}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
    ],
    [
      'xl/workbook.xml',
      `${declaration}<workbook xmlns="${main}" xmlns:r="${office}"><sheets>${each((i, name) => `<sheet name="${xml(name)}" sheetId="${i}" r:id="rId${i}"/>`)}</sheets></workbook>`,
    ],
    [
      'xl/_rels/workbook.xml.rels',
      `${declaration}<Relationships xmlns="${packaging}/relationships">${each((i) => `<Relationship Id="rId${i}" Type="${office}/worksheet" Target="worksheets/sheet${i}.xml"/>`)}<Relationship Id="rId0" Type="${office}/styles" Target="styles.xml"/></Relationships>`,
    ],
    [
      'xl/styles.xml',
      `${declaration}<styleSheet xmlns="${main}"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts><fonts count="3"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font><font><u/><sz val="11"/><color rgb="FF0563C1"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="4"><xf/><xf numFmtId="164" applyNumberFormat="1"/><xf fontId="1" applyFont="1"/><xf fontId="2" applyFont="1"/></cellXfs></styleSheet>`,
    ],
  ]
}
