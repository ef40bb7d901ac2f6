/** Reads the CPU profile a hub left: which packages its time was spent in, and under which of the core's functions. */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './from-core.ts'

const startUs = 5_000_000

interface Node {
  id: number
  callFrame: { functionName: string; url: string; lineNumber: number }
  children?: number[]
}
interface Profile {
  nodes: Node[]
  samples: number[]
  timeDeltas: number[]
}

const ownerOf = ({ functionName, url }: Node['callFrame']): string =>
  url.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ??
  (url.startsWith('node:') ? url : url.startsWith('file:') ? relative(url) : functionName.startsWith('(') ? functionName : 'native')
const relative = (url: string): string => url.replace(/^file:\/\//, '').replace(`${root}/`, '')

/** Microseconds that functions of a package or file took themselves, between two times since the process began; idle time is left out. */
export function ownTimes(folder: string, fromUs: number, toUs: number): Map<string, number> {
  const times = new Map<string, number>()
  for (const name of readdirSync(folder)) {
    const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profile
    const byId = new Map(nodes.map((node) => [node.id, node]))
    const parent = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)))
    let at = 0
    samples.forEach((id, i) => {
      const node = byId.get(id)
      const time = timeDeltas[i] ?? 0
      at += time
      if (at < fromUs || at > toUs || !node || ['(idle)', '(root)', '(program)'].includes(node.callFrame.functionName)) return
      // What is built in (JSON, maps, promises) belongs to whoever called it.
      let frame = node
      for (let up = parent.get(frame.id); frame.callFrame.url === '' && !frame.callFrame.functionName.startsWith('(') && up !== undefined; up = parent.get(up))
        frame = byId.get(up) ?? frame
      const owner = ownerOf(frame.callFrame)
      times.set(owner, (times.get(owner) ?? 0) + time)
    })
  }
  return times
}

/** Reads and removes the profiles in the folder. */
export function costsOf(folder: string): string {
  const lines: string[] = []
  for (const name of readdirSync(folder)) {
    const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profile
    rmSync(join(folder, name))
    const byId = new Map(nodes.map((node) => [node.id, node]))
    const parent = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)))
    const [self, own, under] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()]
    const add = (map: Map<string, number>, key: string, time: number) => map.set(key, (map.get(key) ?? 0) + time)
    let [busy, at] = [0, 0]
    samples.forEach((id, i) => {
      const node = byId.get(id)
      const time = timeDeltas[i] ?? 0
      at += time
      // The start is measured elsewhere.
      if (at < startUs || !node || ['(idle)', '(root)'].includes(node.callFrame.functionName)) return
      busy += time
      add(self, ownerOf(node.callFrame), time)
      add(own, `${node.callFrame.functionName || '(anonymous)'} ${relative(node.callFrame.url)}:${node.callFrame.lineNumber + 1}`, time)
      // Each function once, however often it stands in the stack.
      const seen = new Set<string>()
      for (let up: number | undefined = id; up !== undefined; up = parent.get(up)) {
        const frame = byId.get(up)?.callFrame
        if (frame) seen.add(`${frame.functionName || '(anonymous)'} ${relative(frame.url)}:${frame.lineNumber + 1}`)
      }
      for (const key of seen) add(under, key, time)
    })
    const ours = ([key]: [string, number]): boolean => / (?:core|plugins)\//.test(key)
    const top = (map: Map<string, number>, count: number, which: (entry: [string, number]) => boolean = () => true) =>
      [...map]
        .filter(which)
        .sort(([, a], [, b]) => b - a)
        .slice(0, count)
        .map(([key, time]) => `  ${((time / busy) * 100).toFixed(1).padStart(5)} %  ${key}`)
    lines.push(
      `${(busy / 1e6).toFixed(1)} s busy`,
      'by package, own time',
      ...top(self, 16),
      'by function, own time',
      ...top(own, 20),
      'by function, with what it calls',
      ...top(under, 30),
      'by function of ours, with what it calls',
      ...top(under, 70, ours),
    )
  }
  return lines.join('\n')
}
