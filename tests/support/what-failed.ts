/**
 * A reporter for `node --test` that keeps only what failed, each with its reason: hundreds of lines may follow a
 * failure, and where the output is cut its reason is what is missed.
 */
import type { TestEvent } from 'node:test/reporters'
import { inspect, stripVTControlCharacters } from 'node:util'

/** A failure as it is told again at the end: the test's place and name, and the first lines of why. */
export const asFailure = (where: string, name: string, why: string): string =>
  `✖ ${where} › ${name}\n${stripVTControlCharacters(why)
    .split('\n')
    .filter((line) => !/^\s+at .*(node:internal|node_modules)/.test(line))
    .slice(0, 24)
    .map((line) => `    ${line.slice(0, 300)}`)
    .join('\n')}\n`

export default async function* whatFailed(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    if (event.type !== 'test:fail') continue
    const { file, line, name, details } = event.data
    const { error } = details
    // A suite fails with its tests: they say why.
    if ('failureType' in error && error.failureType === 'subtestsFailed') continue
    const cause = error.cause ?? error
    yield asFailure(`${file}:${line}`, name, cause instanceof Error ? (cause.stack ?? cause.message) : inspect(cause))
  }
}
