/** What a plugin adds to the workbench or the admin: data, not code that reaches into the app. */
import type { Component } from 'vue'

/** Places that can be filled. */
export type SlotName = 'conversation.panel' | 'conversation.header' | 'conversation.list-item' | 'composer.toolbar' | 'inbox.settings' | 'admin.overview'

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
  permission?: string
}

export interface UiModule {
  pages?: UiPage[]
  slots?: UiSlot[]
  locales?: Record<'zh' | 'en', Record<string, unknown>>
}

export function defineUi(module: UiModule): UiModule {
  return module
}
