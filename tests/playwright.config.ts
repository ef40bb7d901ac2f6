import { defineConfig } from '@playwright/test'

const chromium = process.env.CHROMIUM ?? '/usr/bin/chromium'
const args = ['--no-sandbox', '--disable-background-networking', '--disable-quic', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']

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
  projects: [
    { name: 'embedded', grepInvert: /@pdf/ },
    // Only the whole browser has a viewer.
    { name: 'pdf', grep: /@pdf/, use: { launchOptions: { executablePath: chromium, args } } },
    ...(process.env.TEST_DATABASE_URL ? [{ name: 'served', grep: /@main/, timeout: 120_000 }] : []),
  ],
  use: {
    // What the page was, without a film of it: that takes time from two cores.
    trace: { mode: 'retain-on-failure', screenshots: false, snapshots: true, sources: true },
    locale: 'zh-CN',
    // Nothing to wait for until it stands still.
    contextOptions: { reducedMotion: 'reduce' },
    viewport: { width: 1440, height: 900 },
    launchOptions: { executablePath: process.env.CHROMIUM_SHELL ?? chromium, args },
  },
})
