/**
 * Runs test files like `node --test`, each in a process of its own, but of several groups with environments of their own at
 * once: what waits in one file is another's time, and the longest, which go first, leave nobody waiting at the end.
 */
import { createWriteStream, statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'
import whatFailed from './what-failed.ts'

export interface TestFile {
  /** What it is run for, for the list of the longest. */
  group: string
  /** Within `cwd`. */
  file: string
  cwd: string
  env: NodeJS.ProcessEnv
}

/** A file's size tells how long it takes well enough, and cannot go stale. */
const largestFirst = (files: readonly TestFile[]): TestFile[] => files.toSorted((a, b) => sizeOf(b) - sizeOf(a))
const sizeOf = ({ cwd, file }: TestFile): number => statSync(join(cwd, file)).size

/** What a run says at its end of itself: these are many runs. */
const isSummary = ({ type, data }: TestEvent): boolean =>
  type === 'test:summary' || (type === 'test:plan' && data.nesting === 0) || (type === 'test:diagnostic' && data.nesting === 0 && data.file === undefined)

/** Prints as `node --test` does, file by file; the failures also go to the file `failures`. Resolves with whether all passed. */
export async function runFiles(files: readonly TestFile[], atOnce: number, timeoutMs: number, failures: string): Promise<boolean> {
  const waiting = largestFirst(files)
  const took: { what: string; seconds: number }[] = []
  const count = { pass: 0, fail: 0, skip: 0 }
  let allPassed = true
  const printed = new Readable({ objectMode: true, read: () => undefined })
  const kept = new Readable({ objectMode: true, read: () => undefined })
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { file, cwd, env, group } = next
      const began = performance.now()
      // Reporters read one file's events after the other's.
      const events: TestEvent[] = []
      for await (const event of run({ files: [join(cwd, file)], cwd, env, concurrency: 1, timeout: timeoutMs }) as AsyncIterable<TestEvent>)
        if (!isSummary(event)) events.push(event)
      for (const event of events) {
        printed.push(event)
        kept.push(event)
        if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
        // A suite fails with its tests, or by itself: what is before and after them.
        if (event.type === 'test:fail') allPassed = false
        if (event.data.details.type === 'suite') continue
        if (event.type === 'test:fail') count.fail++
        else if (event.data.skip !== undefined) count.skip++
        else count.pass++
      }
      took.push({ what: `${file} (${group})`, seconds: (performance.now() - began) / 1_000 })
    }
  }
  const working = Promise.all(Array.from({ length: atOnce }, worker)).finally(() => {
    printed.push(null)
    kept.push(null)
  })
  await Promise.all([
    working,
    pipeline(printed.compose(spec) as NodeJS.ReadableStream, process.stdout, { end: false }),
    pipeline(kept.compose(whatFailed) as NodeJS.ReadableStream, createWriteStream(failures)),
  ])
  const longest = took.sort((a, b) => b.seconds - a.seconds).slice(0, 10)
  console.log(`\n${files.length} files: ${count.pass} tests passed, ${count.fail} failed, ${count.skip} skipped. The longest files:`)
  for (const { what, seconds } of longest) console.log(`  ${seconds.toFixed(0).padStart(4)} s  ${what}`)
  return allPassed
}
