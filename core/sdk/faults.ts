/** What is wrong with a request, field by field: the same words from the server's validator and the form's. */

export interface Fault {
  /** JSON pointer to the field; on the wire the part of the request stands before it: `body/name`. */
  path: string
  /** Why, for a sentence in the reader's language: `required`, `email`, `maxLength`, … */
  rule: string
  limit?: number
  /** For developers, in English. */
  message: string
  /** A sentence of its own, in place of the rule's: what a plugin found (rule `plugin`). */
  text?: { zh: string; en: string }
}

/** As JSON Schema validators report (Ajv on the server, TypeBox in forms and settings). */
export interface RawFault {
  keyword: string
  instancePath: string
  schemaPath?: string
  message?: string
  params?: unknown
}

/**
 * Of a union only the branch that was meant: not those that another kind (a `const`) rules out, nor the union itself where
 * a branch says what is wrong.
 */
function meant(raw: readonly RawFault[]): readonly RawFault[] {
  const others = raw.flatMap(({ keyword, schemaPath = '' }) => (keyword === 'const' ? (schemaPath.match(/^.*\/anyOf\/\d+(?=\/properties\/)/) ?? []) : []))
  const kept = raw.filter(({ schemaPath = '' }) => !others.some((branch) => schemaPath === branch || schemaPath.startsWith(`${branch}/`)))
  return kept.filter(
    ({ keyword, instancePath }) => keyword !== 'anyOf' || !kept.some((one) => one.keyword !== 'anyOf' && one.instancePath.startsWith(instancePath)),
  )
}

export function faultsOf(raw: readonly RawFault[], part = ''): Fault[] {
  return meant(raw).flatMap(({ keyword, instancePath, message = '', params }) => {
    const said = (params ?? {}) as {
      limit?: number
      format?: string
      pattern?: unknown
      missingProperty?: string
      requiredProperties?: string[]
      additionalProperty?: string
      additionalProperties?: string[]
    }
    const fault = (rule: string, path = instancePath): Fault => ({ path: part + path, rule, message })
    switch (keyword) {
      // A missing field is a fault of its object there; a form needs the field.
      case 'required':
        return (said.requiredProperties ?? [said.missingProperty ?? '']).map((name) => fault('required', `${instancePath}/${name}`))
      // A name that is not known there; Ajv tells them one by one.
      case 'additionalProperties':
        return [said.additionalProperty ?? said.additionalProperties ?? []].flat().map((name) => fault('unknownField', `${instancePath}/${name}`))
      case 'minLength':
        return said.limit === 1 ? [fault('required')] : [{ ...fault(keyword), limit: said.limit ?? 0 }]
      case 'minItems':
        return said.limit === 1 ? [fault('choose')] : [{ ...fault(keyword), limit: said.limit ?? 0 }]
      case 'pattern':
        // Only spaces: nothing to read.
        return [fault(String(said.pattern).replaceAll('/', '') === '\\S' ? 'required' : keyword)]
      case 'format':
        return [fault(said.format ?? keyword)]
      default:
        return [said.limit === undefined ? fault(keyword) : { ...fault(keyword), limit: said.limit }]
    }
  })
}
