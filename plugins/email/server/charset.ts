/**
 * Bytes to text, as mail really is labelled. `gb2312` often holds GBK or GB18030, `us-ascii` anything, and many Chinese
 * clients label nothing at all. The decoders are the platform's own (WHATWG); names they do not know are mapped here.
 */

/** Names seen in mail that the platform's decoders know by another one, or read too narrowly. */
const aliases: Record<string, string> = {
  gb2312: 'gb18030',
  gbk: 'gb18030',
  'x-gbk': 'gb18030',
  gb_2312: 'gb18030',
  'gb_2312-80': 'gb18030',
  'gb2312-80': 'gb18030',
  csgb2312: 'gb18030',
  'euc-cn': 'gb18030',
  cp936: 'gb18030',
  ms936: 'gb18030',
  'windows-936': 'gb18030',
  gb: 'gb18030',
  'gb18030-2005': 'gb18030',
  cp950: 'big5',
  'windows-950': 'big5',
  cp949: 'euc-kr',
  'windows-949': 'euc-kr',
  'ks_c_5601-1987': 'euc-kr',
  cp932: 'shift_jis',
  'windows-932': 'shift_jis',
  'iso-2022-jp-2': 'iso-2022-jp',
  'iso-2022-jp-ms': 'iso-2022-jp',
  cp1250: 'windows-1250',
  cp1251: 'windows-1251',
  cp1252: 'windows-1252',
  utf8mb4: 'utf-8',
  'utf-8mb4': 'utf-8',
}
/** Labels that promise seven bits; what has the eighth set was labelled wrong, or by nobody. */
const unlabelled = new Set(['', 'us-ascii', 'ascii', 'ansi_x3.4-1968', '7bit', '8bit', 'unknown-8bit', 'x-unknown', 'default', 'default_charset'])
/** Can smuggle markup past a filter that looks for "<" (`+ADw-script`): read as what it looks like. */
const refused = /^(?:(?:cs)?unicode-?1-?1-?)?utf-?7(?:-?imap)?$/

type Decoder = InstanceType<typeof TextDecoder>
const decoders = new Map<string, Decoder | undefined>()
function decoderOf(label: string): Decoder | undefined {
  if (decoders.has(label)) return decoders.get(label)
  let decoder: Decoder | undefined
  try {
    decoder = refused.test(label) ? undefined : new TextDecoder(aliases[label] ?? label)
  } catch {
    decoder = undefined
  }
  // Labels come from strangers: the map must not grow with them.
  if (decoders.size < 200) decoders.set(label, decoder)
  return decoder
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })
const utf8 = new TextDecoder('utf-8')
/** Of what is not ASCII, the part that may be unreadable: in GB18030 read as UTF-8 it is far more. */
const mostBroken = 0.1

/** Text of bytes that nobody labelled, or as UTF-8: that, unless too much of it is not, else the charset of Chinese clients. */
function guess(bytes: Uint8Array): string {
  try {
    // Where it holds to the letter its U+FFFD were written, and tell nothing.
    return strictUtf8.decode(bytes)
  } catch {
    const text = utf8.decode(bytes)
    return isBroken(text) ? (decoderOf('gb18030') as Decoder).decode(bytes) : text
  }
}

/** A byte lost or astray breaks one character, and a text that was cut its last one: that tells against nothing that stands before. */
function isBroken(text: string): boolean {
  const said = text.trimEnd()
  const end = said.endsWith('\ufffd') ? said.length - 1 : said.length
  let [foreign, broken] = [0, 0]
  for (let i = 0; i < end; i++) {
    const code = said.charCodeAt(i)
    if (code > 0x7f) foreign++
    if (code === 0xfffd) broken++
  }
  return foreign === 0 || broken > foreign * mostBroken
}

/** HZ (RFC 1843): seven bits, `~{` and `~}` around GB2312 pairs with the high bit cleared. */
function decodeHz(bytes: Uint8Array): string {
  const out: number[] = []
  let wide = false
  for (let i = 0; i < bytes.length; i++) {
    const [byte = 0, next] = [bytes[i], bytes[i + 1]]
    if (byte === 0x7e && (next === 0x7b || next === 0x7d || next === 0x7e || next === 0x0a)) {
      if (next === 0x7b) wide = true
      else if (next === 0x7d) wide = false
      else if (next === 0x7e) out.push(0x7e)
      i++
    } else out.push(wide && byte > 0x20 ? byte | 0x80 : byte)
  }
  return guess(Uint8Array.from(out))
}

const labelOf = (charset = ''): string =>
  charset
    .trim()
    .toLowerCase()
    .replace(/^["']|["']$/g, '')

/** Never throws: what cannot be read is U+FFFD. */
export function decodeText(bytes: Uint8Array, charset?: string): string {
  const label = labelOf(charset)
  if (unlabelled.has(label)) return guess(bytes)
  if (label === 'hz-gb-2312' || label === 'hz') return decodeHz(bytes)
  const decoder = decoderOf(label)
  if (!decoder) return guess(bytes)
  // The label may lie: GB18030 reads better than a page of U+FFFD.
  if (decoder.encoding === 'utf-8') return guess(bytes)
  return decoder.decode(bytes)
}

/** How far into a page its own word is looked for. Browsers look 1024 bytes far; Word's namespaces come before it. */
const headBytes = 4_096
const ownWord = /<meta\b[^>]{0,500}?\bcharset\s{0,9}=\s{0,9}["']?\s{0,9}([\w.:-]{1,40})/i

/** Markup that nobody labelled says itself how it is written: by its first bytes, else in a `<meta>`. Only then it is guessed. */
export function decodeHtml(bytes: Uint8Array, charset?: string): string {
  if (!unlabelled.has(labelOf(charset))) return decodeText(bytes, charset)
  const [first, second, third] = bytes
  if (first === 0xff && second === 0xfe) return decodeText(bytes, 'utf-16le')
  if (first === 0xfe && second === 0xff) return decodeText(bytes, 'utf-16be')
  if (first === 0xef && second === 0xbb && third === 0xbf) return guess(bytes)
  const head = Buffer.from(bytes.subarray(0, headBytes)).toString('latin1')
  const said = ownWord.exec(head)?.[1]?.toLowerCase()
  // What we could read so far to find it cannot be UTF-16 (https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding).
  return said === undefined || said.startsWith('utf-16') || isUtf8(bytes) ? guess(bytes) : decodeText(bytes, said)
}

/** With characters of three bytes or more, which is no accident: a gateway that translated a letter leaves its `<meta>` as it was. */
function isUtf8(bytes: Uint8Array): boolean {
  const text = utf8.decode(bytes)
  return /[\u0800-\ufffc]/.test(text) && !isBroken(text)
}
