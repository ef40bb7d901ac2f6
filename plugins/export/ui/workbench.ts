/** The same module in both apps: a button over the records and on a record, and the list of exports. */
import { defineUi } from '@huike/core/sdk/ui.ts'
import { en } from '../locales/en.ts'
import { zh } from '../locales/zh.ts'
import ExportButton from './ExportButton.vue'
import ExportsPage from './ExportsPage.vue'
import TableExport from './TableExport.vue'

const permission = 'export.record'
export default defineUi({
  pages: [{ path: 'exports', title: { zh: zh.page, en: en.page }, component: ExportsPage, icon: 'download', permission }],
  slots: [
    { slot: 'records.actions', id: 'many', component: ExportButton, permission },
    { slot: 'records.actions', id: 'contacts', component: TableExport, permission, order: 1 },
    { slot: 'record.actions', id: 'one', component: ExportButton, permission },
  ],
  locales: { zh, en },
})
