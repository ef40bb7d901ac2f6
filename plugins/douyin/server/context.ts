import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import type { PluginSettings } from './inbox-settings.ts'

/** The context with this plugin's settings. */
export type Ctx = PluginContext<PluginSettings>
