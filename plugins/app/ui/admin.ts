import { defineUi } from '@huike/core/sdk/ui.ts'
import { en } from '../locales/en.ts'
import { zh } from '../locales/zh.ts'
import ConnectionPanel from './ConnectionPanel.vue'

export default defineUi({
  slots: [{ slot: 'inbox.settings', id: 'connection', component: ConnectionPanel, permission: 'inbox.manage' }],
  locales: { zh, en },
})
