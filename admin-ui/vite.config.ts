import { uiConfig } from '../core/ui-kit/vite.ts'

export default uiConfig('admin', import.meta.dirname)
