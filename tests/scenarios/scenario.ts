/** A world that a test and a person look at alike: `npm run dev -- NAME` opens it in a browser, a test starts it on every profile. */
import { readdirSync } from 'node:fs'
import type { PluginManifest } from '../../core/sdk/plugin.ts'
import type { RunningHub } from '../../core/src/app.ts'

export interface Scenario {
  /** Channels and features beside the bundled plugins. */
  plugins?: readonly PluginManifest[]
  /** Lives by the bundled plugins: a test starts them too. */
  bundled?: boolean
  /** Fills an empty hub. */
  seed(running: RunningHub): Promise<Opened>
}

export interface Opened {
  /** Who signs in: `mail / password`. */
  people: string[]
  /** What whoever looks needs to know beside it, line by line. */
  lines?: string[]
  /** Ends what was started beside the hub; before the hub stops. */
  close?(): Promise<void>
}

export const scenarioNames = (): string[] =>
  readdirSync(import.meta.dirname, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()

/** Throws when there is none of this name. */
export async function findScenario(name: string): Promise<Scenario> {
  if (!scenarioNames().includes(name)) throw new Error(`There is no scenario ${name}. There are: ${scenarioNames().join(', ')}`)
  return ((await import(`./${name}/world.ts`)) as { default: Scenario }).default
}
