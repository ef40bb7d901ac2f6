import { defineEntity, p } from '@mikro-orm/core'
import { idColumn, instant } from '../../db/types.ts'

/** A process of the hub: on a served hub there are several, and whoever looks at one should see all. */
const HubProcessSchema = defineEntity({
  name: 'HubProcess',
  tableName: 'hub_process',
  properties: {
    /** `hub.nodeId`: another one after every start. */
    id: idColumn().primary(),
    role: p.string().length(10).$type<'all' | 'web' | 'worker'>(),
    host: p.string().length(100),
    pid: p.integer(),
    version: p.string().length(40),
    memoryMb: p.integer(),
    /** Open sockets. */
    agents: p.integer(),
    visitors: p.integer(),
    startedAt: instant(),
    seenAt: instant(),
  },
})
export class HubProcess extends HubProcessSchema.class {}
HubProcessSchema.setClass(HubProcess)

export const processEntities = [HubProcessSchema]
