import AjvCompiler from '@fastify/ajv-compiler'
import type { FastifySchemaCompiler } from 'fastify'

const build = AjvCompiler()

/**
 * Fastify's own compiler of schemas, asked when the first request of a route comes: most routes are never asked in the life
 * of a process, and compiling all of them was a quarter of its start. A schema that cannot be compiled fails its route alone.
 */
export const lazyValidators: AjvCompiler.BuildCompilerFromPool = (externalSchemas, options) => {
  // What Fastify passes is the route with its schema, whatever the types say.
  const compile = build(externalSchemas, options) as unknown as FastifySchemaCompiler<object>
  const whenAsked: FastifySchemaCompiler<object> = (route) => {
    let compiled: ReturnType<typeof compile> | undefined
    const validate: ReturnType<typeof compile> = (data) => {
      compiled ??= compile(route)
      const valid = compiled(data)
      validate.errors = compiled.errors ?? null
      return valid
    }
    return validate
  }
  return whenAsked as unknown as ReturnType<AjvCompiler.BuildCompilerFromPool>
}
