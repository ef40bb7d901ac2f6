import { defineUi } from '@huike/core/sdk/ui.ts'
import { en } from '../locales/en.ts'
import { zh } from '../locales/zh.ts'
import RulesPage from './RulesPage.vue'

export default defineUi({
  pages: [{ path: 'rules', title: { zh: '信息识别', en: 'Contact finder' }, component: RulesPage, icon: 'search', permission: 'extraction.rule.manage' }],
  locales: { zh, en },
})
