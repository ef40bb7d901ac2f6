import { defineUi } from '@huike/core/sdk/ui.ts'
import { en } from '../locales/en.ts'
import { zh } from '../locales/zh.ts'
import RecordLog from './RecordLog.vue'

export default defineUi({
  slots: [{ slot: 'record.panel', id: 'log', component: RecordLog, permission: 'audit.read', order: 100 }],
  locales: { zh, en },
})
