import { uiConfig } from '../core/ui-kit/vite.ts'

export default uiConfig('workbench', import.meta.dirname)
