import { defineUi } from '@huike/core/sdk/ui.ts'
import { en } from '../locales/en.ts'
import { zh } from '../locales/zh.ts'
import AuthorisationPanel from './AuthorisationPanel.vue'

export default defineUi({
  slots: [{ slot: 'inbox.settings', id: 'authorisation', component: AuthorisationPanel, permission: 'inbox.manage' }],
  locales: { zh, en },
})
