/** What a browser has to fetch, compressed as a proxy would. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { root } from './from-core.ts'

const gzipped = (file: string): number => gzipSync(readFileSync(file), { level: 6 }).length

export interface Sizes {
  /** What every page of the shop carries. */
  loader: number
  /** The window, once it is opened. */
  widget: number
  workbench: number
}

/** Undefined when the apps have not been built. */
export function measureSizes(): Sizes | undefined {
  const widget = join(root, 'plugins/website/widget/dist')
  const workbench = join(root, 'workbench-ui/dist')
  const index = join(workbench, 'index.html')
  if (!existsSync(join(widget, 'widget.js')) || !existsSync(index)) return undefined
  const html = readFileSync(index, 'utf8')
  const first = [...html.matchAll(/(?:src|href)="\/workbench\/([^"]+)"/g)].map((match) => join(workbench, match[1] ?? ''))
  return {
    loader: gzipped(join(widget, 'widget.js')),
    widget: readdirSync(widget)
      .filter((name) => /\.(js|css)$/.test(name))
      .reduce((sum, name) => sum + gzipped(join(widget, name)), 0),
    workbench: [index, ...first, join(workbench, 'shared/vue.js')].reduce((sum, file) => sum + gzipped(file), 0),
  }
}
