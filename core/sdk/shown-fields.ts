/**
 * Which fields of a settings schema are shown. One may depend on what another of the same object holds:
 * `'x-when': { field: 'login', is: ['oauth'] }`. The form draws what is shown, and only that is asked for and checked.
 */

export interface ShownWhen {
  field: string
  /** It is shown while the other field, itself shown, holds one of these. */
  is: readonly unknown[]
}

interface Shape {
  type?: unknown
  default?: unknown
  properties?: Record<string, Shape>
  required?: readonly string[]
  'x-when'?: ShownWhen
}
type Values = Record<string, unknown>

export function isShown(schema: object, name: string, values: Values, asked: readonly string[] = []): boolean {
  const { properties = {} } = schema as Shape
  const when = properties[name]?.['x-when']
  // Fields that wait for each other in a circle are shown: a mistake is to be seen.
  if (!when || asked.includes(name)) return true
  return when.is.includes(values[when.field] ?? properties[when.field]?.default) && isShown(schema, when.field, values, [...asked, name])
}

const isObject = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The schema and the values without what is not shown, at any depth. The same objects where nothing depends on anything. */
export function shownOnly<S extends object>(schema: S, values: unknown): { schema: S; values: unknown } {
  const { properties, required } = schema as Shape
  if (!properties || !isObject(values)) return { schema, values }
  const names = Object.keys(properties).filter((name) => isShown(schema, name, values))
  const inner = names.map((name) => [name, shownOnly(properties[name] as Shape, values[name])] as const)
  const hidden = names.length < Object.keys(properties).length
  if (!hidden && inner.every(([name, one]) => one.schema === properties[name])) return { schema, values }
  const shown: Values = Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name) || !(name in properties)))
  for (const [name, one] of inner) if (name in shown) shown[name] = one.values
  return {
    schema: {
      ...schema,
      properties: Object.fromEntries(inner.map(([name, one]) => [name, one.schema])),
      ...(required ? { required: required.filter((name) => names.includes(name)) } : {}),
    },
    values: shown,
  }
}
