import { defineEntity, p } from '@mikro-orm/core'
import { idColumn } from '../../db/types.ts'

/**
 * A combination of what numbers are asked by. The numbers themselves stand in `report_slot` (slice, at, measures) and `report_sum` (grain, at, slice, measures), and
 * what each conversation last added to them in `report_fact` (conversation_id, rev, slice, cells); in which half hours there were messages of it in `report_talk` (at, conversation_id). No entity maps these:
 * they are written by the hundred (`keep-reports.ts`).
 */
const ReportSliceSchema = defineEntity({
  name: 'ReportSlice',
  tableName: 'report_slice',
  properties: {
    id: p.integer().primary(),
    /** The five joined: unique though some of them are null. */
    name: p.string().length(160),
    inboxId: idColumn(),
    channel: p.string().length(40),
    departmentId: idColumn().nullable(),
    assigneeId: idColumn().nullable(),
    categoryId: idColumn().nullable(),
  },
  uniques: [{ properties: ['name'], name: 'report_slice_name_unique' }],
})
export class ReportSlice extends ReportSliceSchema.class {}
ReportSliceSchema.setClass(ReportSlice)

/** How far the reports have come: until when all changes are in, which conversation was looked at again last. */
const ReportMarkSchema = defineEntity({
  name: 'ReportMark',
  tableName: 'report_mark',
  properties: { name: p.string().length(20).primary(), value: p.string().length(40) },
})
export class ReportMark extends ReportMarkSchema.class {}
ReportMarkSchema.setClass(ReportMark)

export const reportEntities = [ReportSliceSchema, ReportMarkSchema]
