import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clockTime, dateLanguage, shortTime } from './times.ts'

/** The reader's browser. */
const speaks = (language: string) => Object.defineProperty(navigator, 'language', { value: language, configurable: true })
const local = (...at: [year: number, month: number, day: number, hour: number, minute: number]) => new Date(...at).toISOString()

test('English dates are written as the reader’s browser writes them; Chinese ones and clocks are the same everywhere', () => {
  const [now, lately] = [new Date(2026, 5, 1), local(2026, 2, 4, 0, 5)]
  speaks('en-US')
  assert.deepEqual([shortTime(lately, 'en', now), clockTime(lately, 'en')], ['3/4', '00:05'])
  speaks('en-GB')
  assert.deepEqual([shortTime(lately, 'en', now), clockTime(lately, 'en')], ['04/03', '00:05'])
  // A reader of English in a browser of another language.
  speaks('de-DE')
  assert.deepEqual([dateLanguage('en'), dateLanguage('zh'), shortTime(lately, 'zh', now)], ['en-GB', 'zh-CN', '3/4'])
})
