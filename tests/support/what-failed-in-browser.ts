/** What failed in the browser, each with its reason and line, in the file that WHAT_FAILED names; see what-failed.ts. */
import { appendFileSync } from 'node:fs'
import type { Reporter, TestCase, TestResult } from '@playwright/test/reporter'
import { asFailure } from './what-failed.ts'

export default class WhatFailedInBrowser implements Reporter {
  onTestEnd(test: TestCase, result: TestResult): void {
    if (!process.env.WHAT_FAILED || result.status === test.expectedStatus) return
    const why = result.errors.map(({ message, stack, value, snippet }) => [stack ?? message ?? value, snippet].filter(Boolean).join('\n')).join('\n')
    const project = test.parent.project()?.name ?? ''
    appendFileSync(process.env.WHAT_FAILED, asFailure(`${test.location.file}:${test.location.line} [${project}]`, test.title, why || result.status))
  }
}
