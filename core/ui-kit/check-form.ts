/** The form's half of the check, by the very schema the route has. Loaded at the first submit: TypeBox is not small. */
import { Errors } from 'typebox/schema'
import { type Fault, faultsOf, type RawFault } from '../sdk/faults.ts'
import '../sdk/formats.ts'
import { shownOnly } from '../sdk/shown-fields.ts'

type Node = { properties?: Record<string, Node>; format?: string; default?: unknown } | undefined

export function checkForm(schema: object, values: unknown): Fault[] {
  const shown = shownOnly(schema, values)
  const [, raw] = Errors(shown.schema as never, shown.values)
  return faultsOf(raw as unknown as RawFault[]).flatMap((fault) => {
    const { path, rule } = fault
    let node: Node = schema as Node
    let value = values
    for (const step of path.split('/').slice(1)) {
      node = node?.properties?.[step]
      value = (value as Record<string, unknown> | undefined)?.[step]
    }
    // A secret that is set reads `true`, and the server fills in what has a default.
    if ((node?.format === 'secret' && value === true) || (rule === 'required' && value === undefined && node?.default !== undefined)) return []
    // Nothing is no wrong address: it is missing.
    return value === '' ? [{ ...fault, rule: 'required' }] : [fault]
  })
}
