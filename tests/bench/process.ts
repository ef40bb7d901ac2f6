/** A server in a process of its own: started here, watched through /proc, ended here. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { root } from './from-core.ts'

/** Linux counts a process's time in hundredths of a second. */
const ticksPerSecond = 100
const running = new Set<ChildProcess>()

/** Whatever happens: nothing that was started here stays. */
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export class Served {
  readonly url: string
  readonly startMs: number
  readonly #child: ChildProcess
  readonly #said: () => string
  /** Other processes of the same server. */
  readonly #others: Served[] = []

  private constructor(url: string, startMs: number, child: ChildProcess, said: () => string) {
    this.url = url
    this.startMs = startMs
    this.#child = child
    this.#said = said
  }

  /** Resolves when it says "is open". */
  static async start(port: number, args: string[], env: Record<string, string>): Promise<Served> {
    const began = performance.now()
    const inherited = Object.fromEntries(['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG'].flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])))
    const child = spawn(process.execPath, args, { cwd: root, env: { ...inherited, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(child)
    let said = ''
    const startMs = await new Promise<number>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${args.join(' ')} did not start: ${said.slice(-2_000)}`)), 30_000)
      const hear = (piece: Buffer): void => {
        said = (said + piece.toString()).slice(-20_000)
        if (!said.includes('is open')) return
        clearTimeout(late)
        resolve(performance.now() - began)
      }
      child.stdout?.on('data', hear)
      child.stderr?.on('data', hear)
      child.once('exit', (code, signal) => {
        running.delete(child)
        clearTimeout(late)
        reject(new Error(`${args.join(' ')} ended (${signal ?? code}): ${said.slice(-2_000)}`))
      })
    })
    return new Served(`http://127.0.0.1:${port}`, startMs, child, () => said)
  }

  /** From now on its CPU time and memory are counted with this one's, and it ends with it. */
  with(other: Served): this {
    this.#others.push(other)
    return this
  }

  /** User and system time so far. */
  cpuSeconds(): number {
    return this.#others.reduce((sum, other) => sum + other.cpuSeconds(), this.#cpuSeconds())
  }

  #cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8')
    // After the name in parentheses, which may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  }

  rssMb(): number {
    const kb = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+) kB/)?.[1]
    return this.#others.reduce((sum, other) => sum + other.rssMb(), Number(kb) / 1_024)
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Warnings and errors it has printed. */
  complaints(): string[] {
    const own = this.#said()
      .split('\n')
      .filter((line) => /"level":(40|50|60)/.test(line))
    return [...own, ...this.#others.flatMap((other) => other.complaints())]
  }

  /** Until it has next to nothing to do: what it was given before is done. Two minutes at most. */
  async quiet(): Promise<void> {
    const end = performance.now() + 120_000
    for (let still = 0; still < 2 && performance.now() < end; ) {
      const before = this.cpuSeconds()
      await new Promise((resolve) => setTimeout(resolve, 2_000))
      still = this.cpuSeconds() - before < 0.3 ? still + 1 : 0
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#others.map((other) => other.stop()))
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.kill('SIGTERM')
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 8_000)
    await ended
    clearTimeout(late)
    running.delete(this.#child)
  }
}

/** Seconds of all cores spent by anybody (or taken by the host) since the machine started. */
function machineBusySeconds(): number {
  const [, ...fields] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').trim().split(/\s+/)
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields.map(Number)
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond
}

/** What a stretch of time cost, and to whom. */
export function watch(server: Served): () => { seconds: number; cpu: number; others: number } {
  const before = { at: performance.now(), server: server.cpuSeconds(), own: process.cpuUsage(), machine: machineBusySeconds() }
  return () => {
    const seconds = (performance.now() - before.at) / 1_000
    const cpu = server.cpuSeconds() - before.server
    const { user, system } = process.cpuUsage(before.own)
    const others = machineBusySeconds() - before.machine - cpu - (user + system) / 1e6
    return { seconds, cpu, others: Math.max(0, others / seconds / cpus().length) }
  }
}
