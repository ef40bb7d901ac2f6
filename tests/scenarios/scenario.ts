/** A world that a test and a person look at alike: `npm run dev -- NAME` opens it in a browser, a test starts it on every profile. */
import { readdirSync } from 'node:fs'
import type { PluginManifest } from '../../core/sdk/plugin.ts'
import type { Hub } from '../../core/src/hub.ts'

export interface Scenario {
  /** Channels and features beside the bundled plugins. */
  plugins?: readonly PluginManifest[]
  /** Fills an empty hub; returns what whoever looks needs to know, line by line (who signs in where). */
  seed(hub: Hub): Promise<string[]>
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
