/** What a plugin adds to the workbench or the admin: data, not code that reaches into the app. */
import type { Component } from 'vue'
import type { Conversation, Message } from './wire/conversation.ts'

/** Places that can be filled. */
export type SlotName =
  | 'conversation.panel'
  | 'conversation.header'
  | 'conversation.list-item'
  | 'composer.toolbar'
  | 'inbox.settings'
  | 'admin.overview'
  /** Over the list of records; gets `filter`, the chosen `ids` (none = all that the filter finds) and their `count`. */
  | 'records.actions'
  /** In the head, and in the side, of a record's page; get its `record` (RecordDetail). */
  | 'record.actions'
  | 'record.panel'

export interface UiSlot {
  slot: SlotName
  /** Unique in the plugin. */
  id: string
  title?: { zh: string; en: string }
  component: Component
  order?: number
  /** Permission without which it is not shown. */
  permission?: string
}

export interface UiPage {
  /** Below `/admin/x/<plugin>/` or `/workbench/x/<plugin>/`. */
  path: string
  title: { zh: string; en: string }
  component: Component
  /** One of the kit's icons, for the menu. */
  icon?: string
  order?: number
  permission?: string
}

/** What it is about, or one of seven colours, for a plugin that finds several kinds of things. */
export type MarkTone = 'contact' | 'person' | 'warn' | 'green' | 'teal' | 'olive' | 'blue' | 'violet' | 'orange' | 'pink'

/** A sign on a conversation's row: colour, and a word for those who see none. */
export interface RowMark {
  tone: MarkTone
  label: { zh: string; en: string }
  /** One of the kit's icons. */
  icon?: string
  /** Where no icon says it: one or two characters; not given, the label. */
  sign?: { zh: string; en: string }
}

/** A phrase of a text part that is marked; opened, it shows `component` with `props`. */
export interface TextMark {
  /** UTF-16 units of the part's text. */
  start: number
  end: number
  tone: MarkTone
  label: { zh: string; en: string }
  component: Component
  props: Record<string, unknown>
}

/** Asked while the rows and bubbles are drawn: answers at once from what is known (reactive), and fetches what is not. */
export interface UiMarks {
  row?(conversation: Conversation): readonly RowMark[]
  text?(message: Message, part: number): readonly TextMark[]
  /** What the signs of rows mean: shown where the list is arranged. */
  legend?: readonly RowMark[]
  permission?: string
}

/** What the app offers to a module that lives as long as it is on. */
export interface UiHost {
  /** The plugin has told of news of a conversation (`ctx.news`). */
  onNews(handler: (conversationId: string) => void): void
  /** The line was down: what is known may be old. */
  onResync(handler: () => void): void
}

export interface UiModule {
  pages?: UiPage[]
  slots?: UiSlot[]
  marks?: UiMarks
  /** Called when the module is loaded, again when the plugin is back; returns its undo. */
  start?: (host: UiHost) => () => void
  locales?: Record<'zh' | 'en', Record<string, unknown>>
}

export function defineUi(module: UiModule): UiModule {
  return module
}
