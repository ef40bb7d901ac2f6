/** What a route does not name in its body or its query, nobody sends: it is refused, in the core as in plugins. */
import type { FastifySchema, RouteOptions } from 'fastify'

interface Shape {
  properties?: Record<string, Shape>
  patternProperties?: Record<string, Shape>
  additionalProperties?: unknown
  items?: Shape | Shape[]
  anyOf?: Shape[]
  oneOf?: Shape[]
  [keyword: string]: unknown
}

/** Many routes share parts; each is closed once. */
const closedOf = new WeakMap<Shape, Shape>()

/** The same schema, its objects without other properties than those it names. One that says of itself what else it takes is left as it is. */
export function closed(shape: Shape): Shape {
  const done = closedOf.get(shape)
  if (done) return done
  const copy: Shape = { ...shape }
  closedOf.set(shape, copy)
  const each = (shapes: Shape[]) => shapes.map(closed)
  const eachOf = (shapes: Record<string, Shape>) => Object.fromEntries(Object.entries(shapes).map(([name, one]) => [name, closed(one)]))
  if (shape.properties) {
    copy.properties = eachOf(shape.properties)
    if (!shape.patternProperties) copy.additionalProperties ??= false
  }
  if (shape.patternProperties) copy.patternProperties = eachOf(shape.patternProperties)
  if (shape.items) copy.items = Array.isArray(shape.items) ? each(shape.items) : closed(shape.items)
  if (shape.anyOf) copy.anyOf = each(shape.anyOf)
  if (shape.oneOf) copy.oneOf = each(shape.oneOf)
  return copy
}

/** For `onRoute`: else whatever a handler hands on could carry a column that no form has. */
export function closeRoute(route: RouteOptions): void {
  const { schema } = route
  if (!schema) return
  const both: FastifySchema = { ...schema }
  if (schema.body) both.body = closed(schema.body as Shape)
  if (schema.querystring) both.querystring = closed(schema.querystring as Shape)
  route.schema = both
}
