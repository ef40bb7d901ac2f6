/** Text on pages, read back by another's reader: nothing a customer writes may be lost, become something else, or stop the writing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { extractText, getDocumentProxy } from 'unpdf'
import { pdfDocument } from './document.ts'
import { type Frame, frameBytes, framesOf } from './frames.ts'
import { Pages, paper, type Said } from './pages.ts'
import { loadFonts, Typeface } from './typeface.ts'

const fonts = await loadFonts()
const about = {
  title: '聊天记录',
  author: '周敏',
  watermark: '周敏  2026-11-23 09:05',
  language: 'zh' as const,
  at: new Date(0),
  id: 'x',
  nothing: '没有可以导出的会话。',
}
const said = (text: string, more: Partial<Said> = {}): Said => ({ kind: 'in', author: '客户', detail: '', text, pictures: [], files: [], ...more })

function framesWith(fill: (pages: Pages) => void): Frame[] {
  const pages = new Pages(fonts)
  fill(pages)
  return [...pages.end()]
}
async function fileOf(...parts: Frame[][]): Promise<Buffer> {
  const pages = parts.flat().filter(({ kind }) => kind === 'page').length
  async function* all() {
    yield* parts.flat()
  }
  return Buffer.concat(await Array.fromAsync(pdfDocument(fonts, { ...about, pages }, all())))
}
async function textOf(...parts: Frame[][]): Promise<string[]> {
  const { text } = await extractText(await getDocumentProxy(new Uint8Array(await fileOf(...parts))))
  return text.map((page) => page.replaceAll('\n', ''))
}

test('every character of GB2312 comes out as it went in', async () => {
  const decoder = new TextDecoder('gbk')
  let all = ''
  for (let row = 0xb0; row <= 0xf7; row++)
    for (let cell = 0xa1; cell <= 0xfe; cell++) {
      const sign = decoder.decode(Uint8Array.of(row, cell))
      if (sign.length === 1 && sign >= '\u4e00' && sign <= '\u9fff') all += sign
    }
  assert.equal(all.length, 6_763)
  const text = (await textOf(framesWith((pages) => pages.said(said(all))))).join('').replace(/周敏\s+2026-11-23 09:05|\d+ \/ \d+|客户/g, '')
  assert.ok(text.includes(all.slice(0, 1_000)))
  for (const sign of all) assert.ok(text.includes(sign), sign)
})

test('Latin, Greek, Cyrillic, rare names, symbols and emoji too; what no font has is a square; what has no shape is left out', async () => {
  const [page = ''] = await textOf(framesWith((pages) => pages.said(said('Aéș ΩЖ 喆堃鬯 ①℃★ 👍🏽❤️ 𠮷|한|عر|\u202egpj\u0000\u200d\ud800.'))))
  assert.ok(page.includes('Aés ΩЖ 喆堃鬯 ①℃★ 👍❤ □|□|□□|gpj□.'), page)
})

test('long words, long texts and a page that is not enough break nothing', async () => {
  const long = 'x'.repeat(30_000)
  const pages = await textOf(framesWith((all) => all.said(said(`${long}终`))))
  assert.ok(pages.length > 3)
  assert.equal(pages.join('').match(/x/g)?.length, 30_000)
  assert.ok(pages.at(-1)?.includes('终'))
})

test('of a heading nothing is cut off: a long title, long facts and many of them go on on the next page, each page with its mark', async () => {
  const sentences = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}${i}句；`)
  const long = { title: sentences('题', 150), note: sentences('注', 400), remark: sentences('备', 260), lines: sentences('行', 145) }
  const doc = await getDocumentProxy(
    new Uint8Array(
      await fileOf(
        framesWith((pages) => {
          pages.said(said('前面'))
          pages.heading({
            title: long.title.join(''),
            url: 'https://hub.example.cn/r/1',
            facts: [
              { label: '客服', value: '林晓' },
              { label: '服务小记', value: long.note.join('') },
              { label: '备注', value: long.remark.join('') },
              { label: '地址', value: long.lines.join('\n') },
              ...Array.from({ length: 12 }, (_, i) => ({ label: `f${i}`, value: `值${i}号` })),
            ],
          })
          pages.said(said('后面'))
        }),
      ),
    ),
  )
  assert.ok(doc.numPages > 3)
  const words: string[] = []
  for (let i = 1; i <= doc.numPages; i++) {
    const page = await doc.getPage(i)
    const items = (await page.getTextContent()).items.flatMap((item) => ('str' in item ? [{ text: item.str, y: item.transform[5] as number }] : []))
    assert.ok(items.some(({ text }) => text.includes(about.author)) && items.some(({ text }) => text.includes(`${i} / ${doc.numPages}`)))
    for (const { text, y } of items) assert.ok(y > 0 && y < paper.height, `${text} at ${y}`)
    // What is below is the page's own line.
    words.push(...items.filter(({ y }) => y >= paper.bottom).map(({ text }) => text))
  }
  const text = words.join('').replace(/周敏\s+2026-11-23 09:05/g, '')
  for (const one of ['前面', ...Object.values(long).flat(), '林晓', ...Array.from({ length: 12 }, (_, i) => `值${i}号`), '后面'])
    assert.ok(text.includes(one), `${one} in ${text}`)
  assert.equal((await doc.getOutline())?.length, 1)
})

test('a line never begins with closing punctuation nor ends with an opening one', () => {
  const type = new Typeface(fonts)
  const back = (hex: string) =>
    hex
      .match(/.{4}/g)
      ?.map((glyph) => String.fromCodePoint(type.used[0]?.get(Number.parseInt(glyph, 16)) ?? 0))
      .join('') ?? ''
  const text = '他说：“今天（周一）发货。”然后，又问《红楼梦》有没有；没有！'.repeat(8)
  for (let width = 4_000; width < 20_000; width += 700)
    for (const [i, { stretches, width: wide }] of type.lines(text, width).entries()) {
      const line = stretches.map(({ hex }) => back(hex)).join('')
      assert.ok(wide <= width, line)
      if (i > 0) assert.doesNotMatch(line, /^[，。；！”）》]/, line)
      assert.doesNotMatch(line, /[“（《]$/, line)
    }
})

test('parts become one: fonts once, pages counted through, contents of all', async () => {
  const part = (name: string) =>
    framesWith((pages) => {
      pages.heading({ title: name, url: '', facts: [{ label: '客服', value: '林晓' }] })
      pages.said(said(`${name}说的话`))
    })
  const doc = await getDocumentProxy(new Uint8Array(await fileOf(part('甲'), part('乙'), part('丙'))))
  assert.deepEqual(
    (await doc.getOutline())?.map(({ title }) => title),
    ['甲', '乙', '丙'],
  )
  const { text } = await extractText(doc)
  for (const [i, page] of text.entries()) assert.ok(page.includes(`${i + 1} / 3`) && page.includes('周敏') && page.includes('2026-11-23 09:05'), page)
})

test('of nothing there is a page that says so', async () => {
  assert.match((await textOf(framesWith(() => undefined)))[0] ?? '', /没有可以导出的会话/)
})

test('frames are read however they were cut; one that is not whole is noticed', async () => {
  const frames = framesWith((pages) => pages.said(said('你好')))
  const bytes = Buffer.concat(frames.map(frameBytes))
  for (const size of [1, 7, 4_096]) {
    async function* cut() {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
    }
    assert.deepEqual(await Array.fromAsync(framesOf(cut())), frames)
  }
  async function* short() {
    yield bytes.subarray(0, -1)
  }
  await assert.rejects(Array.fromAsync(framesOf(short())), /cut off/)
})
