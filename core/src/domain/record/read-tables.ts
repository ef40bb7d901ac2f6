/** `ctx.tables`: the core's lists and those of running plugins, for who writes files of them. */
import { type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import { HubError } from '../../../sdk/errors.ts'
import { faultsOf, type RawFault } from '../../../sdk/faults.ts'
import type { TableDeclaration, TableInfo, Tables } from '../../../sdk/tables.ts'
import { splitPermission } from '../../access/ability.ts'
import type { Hub } from '../../hub.ts'
import { contactTable } from '../contact/contact-table.ts'
import { accessOf } from './read-records.ts'

const mostKeys = 200

interface Open extends Omit<TableDeclaration<never>, 'columns' | 'keys' | 'read'> {
  name: string
  columns(): Promise<TableInfo['columns']>
  keys: Tables['keys'] extends (name: string, ...rest: infer A) => infer R ? (...rest: A) => R : never
  read: Tables['read'] extends (name: string, ...rest: infer A) => infer R ? (...rest: A) => R : never
}

export function tablesFor(hub: Hub): Tables {
  const all = (): Open[] => [
    contactTable(hub),
    ...hub.kernel.running().flatMap(({ manifest, ctx }) =>
      Object.entries(manifest.tables ?? {}).map(([name, table]) => ({
        ...table,
        name: `${manifest.id}.${name}`,
        columns: async () => table.columns,
        keys: ((reader, filter) => table.keys(reader, filter, ctx)) as Open['keys'],
        read: ((reader, keys) => table.read(reader, keys, ctx)) as Open['read'],
      })),
    ),
  ]
  const find = (name: string): Open => {
    const table = all().find((one) => one.name === name)
    if (!table) throw new HubError('HUB_NOT_FOUND', `Nothing that runs offers ${name}`)
    return table
  }
  const allowed = async (table: Open, reader: { agentId: string; permission?: string }) => {
    await accessOf(hub, reader)
    await accessOf(hub, { agentId: reader.agentId, permission: table.permission })
  }
  return {
    async list(agentId) {
      const access = await hub.access.of(agentId)
      if (!access) return []
      const may = all().filter(({ permission }) => access.ability.can(...splitPermission(permission)))
      return Promise.all(
        may.map(async ({ name, label, filter, columns }) => ({ name, label, columns: await columns(), ...(filter === undefined ? {} : { filter }) })),
      )
    },
    async *keys(name, reader, asked) {
      const table = find(name)
      await allowed(table, reader)
      const filter = checked(table.filter ?? Type.Object({}), asked)
      for await (const page of table.keys(reader, filter)) {
        yield page
        // Whoever takes its time with a page may have lost the right meanwhile; the table may be off.
        await allowed(find(name), reader)
      }
    },
    async read(name, reader, keys) {
      if (keys.length > mostKeys) throw new Error(`at most ${mostKeys} rows at once`)
      const table = find(name)
      await allowed(table, reader)
      return table.read(reader, keys)
    },
  }
}

function checked(schema: TSchema, value: Record<string, unknown>): Record<string, unknown> {
  const faults = faultsOf(Value.Errors(schema, value) as RawFault[])
  if (faults.length > 0) throw new HubError('HUB_REQUEST_INVALID', 'The filter does not fit the table', { faults })
  return value
}
