import { defineUi } from '@huike/core/sdk/ui.ts'
import { en } from '../locales/en.ts'
import { zh } from '../locales/zh.ts'
import LogPage from './LogPage.vue'

export default defineUi({
  pages: [{ path: 'log', title: { zh: zh.title, en: en.title }, component: LogPage, icon: 'eye', permission: 'audit.read' }],
  locales: { zh, en },
})
