import { defineConfig } from '@playwright/test'

export default defineConfig({
  testDir: './e2e',
  outputDir: '../test-results',
  timeout: 60_000,
  expect: { timeout: 10_000 },
  workers: 1,
  reporter: [['list']],
  // The main job on both profiles; the rest of the pages do not care which database is below.
  projects: [{ name: 'embedded' }, ...(process.env.TEST_DATABASE_URL ? [{ name: 'served', testMatch: 'first-conversation.spec.ts' }] : [])],
  use: {
    trace: 'retain-on-failure',
    locale: 'zh-CN',
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-background-networking', '--disable-quic', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
    },
  },
})
