/** A kernel without its hub. */
import type { PluginContext, PluginManifest } from '../../core/sdk/plugin.ts'
import { Kernel, type KernelOptions, type StateStore, type StoredState } from '../../core/src/kernel/kernel.ts'
import { Vault } from '../../core/src/kernel/settings.ts'
import { silent } from './world.ts'

type Times = Pick<KernelOptions, 'startTimeoutMs' | 'undoTimeoutMs' | 'listenerTimeoutMs' | 'retryMs'>

/** Its times can be shortened, and nothing of the hub is needed for them. Two with the same `states` are two processes. */
export function kernelOf(manifests: PluginManifest[], times: Times, states: Map<string, StoredState> | StateStore = new Map()): Kernel {
  return new Kernel(
    manifests.map((manifest) => ({ manifest, dir: '' })),
    [],
    {
      log: silent as never,
      vault: new Vault('x'.repeat(32)),
      secret: 'x'.repeat(32),
      store: states instanceof Map ? inMemory(states) : states,
      context: (base) => base as PluginContext,
      ...times,
    },
  )
}

const inMemory = (states: Map<string, StoredState>): StateStore => ({
  load: async () => new Map(states),
  save: async (id, state) => void states.set(id, { enabled: true, settings: {}, ...states.get(id), ...state }),
})
