/** Where settings have secrets (`format: 'secret'` in their schema), at any depth. */
import { isDeepStrictEqual } from 'node:util'
import type { TSchema } from 'typebox'

type Values = Record<string, unknown>
export type Path = readonly (string | number)[]
/** What of a schema leads to secrets. */
interface Shape {
  format?: string
  properties?: Record<string, Shape>
  patternProperties?: Record<string, Shape>
  additionalProperties?: Shape | boolean
  items?: Shape | Shape[]
  anyOf?: Shape[]
  oneOf?: Shape[]
  allOf?: Shape[]
}

/** Where a value has secrets, at any depth. What only one side of a union calls secret is secret. */
export function secretsIn(schema: TSchema | undefined, value: unknown): Path[] {
  const found = new Map<string, Path>()
  const visit = (shape: Shape | undefined, at: unknown, path: Path): void => {
    if (!shape) return
    if (shape.format === 'secret') found.set(JSON.stringify(path), path)
    for (const side of [...(shape.anyOf ?? []), ...(shape.oneOf ?? []), ...(shape.allOf ?? [])]) visit(side, at, path)
    if (Array.isArray(at)) {
      const { items } = shape
      at.forEach((item, i) => {
        visit(Array.isArray(items) ? items[i] : items, item, [...path, i])
      })
    } else if (typeof at === 'object' && at !== null) {
      for (const [name, item] of Object.entries(at)) {
        const patterns = Object.entries(shape.patternProperties ?? {}).filter(([pattern]) => new RegExp(pattern).test(name))
        const known = [shape.properties?.[name], ...patterns.map(([, inner]) => inner)].filter((inner) => inner !== undefined)
        if (known.length === 0 && typeof shape.additionalProperties === 'object') known.push(shape.additionalProperties)
        for (const inner of known) visit(inner, item, [...path, name])
      }
    }
  }
  visit(schema as Shape | undefined, value, [])
  return [...found.values()]
}

export const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((inner, step) => (inner as Record<string | number, unknown> | undefined)?.[step], value)

/** A copy with each secret replaced by what `change` makes of it. */
export function mapSecrets(schema: TSchema | undefined, values: Values, change: (secret: unknown, path: Path) => unknown): Values {
  const copy = structuredClone(values)
  for (const path of secretsIn(schema, values)) {
    const parent = at(copy, path.slice(0, -1)) as Record<string | number, unknown>
    parent[path.at(-1) ?? ''] = change(at(values, path), path)
  }
  return copy
}

/** The same place in the values of before, found by what is no secret. */
export function counterpart(path: Path, asked: Values, known: Values): Path | undefined {
  const from: (string | number)[] = []
  for (const [depth, step] of path.entries()) {
    const [mine, theirs] = [at(asked, path.slice(0, depth)), at(known, from)]
    if (typeof step === 'string' || !Array.isArray(mine) || !Array.isArray(theirs)) from.push(step)
    else {
      const equal = theirs.flatMap((item, i) => (isDeepStrictEqual(item, mine[step]) ? [i] : []))
      const sameLength = mine.length === theirs.length
      const place = sameLength && (equal.includes(step) || equal.length === 0) ? step : equal.length === 1 ? equal[0] : undefined
      if (place === undefined) return undefined
      from.push(place)
    }
  }
  return from
}

export const pointer = (path: Path): string => path.map((step) => `/${step}`).join('')
