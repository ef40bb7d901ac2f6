/** What plugins add to an app: loaded by address, kept by plugin, gone when the plugin is switched off. */
import { shallowReactive } from 'vue'
import type { UiModule, UiPage, UiSlot } from '../sdk/ui.ts'
import type { Me } from '../sdk/wire/agent.ts'

const modules = shallowReactive(new Map<string, UiModule>())
const failures = shallowReactive(new Map<string, string>())

/** Loads what is new and drops what is gone. A module that fails is noted; the app goes on. */
export async function loadPluginUis(plugins: Me['plugins'], app: 'workbench' | 'admin', addWords: (locale: 'zh' | 'en', words: object) => void): Promise<void> {
  for (const id of modules.keys()) if (!plugins.some((plugin) => plugin.id === id)) modules.delete(id)
  await Promise.all(
    plugins.map(async (plugin) => {
      const address = plugin[app]
      if (!address || modules.has(plugin.id)) return
      try {
        const { default: module } = (await import(/* @vite-ignore */ address)) as { default: UiModule }
        for (const locale of ['zh', 'en'] as const) if (module.locales?.[locale]) addWords(locale, { [plugin.id]: module.locales[locale] })
        modules.set(plugin.id, module)
        failures.delete(plugin.id)
      } catch (error) {
        failures.set(plugin.id, (error as Error).message)
      }
    }),
  )
}

export function slotsOf(name: UiSlot['slot'], can: (permission: string) => boolean): (UiSlot & { plugin: string })[] {
  return [...modules]
    .flatMap(([plugin, module]) => (module.slots ?? []).filter((slot) => slot.slot === name).map((slot) => ({ ...slot, plugin })))
    .filter((slot) => !slot.permission || can(slot.permission))
    .sort((a, b) => (a.order ?? 0) - (b.order ?? 0))
}

export function pluginPages(can: (permission: string) => boolean): (UiPage & { plugin: string })[] {
  return [...modules].flatMap(([plugin, module]) =>
    (module.pages ?? []).filter((page) => !page.permission || can(page.permission)).map((page) => ({ ...page, plugin })),
  )
}
