/** The widget's two bundles: the loader that stands on other people's pages, and the window in its frame. */
import { join } from 'node:path'
import { defineConfig } from 'vite'

const entry = process.env.WIDGET_ENTRY === 'loader' ? 'loader' : 'frame'

export default defineConfig({
  root: import.meta.dirname,
  logLevel: 'warn',
  build: {
    target: 'es2018',
    outDir: join(import.meta.dirname, 'dist'),
    emptyOutDir: false,
    modulePreload: false,
    lib: {
      entry: join(import.meta.dirname, `src/${entry}.ts`),
      formats: ['iife'],
      name: `huike_${entry}`,
      fileName: () => (entry === 'loader' ? 'widget.js' : 'frame.js'),
      cssFileName: 'frame',
    },
  },
})
