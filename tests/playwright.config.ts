import { defineConfig } from '@playwright/test'

export default defineConfig({
  testDir: './e2e',
  outputDir: '../test-results',
  timeout: 60_000,
  expect: { timeout: 15_000 },
  // Each test has a hub, a database and a browser context of its own.
  workers: 2,
  fullyParallel: true,
  reporter: [['list'], ['./support/what-failed-in-browser.ts']],
  // The main job on both profiles, on the served one with two webs and a worker; the other pages do not care what is below.
  projects: [{ name: 'embedded' }, ...(process.env.TEST_DATABASE_URL ? [{ name: 'served', grep: /@main/, timeout: 120_000 }] : [])],
  use: {
    // What the page was, without a film of it: that takes time from two cores.
    trace: { mode: 'retain-on-failure', screenshots: false, snapshots: true, sources: true },
    locale: 'zh-CN',
    // Nothing to wait for until it stands still.
    contextOptions: { reducedMotion: 'reduce' },
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-background-networking', '--disable-quic', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
    },
  },
})
