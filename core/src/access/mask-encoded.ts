/**
 * Addresses write signs as `%40`: what a person reads in them, and where each sign of it stands in the text. An address
 * within an address is encoded twice and more (`%2540`), old pages write GBK or `%u5F20`, a form writes a space as a plus.
 */

interface Plain {
  text: string
  /** The sign at `i` stands at `from[i]` up to `to[i]`. */
  from: number[]
  to: number[]
}

const unit = '%(?:25)*'
const encoded = new RegExp(`${unit}u([\\da-f]{4})|(?:${unit}[\\da-f]{2})+`, 'gi')
const bytesOf = new RegExp(`${unit}([\\da-f]{2})`, 'gi')
/** A field of a form with spaces in it. */
const spaced = /[?&][^\s=&]{1,40}=[^\s&]{0,200}\+/

/** The text without its encoding, and once more with spaces for plusses where it may be a form; nothing where none is encoded. */
export function plainForms(text: string): Plain[] {
  const plusses = text.includes('+') && spaced.test(text)
  if (!plusses && text.search(encoded) < 0) return []
  const plain = plainOf(text)
  return plusses ? [plain, plainOf(text, ' ')] : [plain]
}

function plainOf(text: string, plus = '+'): Plain {
  const plain: Plain = { text: '', from: [], to: [] }
  const put = (signs: string, from: number, to: number) => {
    plain.text += signs
    for (let i = 0; i < signs.length; i++) {
      plain.from.push(from)
      plain.to.push(to)
    }
  }
  const copy = (from: number, to: number) => {
    for (let i = from; i < to; i++) put(text[i] === '+' ? plus : (text[i] as string), i, i + 1)
  }
  let at = 0
  for (const found of text.matchAll(encoded)) {
    copy(at, found.index)
    at = found.index + found[0].length
    if (found[1]) put(String.fromCharCode(Number.parseInt(found[1], 16)), found.index, at)
    else readBytes(found[0], found.index, put)
  }
  copy(at, text.length)
  return plain
}

function readBytes(run: string, start: number, put: (signs: string, from: number, to: number) => void): void {
  const units = [...run.matchAll(bytesOf)]
  const bytes = Uint8Array.from(units, ([, hex]) => Number.parseInt(hex as string, 16))
  const utf8 = isUtf8(bytes)
  const decoder = new TextDecoder(utf8 ? 'utf-8' : 'gb18030')
  for (let i = 0; i < bytes.length; ) {
    const size = Math.min((utf8 ? utf8Size : gbSize)(bytes, i), bytes.length - i)
    const last = units[i + size - 1] as RegExpExecArray
    put(decoder.decode(bytes.subarray(i, i + size)), start + (units[i] as RegExpExecArray).index, start + last.index + last[0].length)
    i += size
  }
}

/** Its last sign may have been cut off. */
function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    return true
  } catch {
    return false
  }
}

const utf8Size = (bytes: Uint8Array, i: number): number => {
  const lead = bytes[i] as number
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
}
const gbSize = (bytes: Uint8Array, i: number): number => {
  if ((bytes[i] as number) < 0x81) return 1
  const next = bytes[i + 1] ?? 0
  return next >= 0x30 && next <= 0x39 ? 4 : 2
}
