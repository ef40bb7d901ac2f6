/** What plugins add to an app: loaded by address, kept by plugin, gone when the plugin is switched off. */
import { shallowReactive } from 'vue'
import type { RowMark, TextMark, UiModule, UiPage, UiSlot } from '../sdk/ui.ts'
import type { Me } from '../sdk/wire/agent.ts'
import type { Conversation, Message } from '../sdk/wire/conversation.ts'
import { type IconName, isIcon } from './Icon.vue'
import { useRealtime } from './realtime.ts'

const modules = shallowReactive(new Map<string, UiModule>())
const failures = shallowReactive(new Map<string, string>())

/** What runs, as last heard: a module may come when its plugin is gone already. */
let wanted = new Set<string>()

/** Loads what is new and drops what is gone. A module that fails is noted; the app goes on. */
export async function loadPluginUis(plugins: Me['plugins'], app: 'workbench' | 'admin', addWords: (locale: 'zh' | 'en', words: object) => void): Promise<void> {
  wanted = new Set(plugins.map(({ id }) => id))
  for (const id of modules.keys()) {
    if (wanted.has(id)) continue
    modules.delete(id)
    started.get(id)?.()
    started.delete(id)
  }
  await Promise.all(
    plugins.map(async (plugin) => {
      const address = plugin[app]
      if (!address || modules.has(plugin.id)) return
      try {
        const { default: module } = (await import(/* @vite-ignore */ address)) as { default: UiModule }
        if (!wanted.has(plugin.id) || modules.has(plugin.id)) return
        for (const locale of ['zh', 'en'] as const) if (module.locales?.[locale]) addWords(locale, { [plugin.id]: module.locales[locale] })
        if (module.start && !started.has(plugin.id)) started.set(plugin.id, startModule(plugin.id, module.start))
        modules.set(plugin.id, module)
        failures.delete(plugin.id)
      } catch (error) {
        failures.set(plugin.id, (error as Error).message)
      }
    }),
  )
}

/** What takes back what a module started. */
const started = new Map<string, () => void>()

function startModule(id: string, start: NonNullable<UiModule['start']>): () => void {
  const realtime = useRealtime()
  const undo: (() => void)[] = []
  const stop = start({
    onNews: (handler) =>
      undo.push(realtime.on<{ plugin: string; conversationId: string }>('plugin.news', (news) => news.plugin === id && handler(news.conversationId))),
    onResync: (handler) => undo.push(realtime.onResync(async () => handler())),
  })
  return () => {
    for (const take of undo) take()
    stop()
  }
}

const marking = (can: (permission: string) => boolean) =>
  [...modules.values()].flatMap(({ marks }) => (marks && (!marks.permission || can(marks.permission)) ? [marks] : []))

/** What plugins say of a row. One that throws says nothing. */
export const rowMarks = (conversation: Conversation, can: (permission: string) => boolean): RowMark[] =>
  marking(can).flatMap((marks) => quietly(() => marks.row?.(conversation)))

/** What the colours and signs of rows mean. */
export const marksLegend = (can: (permission: string) => boolean): RowMark[] => marking(can).flatMap(({ legend }) => legend ?? [])

/** Phrases that plugins mark in a text part, in order, none inside another. */
export function textMarks(message: Message, part: number, length: number, can: (permission: string) => boolean): TextMark[] {
  const all = marking(can).flatMap((marks) => quietly(() => marks.text?.(message, part)))
  let end = 0
  return all
    .filter((mark) => mark.start >= 0 && mark.start < mark.end && mark.end <= length)
    .sort((a, b) => a.start - b.start || b.end - a.end)
    .filter((mark) => {
      if (mark.start < end) return false
      end = mark.end
      return true
    })
}

function quietly<T>(work: () => readonly T[] | undefined): readonly T[] {
  try {
    return work() ?? []
  } catch {
    return []
  }
}

export function slotsOf(name: UiSlot['slot'], can: (permission: string) => boolean): (UiSlot & { plugin: string })[] {
  return [...modules]
    .flatMap(([plugin, module]) => (module.slots ?? []).filter((slot) => slot.slot === name).map((slot) => ({ ...slot, plugin })))
    .filter((slot) => !slot.permission || can(slot.permission))
    .sort((a, b) => (a.order ?? 0) - (b.order ?? 0))
}

/** In an order that does not depend on which module was there first. */
export function pluginPages(can: (permission: string) => boolean): (UiPage & { plugin: string; icon: IconName })[] {
  return [...modules]
    .flatMap(([plugin, module]) =>
      (module.pages ?? []).map((page) => ({ ...page, plugin, icon: page.icon && isIcon(page.icon) ? page.icon : ('plug' as const) })),
    )
    .filter((page) => !page.permission || can(page.permission))
    .sort((a, b) => (a.order ?? 0) - (b.order ?? 0) || (a.plugin < b.plugin ? -1 : 1))
}
