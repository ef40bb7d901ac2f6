import type { Migration } from '@huike/core/sdk/plugin.ts'
import { sealedLength } from '@huike/core/sdk/sealed.ts'

export const schedulePassword: Migration = {
  name: '0003-schedule-password',
  mysql: [`alter table \`export_schedule\` add \`password\` varchar(${sealedLength(100)}) not null default ''`],
  sqlite: ["alter table `export_schedule` add column `password` text not null default ''"],
}
