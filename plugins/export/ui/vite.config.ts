import { pluginUiConfig } from '@huike/core/ui-kit/vite.ts'

export default pluginUiConfig(import.meta.dirname)
