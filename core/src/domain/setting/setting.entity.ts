import { defineEntity, p } from '@mikro-orm/core'
import { idColumn, instant, json } from '../../db/types.ts'

const SettingSchema = defineEntity({
  name: 'Setting',
  tableName: 'setting',
  properties: { key: p.string().length(80).primary(), value: json<unknown>(), updatedAt: instant() },
})
export class Setting extends SettingSchema.class {}
SettingSchema.setClass(Setting)

const PluginStateSchema = defineEntity({
  name: 'PluginState',
  tableName: 'plugin_state',
  properties: {
    id: p.string().length(40).primary(),
    enabled: p.boolean().default(true),
    settings: json<Record<string, unknown>>(),
    updatedAt: instant(),
  },
})
export class PluginState extends PluginStateSchema.class {}
PluginStateSchema.setClass(PluginState)

/** Numbers handed out in blocks to processes: gaps are fine, repeats are not. */
const CounterSchema = defineEntity({
  name: 'Counter',
  tableName: 'counter',
  properties: { name: p.string().length(40).primary(), next: p.integer() },
})
export class Counter extends CounterSchema.class {}
CounterSchema.setClass(Counter)

/** A right to be the only one, for a while: a periodic job, a mailbox, a sweep. */
const LeaseSchema = defineEntity({
  name: 'Lease',
  tableName: 'lease',
  properties: { name: p.string().length(120).primary(), holder: idColumn(), until: instant() },
})
export class Lease extends LeaseSchema.class {}
LeaseSchema.setClass(Lease)

export const settingEntities = [SettingSchema, PluginStateSchema, CounterSchema, LeaseSchema]
