/** The widget's three bundles: the loader on other people's pages, the line in the closed frame, the window in the open one. */
import { join } from 'node:path'
import { defineConfig } from 'vite'

const bundles = { loader: 'widget.js', line: 'line.js', frame: 'frame.js' }
const entry = (process.env.WIDGET_ENTRY ?? 'frame') as keyof typeof bundles
if (!bundles[entry]) throw new Error(`WIDGET_ENTRY must be one of ${Object.keys(bundles).join(', ')}`)

export default defineConfig({
  root: import.meta.dirname,
  logLevel: 'warn',
  build: {
    target: 'es2018',
    cssTarget: ['chrome64', 'safari12'],
    outDir: join(import.meta.dirname, 'dist'),
    emptyOutDir: false,
    modulePreload: false,
    lib: {
      entry: join(import.meta.dirname, `src/${entry}.ts`),
      formats: ['iife'],
      name: `huike_${entry}`,
      fileName: () => bundles[entry],
      cssFileName: 'frame',
    },
  },
})
