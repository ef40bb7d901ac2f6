import type { Migration } from '../core/sdk/plugin.ts'

/** What was closed from the start counted as opened and as resolved in no time: the reports' round counts it anew. */
const again = "update `report_fact` set `rev` = -1 where `conversation_id` in (select `id` from `conversation` where `close_reason` = 'quiet')"

export const reportTalk: Migration = {
  name: '0087-report-talk',
  mysql: [again],
  sqlite: [again],
}
