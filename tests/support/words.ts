/** What pages say, held against a language. */
import { expect, type Page } from '@playwright/test'
import { wordsShown } from './in-page.ts'

/** `records.column.contact`, and nothing that people write: no address, no number, no file. */
const key = /^[a-z][\w-]*(?:\.[a-z][\w-]*)+$/

/** Reads pages one after the other: which texts are foreign to the language, or a raw key. `besides`: the language of parts that are another matter. */
export function wordReader(page: Page, besides: 'zh-CN' | 'en', isForeign: (text: string) => boolean, isName: (text: string) => boolean = () => false) {
  const faults: string[] = []
  const read = async (what: string): Promise<void> => {
    const words = await page.evaluate<string[]>(wordsShown(besides))
    expect(words.length, what).toBeGreaterThan(2)
    faults.push(...words.filter((one) => (isForeign(one) || key.test(one)) && !isName(one)).map((one) => `${what}: ${one}`))
  }
  return { faults, read }
}
