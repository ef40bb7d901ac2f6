import type { PluginContext } from '@huike/core/sdk/plugin.ts'
import { type Static, Type } from 'typebox'

const clock = (title: string, value: string) => Type.String({ title, pattern: '^([01]\\d|2[0-3]):[0-5]\\d$', maxLength: 5, default: value })

export const settings = Type.Object({
  readRecords: Type.Integer({
    title:
      '短时间内查看记录（或客户资料）、取走文件达到多少条记录时提醒|Records (or profiles) viewed, or records whose files were taken, in a short time before a notice',
    description: '0 为不提醒。|0: no notice.',
    minimum: 0,
    maximum: 10_000,
    default: 100,
  }),
  listedRecords: Type.Integer({
    title: '短时间内在列表和搜索结果里看到多少条时提醒|Records shown in lists and searches in a short time before a notice',
    description: '0 为不提醒。反复打开的同一页只算一次。|0: no notice. The same page opened again counts once.',
    minimum: 0,
    maximum: 100_000,
    default: 500,
  }),
  revealedContacts: Type.Integer({
    title: '短时间内查看多少位客户的隐藏信息时提醒|Customers whose hidden details were revealed in a short time before a notice',
    description: '0 为不提醒。|0: no notice.',
    minimum: 0,
    maximum: 10_000,
    default: 20,
  }),
  readMinutes: Type.Integer({ title: '“短时间”是多少分钟|How many minutes a short time is', minimum: 1, maximum: 1_440, default: 30 }),
  exportRows: Type.Integer({
    title: '一次导出超过多少行时提醒|Rows in one export before a notice',
    description: '0 为不提醒。|0: no notice.',
    minimum: 0,
    maximum: 10_000_000,
    default: 5_000,
  }),
  outsideHours: Type.Boolean({
    title:
      '在工作时间以外查看记录、客户资料或隐藏信息、取走文件时提醒|Notice when records, profiles or hidden details are viewed, or files taken, outside working hours',
    default: false,
  }),
  hoursFrom: clock('工作时间开始|Working hours begin', '08:00'),
  hoursTo: clock('工作时间结束|Working hours end', '21:00'),
  timeZone: Type.String({
    title: '时区|Time zone',
    description: '如 Asia/Shanghai。|As Asia/Shanghai.',
    format: 'time-zone',
    maxLength: 60,
    default: 'Asia/Shanghai',
  }),
  keepDays: Type.Integer({
    title: '日志保留天数|Days the log is kept',
    description:
      '0 为永久保留，否则至少 180 天。缩短后过 14 天才生效，并通知能查看审计日志的人。到期的条目分批删除，其余条目仍可校验。|0: for ever; else 180 at least. A shorter time holds after 14 days, and who may read the log is told. Older entries go bit by bit; the rest stays verifiable.',
    minimum: 0,
    maximum: 36_500,
    default: 0,
  }),
})
export type Settings = Static<typeof settings>
export type Ctx = PluginContext<Settings>
